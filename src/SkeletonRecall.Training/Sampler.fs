namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// A case made ready to draw patches from: for every label, positions at which it occurs.
type Prepared =
    {
        Case: Case
        Labels: LabelMap
        /// Row-major positions of each foreground label that occurs, ascending labels; a sample of them where there are many.
        Locations: Map<int, int[]>
        /// Where the data set has an ignore label: a sample of the positions that are annotated.
        Annotated: int[] option
    }

/// Drawing patches from cases by nnU-Net's rules.
[<RequireQualifiedAccess>]
module Sampler =

    /// At least so many positions of a label are kept (or all there are), and at least the share below.
    let private keptAtLeast = 10000

    let private keptShare = 0.01
    let private seed = 1234u

    /// Of many positions, the ones that nnU-Net keeps: the first of numpy's permutation.
    let private thinOut (random: NumpyRandom) (positions: int[]) : int[] =
        let count = positions.Length

        let kept = max (min keptAtLeast count) (int (Math.Ceiling(keptShare * float count)))

        let order = random.Permutation count
        Array.init kept (fun i -> positions[order[i]])

    /// Finds where each label occurs. `ignore` is the data set's ignore label. Throws ArgumentException for a case without labels.
    let prepare (ignore: int option) (case: Case) : Prepared =
        let labels =
            match case.Labels with
            | Some labels -> labels
            | None -> invalidArg (nameof case) $"Case %s{CaseId.value case.Id} has no labels to draw patches by."

        let counts = Array.zeroCreate<int>(int Int16.MaxValue + 1)

        for label in labels.Data do
            if label > 0s then
                counts[int label] <- counts[int label] + 1

        let random = NumpyRandom seed

        let positionsOf (count: int) (belongs: int16 -> bool) : int[] =
            let positions = Array.zeroCreate<int> count
            let mutable filled = 0
            let data = labels.Data

            for i in 0 .. data.Length - 1 do
                if filled < count && belongs data[i] then
                    positions[filled] <- i
                    filled <- filled + 1

            positions

        let locations =
            [
                for label in 1 .. counts.Length - 1 do
                    if counts[label] > 0 && Some label <> ignore then
                        label, thinOut random (positionsOf counts[label] (fun value -> int value = label))
            ]

        let annotated =
            ignore
            |> Option.map (fun ignored ->
                let count = labels.Data.Length - (if ignored > 0 then counts[ignored] else 0)

                thinOut random (positionsOf count (fun value -> int value <> ignored)))

        {
            Case = case
            Labels = labels
            Locations = Map.ofList locations
            Annotated = annotated
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

    /// Cuts one patch of `initial` size. Random: the corner is uniform. Forced: a class is drawn among those that occur,
    /// then one of its positions, and the patch is centred there (where the lowest corner allows; it may reach far
    /// beyond the end, as in nnU-Net). Without foreground a forced patch is a random one; with an ignore label a random
    /// patch is centred on an annotated position. `final` is the size that augmentation leaves. Sizes hold one entry
    /// per axis; two entries on a volume mean one slice. The patch shows the case's skeleton where the case has one.
    /// Throws ArgumentException when sizes do not fit each other or the case.
    let cut (initial: int list) (final: int list) (forcedForeground: bool) (rng: Rng) (prepared: Prepared) : Patch =
        let image = prepared.Case.Image
        let extent = image.Extent
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

        let origin =
            if forcedForeground && not prepared.Locations.IsEmpty then
                let classes = prepared.Locations.Values |> Seq.toArray
                around (pick rng (pick rng classes))
            else
                match prepared.Annotated with
                | Some positions when positions.Length > 0 -> around (pick rng positions)
                | _ -> random ()

        { Patch.cut size origin image prepared.Labels with
            Skeleton = prepared.Case.Skeleton |> Option.map (CaseSkeleton.cut size origin)
        }
