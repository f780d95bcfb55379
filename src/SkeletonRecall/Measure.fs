namespace SkeletonRecall

open System

/// Which of two values of a measure is the better one.
[<RequireQualifiedAccess>]
type Better =
    /// More is better, as with Dice.
    | Higher
    /// Less is better, as with errors.
    | Lower
    /// A count that is neither good nor bad.
    | Neither

/// A number that tells how a prediction compares with the truth. What each means in detail (connectivity, surface,
/// empty masks) is said by a `Profile`.
[<RequireQualifiedAccess>]
type Measure =
    /// Twice the common voxels, divided by the voxels of both.
    | Dice
    /// The common voxels divided by those of the union.
    | IoU
    /// The share of the prediction that is true.
    | Precision
    /// The share of the truth that is predicted.
    | Recall
    /// The difference of the volumes without sign, divided by the truth's volume.
    | VolumeDifference
    /// Voxels of both.
    | TruePositives
    /// Voxels of the prediction alone.
    | FalsePositives
    /// Voxels of the truth alone.
    | FalseNegatives
    /// Voxels of neither.
    | TrueNegatives
    /// Centreline Dice: the harmonic mean of the next two.
    | ClDice
    /// The share of the prediction's skeleton inside the truth.
    | TopologyPrecision
    /// The share of the truth's skeleton inside the prediction.
    | TopologySensitivity
    /// Absolute difference of the numbers of components.
    | B0Error
    /// Absolute difference of the numbers of holes (plane) or tunnels (volume).
    | B1Error
    /// Absolute difference of the numbers of cavities; 0 for planes.
    | B2Error
    /// Absolute difference of the Euler numbers.
    | EulerError
    /// Features (components, holes or tunnels, cavities) of either mask without a counterpart in the other.
    | BettiMatching
    /// Components of either mask without a counterpart in the other.
    | BettiMatching0
    /// Holes (plane) or tunnels (volume) of either mask without a counterpart in the other.
    | BettiMatching1
    /// Cavities of either mask without a counterpart in the other; 0 for planes.
    | BettiMatching2
    /// The Hausdorff distance: the greatest distance of a piece of one surface to the other.
    | HausdorffDistance
    /// The 95th percentile of those distances.
    | HausdorffDistance95
    /// The mean distance over both surfaces (ASSD).
    | SymmetricSurfaceDistance
    /// The mean of the mean distances of either surface to the other (MASD).
    | MeanSurfaceDistance
    /// The share of both surfaces that lies within a tolerance of the other (NSD).
    | SurfaceDice
    /// The share of the truth's branches of which the prediction holds at least 80 %.
    | BranchesDetected
    /// The share of the length of the truth's branches that the prediction holds.
    | TreeLengthDetected
    /// Branches of the truth that the prediction holds on both sides of a gap.
    | BrokenBranches
    /// Branches of the prediction's skeleton of which the truth holds less than 20 %.
    | FalseBranches
    /// Components of the prediction, then of the truth, and so on.
    | B0Predicted
    /// The truth's components.
    | B0True
    /// The prediction's tunnels (holes in planes).
    | B1Predicted
    /// The truth's tunnels (holes in planes).
    | B1True
    /// The prediction's cavities.
    | B2Predicted
    /// The truth's cavities.
    | B2True

/// Names, units and directions of measures.
[<RequireQualifiedAccess>]
module Measure =

    let private table: (Measure * string * string * Better) list =
        [
            Measure.Dice, "Dice", "", Better.Higher
            Measure.IoU, "IoU", "", Better.Higher
            Measure.Precision, "Precision", "", Better.Higher
            Measure.Recall, "Recall", "", Better.Higher
            Measure.VolumeDifference, "VolumeDifference", "", Better.Lower
            Measure.TruePositives, "TP", "voxels", Better.Neither
            Measure.FalsePositives, "FP", "voxels", Better.Lower
            Measure.FalseNegatives, "FN", "voxels", Better.Lower
            Measure.TrueNegatives, "TN", "voxels", Better.Neither
            Measure.ClDice, "clDice", "", Better.Higher
            Measure.TopologyPrecision, "TopologyPrecision", "", Better.Higher
            Measure.TopologySensitivity, "TopologySensitivity", "", Better.Higher
            Measure.B0Error, "B0Error", "count", Better.Lower
            Measure.B1Error, "B1Error", "count", Better.Lower
            Measure.B2Error, "B2Error", "count", Better.Lower
            Measure.EulerError, "EulerError", "count", Better.Lower
            Measure.BettiMatching, "BettiMatching", "count", Better.Lower
            Measure.BettiMatching0, "BettiMatching0", "count", Better.Lower
            Measure.BettiMatching1, "BettiMatching1", "count", Better.Lower
            Measure.BettiMatching2, "BettiMatching2", "count", Better.Lower
            Measure.HausdorffDistance, "HD", "mm", Better.Lower
            Measure.HausdorffDistance95, "HD95", "mm", Better.Lower
            Measure.SymmetricSurfaceDistance, "ASSD", "mm", Better.Lower
            Measure.MeanSurfaceDistance, "MASD", "mm", Better.Lower
            Measure.SurfaceDice, "NSD", "", Better.Higher
            Measure.BranchesDetected, "BranchesDetected", "", Better.Higher
            Measure.TreeLengthDetected, "TreeLengthDetected", "", Better.Higher
            Measure.BrokenBranches, "BrokenBranches", "count", Better.Lower
            Measure.FalseBranches, "FalseBranches", "count", Better.Lower
            Measure.B0Predicted, "B0Predicted", "count", Better.Neither
            Measure.B0True, "B0True", "count", Better.Neither
            Measure.B1Predicted, "B1Predicted", "count", Better.Neither
            Measure.B1True, "B1True", "count", Better.Neither
            Measure.B2Predicted, "B2Predicted", "count", Better.Neither
            Measure.B2True, "B2True", "count", Better.Neither
        ]

    let private find (measure: Measure) : struct (string * string * Better) =
        let _, name, unit, better =
            table |> List.find (fun (known, _, _, _) -> known = measure)

        struct (name, unit, better)

    /// Every measure, in the order of tables.
    let all: Measure list = table |> List.map (fun (measure, _, _, _) -> measure)

    /// The name in files, tables and flags, as in "clDice".
    let print (measure: Measure) : string =
        let struct (name, _, _) = find measure
        name

    /// "mm", "voxels", "count", or empty for a ratio.
    let unit (measure: Measure) : string =
        let struct (_, unit, _) = find measure
        unit

    /// Whether a higher or a lower value is the better one.
    let better (measure: Measure) : Better =
        let struct (_, _, better) = find measure
        better

    let private plain (text: string) : string =
        text.Replace("-", "").Replace("_", "").ToLowerInvariant()

    /// Reads a name; case, hyphens and underscores do not matter ("cldice", "b0-error"). Any other text is an error that
    /// lists the names.
    let parse (text: string) : Result<Measure, string> =
        match all |> List.tryFind (fun measure -> plain (print measure) = plain text) with
        | Some measure -> Ok measure
        | None ->
            let names = all |> List.map print |> String.concat ", "
            Error $"\"%s{text}\" is no measure; known are %s{names}."
