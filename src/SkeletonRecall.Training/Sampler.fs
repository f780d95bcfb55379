namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// A case made ready to draw patches from, in memory or in a store: for every label, positions at which it occurs.
type Prepared =
    {
        Id: CaseId
        Channels: int
        Extent: Extent
        /// Row-major positions of each foreground label that occurs, ascending labels; a sample of them where there are many.
        Locations: Map<int, int[]>
        /// Where the data set has an ignore label: a sample of the positions that are annotated.
        Annotated: int[] option
        /// The skeleton of the case, where patches are to show it.
        Skeleton: CaseSkeleton option
        /// What the first stage of a cascade said in the box of an extent whose first corner is given, -1 outside of the case; None
        /// where the case is for no second stage.
        FirstStage: (Extent -> int list -> LabelMap) option
        /// The size of a voxel.
        Spacing: Spacing
        /// Fills a canvas with the box of its extent whose first corner is given, as `Patch.cut` has it. Several threads may
        /// call it at once.
        CutInto: int list -> Canvas -> unit
    }

/// Drawing patches from cases by nnU-Net's rules.
[<RequireQualifiedAccess>]
module Sampler =

    /// Finds where each label occurs in a case in memory. `ignore` is the data set's ignore label. Throws ArgumentException
    /// for a case without labels.
    let prepare (ignore: int option) (case: Case) : Prepared =
        let labels =
            match case.Labels with
            | Some labels -> labels
            | None -> invalidArg (nameof case) $"Case %s{CaseId.value case.Id} has no labels to draw patches by."

        let locations = ClassLocations.ofLabels ignore labels

        {
            Id = case.Id
            Channels = case.Image.Channels
            Extent = case.Image.Extent
            Locations = locations.Classes
            Annotated = locations.Annotated
            Skeleton = case.Skeleton
            FirstStage = None
            Spacing = case.Image.Spacing
            CutInto = fun origin canvas -> Patch.cutInto origin case.Image labels canvas
        }

    /// Whether patch `index` of a batch must show foreground: nnU-Net forces the last ones,
    /// those not below round(batchSize * (1 - oversampling)), with halves rounded to even. nnU-Net's oversampling is 0.33.
    let forced (oversampling: float) (batchSize: int) (index: int) : bool =
        not (index < int (Math.Round(float batchSize * (1.0 - oversampling))))

    /// The lowest and the highest corner along one axis, both inclusive: a patch that is larger than what augmentation
    /// leaves of it may reach beyond the case by half of the difference.
    let corners (shape: int) (initial: int) (final: int) : struct (int * int) =
        let need = max (initial - final) (initial - shape)
        // Halves up for positive and negative needs alike.
        let half = (need + 1) >>> 1
        struct (-half, shape + half - initial)

    let private pick (rng: Rng) (items: 'T[]) : 'T = items[rng.NextInt items.Length]

    /// Where a patch begins that `cut` draws.
    let internal origin
        (initial: int list)
        (final: int list)
        (forcedForeground: bool)
        (rng: Rng)
        (prepared: Prepared)
        : int list =
        let extent = prepared.Extent
        let size = Extent.ofShape initial

        if
            List.length final <> size.Rank
            || List.exists2 (fun i f -> f > i || f < 1) initial final
        then
            invalidArg (nameof final) $"A patch of %A{initial} cannot be reduced to %A{final}."

        let lead = List.replicate (extent.Rank - size.Rank |> max 0) 1

        let bounds = List.map3 corners extent.Shape (lead @ initial) (lead @ final)

        let random () =
            bounds
            |> List.map (fun (struct (low, high)) -> low + rng.NextInt(high - low + 1))

        let around (position: int) =
            let column = position % extent.Width
            let row = position / extent.Width % extent.Height
            let slice = position / (extent.Width * extent.Height)

            let voxel =
                if extent.Rank = 2 then
                    [ row; column ]
                else
                    [ slice; row; column ]

            List.map3 (fun (struct (low, _)) v p -> max low (v - p / 2)) bounds voxel (lead @ initial)

        if forcedForeground && not prepared.Locations.IsEmpty then
            let classes = prepared.Locations.Values |> Seq.toArray
            around (pick rng (pick rng classes))
        else
            match prepared.Annotated with
            | Some positions when positions.Length > 0 -> around (pick rng positions)
            | _ -> random ()

    /// The box of a case whose first corner is given, as `Patch.cut` has it.
    let box (size: Extent) (origin: int list) (prepared: Prepared) : Patch =
        let canvas = Patch.canvas prepared.Channels size
        prepared.CutInto origin canvas
        Patch.ofCanvas (Patch.spacing size.Rank prepared.Spacing) canvas

    /// Cuts one patch of `initial` size. Random: the corner is uniform. Forced: a class is drawn among those that occur,
    /// then one of its positions, and the patch is centred there (where the lowest corner allows; it may reach far
    /// beyond the end, as in nnU-Net). Without foreground a forced patch is a random one; with an ignore label a random
    /// patch is centred on an annotated position. `final` is the size that augmentation leaves. Sizes hold one entry
    /// per axis; two entries on a volume mean one slice. The patch shows the case's skeleton where the case has one.
    /// Throws ArgumentException when sizes do not fit each other or the case.
    let cut (initial: int list) (final: int list) (forcedForeground: bool) (rng: Rng) (prepared: Prepared) : Patch =
        let origin = origin initial final forcedForeground rng prepared
        let size = Extent.ofShape initial

        { box size origin prepared with
            Skeleton = prepared.Skeleton |> Option.map (CaseSkeleton.cut size origin)
            FirstStage = prepared.FirstStage |> Option.map (fun cut -> cut size origin)
        }
