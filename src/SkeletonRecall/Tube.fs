namespace SkeletonRecall

open System
open System.ComponentModel

/// Tubed skeletons, the targets of the Skeleton Recall loss: the skeleton of the merged foreground, grown a little, with
/// the class of each voxel's own label (Y. Kirchhoff et al., "Skeleton Recall Loss for Connectivity Conserving and
/// Resource Efficient Segmentation of Thin Tubular Structures", ECCV 2024).
[<RequireQualifiedAccess>]
module Tube =

    /// Upstream's: `TubeOptions.standard`.
    let standard: TubeOptions = TubeOptions.standard

    /// All voxels of any class (labels above 0) as one mask.
    let binarize (labels: LabelMap) : Mask =
        let words = Array.zeroCreate<uint64>(Layout.length labels.Extent)
        TubeBits.binarizeInto labels.Extent (ReadOnlySpan labels.Data) words
        Mask(labels.Extent, labels.Spacing, words)

    /// The labels inside the mask, 0 outside. Throws ArgumentException when the extents differ.
    let assignClasses (labels: LabelMap) (mask: Mask) : LabelMap =
        Extent.requireEqual (nameof mask) labels.Extent mask.Extent
        let data = Array.zeroCreate<int16> labels.Extent.Count
        TubeBits.paintInto labels.Extent mask.Words (ReadOnlySpan labels.Data) (Span data) TubeBits.Ground.Zero
        Volume<int16>(labels.Extent, labels.Spacing, data)

    let private hasLabel (label: int16) (labels: LabelMap) : Mask =
        let words = Array.zeroCreate<uint64>(Layout.length labels.Extent)
        TubeBits.equalInto labels.Extent label (ReadOnlySpan labels.Data) words
        Mask(labels.Extent, labels.Spacing, words)

    // The labels above 0, in order.
    let private classesOf (labels: LabelMap) : int16[] =
        let seen = Array.zeroCreate<bool>(int Int16.MaxValue + 1)

        for label in labels.Data do
            seen[int (max 0s label)] <- true

        [| 1s .. Int16.MaxValue |] |> Array.filter (fun label -> seen[int label])

    // What is neither skeletonized nor painted.
    let private without (ignored: Mask option) (mask: Mask) : Mask =
        match ignored with
        | Some ignored -> Mask.difference mask ignored
        | None -> mask

    /// The skeleton of a mask by the options' method, guard and pruning. Throws ArgumentException for options out of
    /// range and for Zhang's method on a volume.
    let skeleton (options: TubeOptions) (mask: Mask) : Mask =
        TubeOptions.require options

        let thinning =
            match options.Thinning with
            | Some thinning -> thinning
            | None -> Skeleton.standard mask.Extent

        let thinned =
            if options.Guard then
                Skeleton.thinGuarded thinning mask
            else
                Skeleton.thinBy thinning mask

        if options.Prune > 0.0 then
            Skeleton.prune options.Prune thinned
        else
            thinned

    /// The mask grown by the options' radius. Throws ArgumentException for a radius out of range.
    let grow (options: TubeOptions) (mask: Mask) : Mask =
        TubeOptions.require options

        match options.Radius with
        | TubeRadius.Steps steps -> Morphology.dilate Element.Cross steps mask
        | TubeRadius.Ball millimetres -> Morphology.dilate (Element.Ball millimetres) 1 mask

    // The voxels of the tubes of all classes, each tube inside its class.
    let private ofClasses (options: TubeOptions) (ignored: Mask option) (labels: LabelMap) : Mask =
        let foreground = binarize labels |> without ignored

        (Mask.empty labels.Extent |> Mask.withSpacing labels.Spacing, classesOf labels)
        ||> Array.fold (fun tubes label ->
            let structure = Mask.intersect foreground (hasLabel label labels)

            structure
            |> skeleton options
            |> grow options
            |> Mask.intersect structure
            |> Mask.union tubes)

    // The method and the steps of options that the workers on bits serve; a negative number of steps for others.
    let private fast (options: TubeOptions) (extent: Extent) : struct (Thinning * int) =
        let thinning = options.Thinning |> Option.defaultValue (Skeleton.standard extent)

        match options.Radius with
        | TubeRadius.Steps steps when
            options =
                { standard with
                    Radius = options.Radius
                    Thinning = options.Thinning
                }
            && (thinning = Thinning.Lee || extent.Rank = 2)
            ->
            struct (thinning, steps)
        | _ -> struct (thinning, -1)

    // Every step by its own function.
    let private compose (options: TubeOptions) (labels: LabelMap) : LabelMap =
        let ignored = options.Ignore |> Option.map (fun label -> hasLabel label labels)

        match options.SkeletonOf with
        | SkeletonOf.MergedForeground ->
            labels
            |> binarize
            |> without ignored
            |> skeleton options
            |> grow options
            |> without ignored
            |> assignClasses labels
        | SkeletonOf.EachClass -> ofClasses options ignored labels |> assignClasses labels

    /// The tubed skeleton of a label map, by default equal to upstream's bit for bit: binarized, thinned (Zhang in planes,
    /// Lee in volumes), grown by 2 steps of the cross, and given the labels. Every voxel is 0 or its own label, so that
    /// the tube never leaves the labelled structure (negative labels that a tube around the merged foreground reaches
    /// stay what they are). Throws ArgumentException for options out of range and for Zhang's method on a volume.
    let ofLabels (options: TubeOptions) (labels: LabelMap) : LabelMap =
        TubeOptions.require options
        let extent = labels.Extent

        match fast options extent with
        | struct (thinning, steps) when steps >= 0 ->
            let data = Array.zeroCreate<int16> extent.Count
            TubeBits.tubeInto extent thinning steps (ReadOnlySpan labels.Data) (Span data) TubeBits.Ground.Zero
            Volume<int16>(extent, labels.Spacing, data)
        | _ -> compose options labels

    /// Not for callers, who have `ofLabelsInto`. A function that ends in a call of one that takes spans marks it as a tail
    /// call, by F#'s defaults, and with these the runtime may lose the array of a span (see src/Directory.Build.props).
    /// A call that takes an address of a local is never marked.
    [<EditorBrowsable(EditorBrowsableState.Never)>]
    let ofLabelsIntoSpan
        (options: TubeOptions)
        (extent: Extent)
        (spacing: Spacing)
        (labels: ReadOnlySpan<int16>)
        (target: Span<int16>)
        (written: byref<bool>)
        : unit =
        TubeOptions.require options

        if labels.Length <> extent.Count then
            invalidArg (nameof labels) $"%O{extent} needs %d{extent.Count} labels; got %d{labels.Length}."

        if target.Length <> extent.Count then
            invalidArg (nameof target) $"%O{extent} needs a target of %d{extent.Count}; got %d{target.Length}."

        if spacing.Rank <> extent.Rank then
            invalidArg (nameof spacing) $"A spacing of rank %d{spacing.Rank} does not fit the extent %O{extent}."

        let mutable apart = 0
        let isShared = labels.Overlaps(Span.op_Implicit target, &apart)

        if isShared && apart <> 0 then
            invalidArg (nameof target) $"The target lies %d{apart} values into the labels; it may be them or lie apart."

        match fast options extent with
        | struct (thinning, steps) when steps >= 0 ->
            let ground =
                if isShared then
                    TubeBits.Ground.Labels
                else
                    TubeBits.Ground.Apart

            TubeBits.tubeInto extent thinning steps labels target ground
        | _ ->
            let tube = compose options (Volume<int16>(extent, spacing, labels.ToArray()))
            tube.Data.CopyTo target

        written <- true

    /// What `ofLabels` gives, written into the caller's own memory, so that a loader makes no garbage: `labels` and `target`
    /// are row-major and hold as many values as the extent has voxels; every value of the target is written. The target
    /// may be the labels themselves. With options as upstream's (any steps, no ignore label, merged foreground) nothing
    /// but two arrays of bits is borrowed meanwhile; other options make label maps on the way. The spacing matters to
    /// balls and to pruning. Throws ArgumentException as `ofLabels` does, for other lengths, for a spacing of another
    /// rank, and for a target that overlaps the labels without being them.
    let inline ofLabelsInto
        (options: TubeOptions)
        (extent: Extent)
        (spacing: Spacing)
        (labels: ReadOnlySpan<int16>)
        (target: Span<int16>)
        : unit =
        let mutable written = false
        ofLabelsIntoSpan options extent spacing labels target &written

    /// The tubed skeletons of several label maps, on so many threads; each is what `ofLabels` gives, whatever the number
    /// of threads is. Throws ArgumentException as `ofLabels` does, and for fewer threads than 1.
    let ofMany (threads: int) (options: TubeOptions) (maps: LabelMap[]) : LabelMap[] =
        TubeOptions.require options
        Workers.map threads (ofLabels options) maps

    /// The tubed skeletons of regions, which may overlap: one mask per region, which is a list of the labels that it
    /// consists of (as nnU-Net's `labels` are in a data set of regions). A tube lies inside its region. It runs around
    /// the skeleton of the merged foreground or, for `EachClass`, of the region alone.
    /// Throws ArgumentException as `ofLabels` does, and for a region without labels.
    let ofRegions (options: TubeOptions) (regions: int16 list list) (labels: LabelMap) : Mask list =
        TubeOptions.require options
        let ignored = options.Ignore |> Option.map (fun label -> hasLabel label labels)

        if regions |> List.exists List.isEmpty then
            invalidArg (nameof regions) "A region has at least one label; one of these has none."

        let region (members: int16 list) : Mask =
            members
            |> List.map (fun label -> hasLabel label labels)
            |> List.reduce Mask.union
            |> without ignored

        match options.SkeletonOf with
        | SkeletonOf.MergedForeground ->
            let tube = labels |> binarize |> without ignored |> skeleton options |> grow options

            regions |> List.map (fun members -> Mask.intersect (region members) tube)
        | SkeletonOf.EachClass ->
            regions
            |> List.map (fun members ->
                let structure = region members
                structure |> skeleton options |> grow options |> Mask.intersect structure)
