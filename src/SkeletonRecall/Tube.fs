namespace SkeletonRecall

open System.Numerics
open System.Runtime.Intrinsics

/// Tubed skeletons, the targets of the Skeleton Recall loss: the skeleton of the merged foreground, grown a little, with
/// the class of each voxel's own label (Y. Kirchhoff et al., "Skeleton Recall Loss for Connectivity Conserving and
/// Resource Efficient Segmentation of Thin Tubular Structures", ECCV 2024).
[<RequireQualifiedAccess>]
module Tube =

    /// Upstream's: `TubeOptions.standard`.
    let standard: TubeOptions = TubeOptions.standard

    // Which of 64 labels are above 0, the first in bit 0.
    let inline private positive (labels: int16[]) (at: int) : uint64 =
        let half (at: int) =
            Vector512.ExtractMostSignificantBits(
                Vector512.GreaterThan(Vector512.LoadUnsafe &labels[at], Vector512<int16>.Zero)
            )

        half at ||| (half (at + 32) <<< 32)

    let private binarizeInto (extent: Extent) (labels: int16[]) (words: uint64[]) : unit =
        let width = extent.Width

        // Of the `count` labels before `stop`, where there are 64 to read that end there.
        let tail (stop: int) (count: int) : uint64 =
            if stop >= 64 then
                positive labels (stop - 64) >>> (64 - count)
            else
                let mutable bits = 0UL

                for place in 0 .. count - 1 do
                    if labels[stop - count + place] > 0s then
                        bits <- bits ||| (1UL <<< place)

                bits

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Extent.index extent slice row 0
                let mutable target = Layout.row extent slice row
                let mutable column = 0
                let mutable carry = 0UL

                while column + 64 <= width do
                    let bits = positive labels (start + column)
                    words[target] <- (bits <<< 1) ||| carry
                    carry <- bits >>> 63
                    target <- target + 1
                    column <- column + 64

                if column < width then
                    carry <- carry ||| (tail (start + width) (width - column) <<< 1)

                words[target] <- carry

    // Copies, into a target of zeros, the labels of the voxels that are in the words.
    let private paintInto (extent: Extent) (labels: int16[]) (words: uint64[]) (target: int16[]) : unit =
        let places =
            Vector256.Create<int16>(Array.init 16 (fun place -> int16 (1 <<< place)))

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Extent.index extent slice row 0
                let first = Layout.row extent slice row

                for word in 0 .. Layout.stride extent - 1 do
                    // Columns 64 * word to 64 * word + 63 are bits 1 to 63 and the first of the next word.
                    let at = start + 64 * word
                    let isWhole = 64 * word + 64 <= extent.Width
                    let mutable bits = words[first + word] >>> 1

                    if isWhole then
                        bits <- bits ||| (words[first + word + 1] <<< 63)

                    if bits <> 0UL && isWhole then
                        for block in 0..3 do
                            let here = int16 (bits >>> (16 * block))

                            if here <> 0s then
                                let inside = Vector256.Equals(Vector256.Create here &&& places, places)
                                let from = Vector256.LoadUnsafe &labels[at + 16 * block]
                                Vector256.StoreUnsafe(inside &&& from, &target[at + 16 * block])
                    else
                        while bits <> 0UL do
                            let place = at + BitOperations.TrailingZeroCount bits
                            target[place] <- labels[place]
                            bits <- bits &&& (bits - 1UL)

    /// All voxels of any class (labels above 0) as one mask.
    let binarize (labels: LabelMap) : Mask =
        let words = Array.zeroCreate<uint64>(Layout.length labels.Extent)
        binarizeInto labels.Extent labels.Data words
        Mask(labels.Extent, labels.Spacing, words)

    /// The labels inside the mask, 0 outside. Throws ArgumentException when the extents differ.
    let assignClasses (labels: LabelMap) (mask: Mask) : LabelMap =
        Extent.requireEqual (nameof mask) labels.Extent mask.Extent
        let data = Array.zeroCreate<int16> labels.Extent.Count
        paintInto labels.Extent labels.Data mask.Words data
        Volume<int16>(labels.Extent, labels.Spacing, data)

    let private hasLabel (label: int16) (labels: LabelMap) : Mask =
        Mask.ofVolume (fun value -> value = label) labels

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

        let classes =
            labels.Data |> Array.distinct |> Array.filter (fun label -> label > 0s)

        (Mask.empty labels.Extent |> Mask.withSpacing labels.Spacing, classes)
        ||> Array.fold (fun tubes label ->
            let structure = Mask.intersect foreground (hasLabel label labels)

            structure
            |> skeleton options
            |> grow options
            |> Mask.intersect structure
            |> Mask.union tubes)

    /// The tubed skeleton of a label map, by default equal to upstream's bit for bit: binarized, thinned (Zhang in planes,
    /// Lee in volumes), grown by 2 steps of the cross, and given the labels. Every voxel is 0 or its own label, so that
    /// the tube never leaves the labelled structure (negative labels that a tube around the merged foreground reaches
    /// stay what they are). Throws ArgumentException for options out of range and for Zhang's method on a volume.
    let ofLabels (options: TubeOptions) (labels: LabelMap) : LabelMap =
        TubeOptions.require options
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
            let members = Set.ofList members
            labels |> Mask.ofVolume members.Contains |> without ignored

        match options.SkeletonOf with
        | SkeletonOf.MergedForeground ->
            let tube = labels |> binarize |> without ignored |> skeleton options |> grow options

            regions |> List.map (fun members -> Mask.intersect (region members) tube)
        | SkeletonOf.EachClass ->
            regions
            |> List.map (fun members ->
                let structure = region members
                structure |> skeleton options |> grow options |> Mask.intersect structure)
