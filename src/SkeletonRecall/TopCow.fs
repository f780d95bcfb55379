namespace SkeletonRecall

open System.Collections.Generic

/// What became of one class of one case.
[<RequireQualifiedAccess>]
type Detection =
    /// The truth holds the class, and the overlap suffices.
    | TruePositive
    /// Neither holds it.
    | TrueNegative
    /// The prediction alone holds it.
    | FalsePositive
    /// The truth holds it, and the overlap does not suffice.
    | FalseNegative

/// Shares of detections over cases; each 0 where it would divide by 0.
type DetectionRates =
    {
        /// Found ones among those predicted.
        Precision: float
        /// Found ones among those that are there.
        Recall: float
        /// Their harmonic mean.
        F1: float
    }

/// Half of the circle of Willis.
[<RequireQualifiedAccess>]
type WillisRegion =
    /// Anterior communicating artery (10), anterior cerebral arteries (11, 12), third A2 (15).
    | Anterior
    /// Posterior cerebral (2, 3) and posterior communicating arteries (8, 9).
    | Posterior

/// Detection and topology scores of the TopCoW challenge 2024, as CoWBenchmark/TopCoW_Eval_Metrics computes them. Class ids
/// are the challenge's: 1 BA, 2 R-PCA, 3 L-PCA, 4 R-ICA, 5 R-MCA, 6 L-ICA, 7 L-MCA, 8 R-Pcom, 9 L-Pcom, 10 Acom, 11 R-ACA,
/// 12 L-ACA, 15 3rd-A2.
[<RequireQualifiedAccess>]
module TopCow =

    /// The IoU from which on a class counts as found.
    [<Literal>]
    let Threshold = 0.25

    /// The classes that may be absent, whose detection is scored.
    let optionalClasses: int list = [ 8; 9; 10; 15 ]

    let private mask (label: int) (labels: LabelMap) : Mask =
        labels |> Mask.ofVolume (fun value -> int value = label)

    let private holds (label: int) (labels: LabelMap) : bool =
        System.Array.IndexOf(labels.Data, int16 label) >= 0

    /// The detection of a class, found from the given IoU on. Throws ArgumentException when the extents differ.
    let detection (threshold: float) (label: int) (prediction: LabelMap) (truth: LabelMap) : Detection =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent
        let ours, theirs = mask label prediction, mask label truth

        match Mask.isEmpty ours, Mask.isEmpty theirs with
        | true, true -> Detection.TrueNegative
        | false, true -> Detection.FalsePositive
        | true, false -> Detection.FalseNegative
        | false, false ->
            if Overlap.iou (Overlap.measure ours theirs) >= threshold then
                Detection.TruePositive
            else
                Detection.FalseNegative

    /// Precision, recall and F1 of the detections of one class over cases.
    let rates (detections: Detection list) : DetectionRates =
        let count (kind: Detection) =
            detections |> List.filter (fun detection -> detection = kind) |> List.length

        let found, invented, missed =
            count Detection.TruePositive, count Detection.FalsePositive, count Detection.FalseNegative

        let share (part: int) (whole: int) =
            if whole = 0 then 0.0 else float part / float whole

        {
            Precision = share found (found + invented)
            Recall = share found (found + missed)
            F1 = share (2 * found) (2 * found + invented + missed)
        }

    /// The other classes that touch a class, by 26 neighbours (in a plane 8), ascending.
    let neighbours (label: int) (labels: LabelMap) : int list =
        let own = mask label labels
        let around = Mask.difference (Morphology.dilate Element.Box 1 own) own

        let near = (Mask.toVolume around).Data
        let found = HashSet<int16>()

        for at in 0 .. near.Length - 1 do
            if near[at] <> 0uy && labels.Data[at] <> 0s then
                found.Add labels.Data[at] |> ignore

        found |> Seq.map int |> Seq.sort |> List.ofSeq

    /// Which of a region's four edges are there: L-A1, Acom, 3rd-A2, R-A1, or L-Pcom, L-P1, R-P1, R-Pcom. A1 is there where
    /// the anterior cerebral artery touches the internal carotid, P1 where the posterior one touches the basilar artery.
    let edges (region: WillisRegion) (labels: LabelMap) : bool list =
        let touch (label: int) (other: int) =
            List.contains other (neighbours label labels)

        match region with
        | WillisRegion.Anterior -> [ touch 12 6; holds 10 labels; holds 15 labels; touch 11 4 ]
        | WillisRegion.Posterior -> [ holds 9 labels; touch 3 1; touch 2 1; holds 8 labels ]

    /// The classes whose topology a region compares.
    let classes (region: WillisRegion) : int list =
        match region with
        | WillisRegion.Anterior -> [ 10; 11; 12; 15 ]
        | WillisRegion.Posterior -> [ 2; 3; 8; 9 ]

    // The middle of the columns in which a class lies.
    let private middle (label: int) (labels: LabelMap) : float =
        let width = labels.Extent.Width

        let columns =
            labels.Data
            |> Array.indexed
            |> Array.choose (fun (at, value) -> if int value = label then Some(at % width) else None)
            |> Array.sort

        float (columns[(columns.Length - 1) / 2] + columns[columns.Length / 2]) / 2.0

    /// Whether a region's left artery lies right of the right one, by the medians of their columns; columns run from the
    /// patient's right to left (LPS). The internal carotids tell it, else the anterior cerebral arteries; in the posterior
    /// region the posterior cerebral ones. False where neither pair is there.
    let flipped (region: WillisRegion) (labels: LabelMap) : bool =
        let pairs =
            match region with
            | WillisRegion.Anterior -> [ 6, 4; 12, 11 ]
            | WillisRegion.Posterior -> [ 3, 2 ]

        match
            pairs
            |> List.tryFind (fun (left, right) -> holds left labels && holds right labels)
        with
        | Some(left, right) -> middle left labels < middle right labels
        | None -> false

    /// Whether a region's topology is the truth's: every class detected (or rightly absent), with the same neighbours and
    /// the same number of components by 26 neighbours, and left and right not exchanged.
    /// Throws ArgumentException when the extents differ or are planes.
    let topologyMatches (region: WillisRegion) (prediction: LabelMap) (truth: LabelMap) : bool =
        let components (label: int) (labels: LabelMap) =
            Components.count Connectivity.TwentySix (mask label labels)

        classes region
        |> List.forall (fun label ->
            (match detection Threshold label prediction truth with
             | Detection.TruePositive
             | Detection.TrueNegative -> true
             | _ -> false)
            && neighbours label prediction = neighbours label truth
            && components label prediction = components label truth)
        && not (flipped region prediction)

    /// The mean over variants (edges of the truth) of the share of their cases that match. NaN without cases.
    let balancedAccuracy (cases: (bool list * bool) list) : float =
        if cases.IsEmpty then
            nan
        else
            cases
            |> List.groupBy fst
            |> List.averageBy (fun (_, group) ->
                group |> List.averageBy (fun (_, matches) -> if matches then 1.0 else 0.0))
