namespace SkeletonRecall

open System

/// Values of measures, in the order in which the measures were asked for.
type MeasureValues = (Measure * float) list

/// The measures of a pair of label maps.
type LabelMeasures =
    {
        /// Each class with its values.
        Classes: (int * MeasureValues) list
        /// Means over the classes that the profile counts; values that are NaN are left out, and the mean of nothing is
        /// NaN.
        Mean: MeasureValues
        /// The values of all classes merged into one.
        Merged: MeasureValues
    }

/// All measures behind one function.
[<RequireQualifiedAccess>]
module Measures =

    // What several measures share, made when the first one asks for it.
    [<Sealed>]
    type private Shared(profile: Profile, prediction: Mask, truth: Mask, ignored: int64) =
        let pair = Profile.pair profile prediction.Extent

        let betti =
            lazy (struct (Topology.betti pair prediction, Topology.betti pair truth))

        let euler =
            lazy (struct (Topology.eulerOf pair prediction, Topology.eulerOf pair truth))

        let windows =
            lazy
                (let side = Option.get profile.Window
                 Windows.map side (Topology.errors pair) prediction truth)

        let overlap =
            lazy
                (let whole = Overlap.measure prediction truth

                 { whole with
                     TrueNegatives = whole.TrueNegatives - ignored
                 })

        let matchingOf (prediction: Mask) (truth: Mask) =
            BettiMatching.errors (BettiMatching.measure pair prediction truth)

        // Of every window, or of the whole image alone.
        let matching =
            lazy
                (match profile.Window with
                 | Some side -> Windows.map side matchingOf prediction truth
                 | None -> [ matchingOf prediction truth ])

        let surfaces = lazy (Surface.distances profile.Surface.Border prediction truth)

        let skeletons = lazy (struct (Skeleton.thin prediction, Skeleton.thin truth))

        let centreline =
            lazy
                (let struct (ours, theirs) = skeletons.Value

                 Centreline.ofSkeletons prediction ours truth theirs
                 |> Centreline.settle profile.Edges.EmptySkeleton profile.Edges.CentrelineApart)

        let branches =
            lazy
                (let struct (ours, theirs) = skeletons.Value
                 BranchDetection.ofSkeletons BranchDetection.Share prediction ours truth theirs)

        member _.Empty: struct (bool * bool) =
            struct (Mask.isEmpty prediction, Mask.isEmpty truth)

        member _.Overlap: Overlap = overlap.Value
        member _.Betti: struct (Betti * Betti) = betti.Value
        member _.Euler: struct (int * int) = euler.Value
        member _.Centreline: Centreline = centreline.Value

        member _.Matching(number: Betti -> int) : float =
            matching.Value |> List.averageBy (fun errors -> float (number errors))

        member _.Branches: BranchDetection = branches.Value
        member _.Surfaces: SurfaceDistances = surfaces.Value

        // The length in mm of the image's diagonal, from the first voxel's outer corner to the last one's.
        member _.Diagonal: float =
            List.map2 (fun size spacing -> (float size * spacing) ** 2.0) truth.Extent.Shape truth.Spacing.Values
            |> List.sum
            |> sqrt

        member _.BettiError(number: Betti -> int) : float =
            match profile.Window with
            | Some _ -> windows.Value |> List.averageBy (fun errors -> float (number errors))
            | None ->
                let struct (ours, theirs) = betti.Value
                float (abs (number ours - number theirs))

        member _.EulerError: float =
            match profile.Window with
            | Some side ->
                Windows.map
                    side
                    (fun ours theirs -> abs (Topology.eulerOf pair ours - Topology.eulerOf pair theirs))
                    prediction
                    truth
                |> List.averageBy float
            | None ->
                let struct (ours, theirs) = euler.Value
                float (abs (ours - theirs))

    let private one (profile: Profile) (shared: Shared) (measure: Measure) : float =
        let edges = profile.Edges

        // Nothing of either, nothing of one, or the formula.
        let ratio (nothing: float) (value: Overlap -> float) =
            match shared.Empty with
            | struct (true, true) -> nothing
            | struct (false, false) -> value shared.Overlap
            | _ ->
                let value = value shared.Overlap
                if Double.IsFinite value then value else edges.OverlapOfOne

        let centreline (value: Centreline -> float) =
            match shared.Empty, edges.CentrelineOfOne with
            | struct (true, true), _ -> edges.CentrelineOfNothing
            | struct (true, false), Some fixed'
            | struct (false, true), Some fixed' -> fixed'
            | _ -> value shared.Centreline

        // Which surfaces have no piece; a mask that fills the image may have none.
        let surfaceless =
            lazy
                (match shared.Empty with
                 | struct (false, false) ->
                     struct (shared.Surfaces.ToTruth.Length = 0, shared.Surfaces.ToPrediction.Length = 0)
                 | empty -> empty)

        let surface (nothing: float) (one: unit -> float) (value: SurfaceDistances -> float) =
            match surfaceless.Value with
            | struct (true, true) -> nothing
            | struct (false, false) -> value shared.Surfaces
            | _ -> one ()

        let distance =
            surface edges.DistanceOfNothing (fun () ->
                edges.DistanceOfOne |> Option.defaultWith (fun () -> shared.Diagonal))

        let hausdorff (percent: float) =
            distance (Surface.hausdorff profile.Surface.Percentile profile.Surface.Direction percent)

        // A truth without branches has none to detect.
        let branches (value: BranchDetection -> float) =
            match shared.Empty with
            | struct (true, true) -> edges.OverlapOfNothing
            | struct (_, true) -> edges.OverlapOfOne
            | _ -> value shared.Branches

        let number (part: struct (Betti * Betti) -> int) = float (part shared.Betti)

        match measure with
        | Measure.Dice -> ratio edges.DiceOfNothing Overlap.dice
        | Measure.IoU -> ratio edges.OverlapOfNothing Overlap.iou
        | Measure.Precision -> ratio edges.OverlapOfNothing Overlap.precision
        | Measure.Recall -> ratio edges.OverlapOfNothing Overlap.recall
        | Measure.VolumeDifference -> ratio edges.OverlapOfNothing Overlap.volumeDifference
        | Measure.TruePositives -> float shared.Overlap.TruePositives
        | Measure.FalsePositives -> float shared.Overlap.FalsePositives
        | Measure.FalseNegatives -> float shared.Overlap.FalseNegatives
        | Measure.TrueNegatives -> float shared.Overlap.TrueNegatives
        | Measure.ClDice -> centreline (fun measured -> measured.ClDice)
        | Measure.TopologyPrecision -> centreline (fun measured -> measured.Precision)
        | Measure.TopologySensitivity -> centreline (fun measured -> measured.Sensitivity)
        | Measure.B0Error -> shared.BettiError(fun betti -> betti.B0)
        | Measure.B1Error -> shared.BettiError(fun betti -> betti.B1)
        | Measure.B2Error -> shared.BettiError(fun betti -> betti.B2)
        | Measure.EulerError -> shared.EulerError
        | Measure.BettiMatching -> shared.Matching(fun errors -> errors.B0 + errors.B1 + errors.B2)
        | Measure.BettiMatching0 -> shared.Matching(fun errors -> errors.B0)
        | Measure.BettiMatching1 -> shared.Matching(fun errors -> errors.B1)
        | Measure.BettiMatching2 -> shared.Matching(fun errors -> errors.B2)
        | Measure.HausdorffDistance -> hausdorff 100.0
        | Measure.HausdorffDistance95 -> hausdorff 95.0
        | Measure.SymmetricSurfaceDistance -> distance Surface.symmetricAverage
        | Measure.MeanSurfaceDistance ->
            distance (fun surfaces ->
                let struct (ours, theirs) = Surface.averages surfaces
                (ours + theirs) / 2.0)
        | Measure.SurfaceDice ->
            surface
                edges.SurfaceDiceOfNothing
                (fun () -> edges.SurfaceDiceOfOne)
                (Surface.dice profile.Surface.Tolerance)
        | Measure.BranchesDetected -> branches (fun found -> float found.Detected / float found.Branches)
        | Measure.TreeLengthDetected -> branches (fun found -> found.LengthDetected / found.Length)
        | Measure.BrokenBranches -> float shared.Branches.Broken
        | Measure.FalseBranches -> float shared.Branches.Invented
        | Measure.B0Predicted -> number (fun struct (ours, _) -> ours.B0)
        | Measure.B0True -> number (fun struct (_, theirs) -> theirs.B0)
        | Measure.B1Predicted -> number (fun struct (ours, _) -> ours.B1)
        | Measure.B1True -> number (fun struct (_, theirs) -> theirs.B1)
        | Measure.B2Predicted -> number (fun struct (ours, _) -> ours.B2)
        | Measure.B2True -> number (fun struct (_, theirs) -> theirs.B2)

    let private restrict (valid: Mask option) (mask: Mask) : Mask =
        valid |> Option.map (Mask.intersect mask) |> Option.defaultValue mask

    /// The measures of a prediction, by a profile's convention; distances are in mm by the truth's spacing. `valid` holds
    /// the voxels that count; all others are background in both masks and no true negatives.
    /// Throws ArgumentException when extents differ or the profile's connectivity does not serve.
    let ofPair
        (profile: Profile)
        (measures: Measure list)
        (valid: Mask option)
        (prediction: Mask)
        (truth: Mask)
        : MeasureValues =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent

        let ignored =
            match valid with
            | Some valid -> int64 valid.Extent.Count - int64 (Mask.count valid)
            | None -> 0L

        let shared =
            Shared(profile, restrict valid prediction, restrict valid truth, ignored)

        measures |> List.map (fun measure -> measure, one profile shared measure)

    /// The mean of each measure over several lists of values of the same measures, NaN left out; the mean of nothing
    /// is NaN. Throws ArgumentException when the lists name other measures.
    let mean (measures: Measure list) (values: MeasureValues list) : MeasureValues =
        for list in values do
            if List.map fst list <> measures then
                invalidArg (nameof values) $"The values are those of %A{List.map fst list}; %A{measures} are wanted."

        measures
        |> List.mapi (fun at measure ->
            let known =
                values
                |> List.map (fun list -> snd list[at])
                |> List.filter (fun value -> not (Double.IsNaN value))

            measure, (if known.IsEmpty then nan else List.average known))

    /// The measures of each class, their means over the classes that the profile counts, and those of all classes merged
    /// into one. Throws ArgumentException as `ofPair` does.
    let ofLabels
        (profile: Profile)
        (measures: Measure list)
        (classes: int list)
        (valid: Mask option)
        (prediction: LabelMap)
        (truth: LabelMap)
        : LabelMeasures =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent
        let known = classes |> List.map int16 |> Set.ofList

        let masks (predicate: int16 -> bool) =
            let mask (labels: LabelMap) =
                labels |> Mask.ofVolume predicate |> restrict valid

            struct (mask prediction, mask truth)

        let scored =
            classes
            |> List.map (fun label ->
                let struct (ours, theirs) = masks (fun value -> int value = label)

                let counts =
                    match profile.Averaging with
                    | Averaging.All -> true
                    | Averaging.InTruth -> not (Mask.isEmpty theirs)
                    | Averaging.Present -> not (Mask.isEmpty ours && Mask.isEmpty theirs)

                label, counts, ofPair profile measures valid ours theirs)

        let struct (ours, theirs) = masks known.Contains

        {
            Classes = scored |> List.map (fun (label, _, values) -> label, values)
            Mean =
                scored
                |> List.filter (fun (_, counts, _) -> counts)
                |> List.map (fun (_, _, values) -> values)
                |> mean measures
            Merged = ofPair profile measures valid ours theirs
        }
