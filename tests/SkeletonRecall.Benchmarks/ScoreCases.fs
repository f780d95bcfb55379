namespace SkeletonRecall.Benchmarks

open System
open SkeletonRecall
open SkeletonRecall.Training

/// The measures of pairs of masks.
[<RequireQualifiedAccess>]
module ScoreCases =

    // All that scipy and scikit-image can be composed to.
    let private scored: Measure list =
        [
            Measure.Dice
            Measure.IoU
            Measure.Precision
            Measure.Recall
            Measure.VolumeDifference
            Measure.ClDice
            Measure.TopologyPrecision
            Measure.TopologySensitivity
            Measure.B0Error
            Measure.B1Error
            Measure.B2Error
            Measure.EulerError
            Measure.HausdorffDistance
            Measure.HausdorffDistance95
            Measure.SymmetricSurfaceDistance
            Measure.MeanSurfaceDistance
            Measure.SurfaceDice
        ]

    // Neither has the graph of a skeleton: these are in our time alone.
    let private further: Measure list =
        [
            Measure.BranchesDetected
            Measure.TreeLengthDetected
            Measure.BrokenBranches
            Measure.FalseBranches
        ]

    let private booleans (shape: int list) (masks: Mask list) : NpyArray =
        {
            Shape = shape
            Values =
                masks
                |> List.map (fun mask -> (Mask.toVolume mask).Data |> Array.map (fun cell -> cell <> 0uy))
                |> Array.concat
                |> Bools
        }

    // Sums of distances differ in their last bits with the order of the sum.
    let private rounded (values: MeasureValues) : NpyArray =
        {
            Shape = [ values.Length ]
            Values =
                values
                |> List.map (fun (_, value) -> Math.Round(value, 9))
                |> Array.ofList
                |> Float64s
        }

    let private pair () : Comparison =
        let extent = Extent.space 128 128 128
        let labels = Masks.labels Masks.thinVolume 1 extent
        let truth = Tube.binarize labels
        let prediction = Masks.prediction labels (Masks.labels Masks.thinVolume 2 extent)

        {
            Name = "21 measures of a pair 128^3 thin (theirs: 17)"
            Ours =
                fun () ->
                    let values = Measures.ofPair Profile.paper (scored @ further) None prediction truth

                    fun () -> rounded (List.truncate scored.Length values)
            Rival =
                Reference(
                    "scores",
                    [ booleans extent.Shape [ prediction ]; booleans extent.Shape [ truth ] ],
                    fun () ->
                        // One after the other, with nothing shared.
                        let values =
                            scored
                            |> List.collect (fun measure ->
                                Measures.ofPair Profile.paper [ measure ] None prediction truth)

                        fun () -> rounded values
                )
        }

    let private matching (count: int) : Comparison =
        let extent = Extent.plane 960 999

        let pairs =
            [
                for seed in 1..count do
                    let labels = Masks.labels Masks.thinPlane seed extent
                    let other = Masks.labels Masks.thinPlane (seed + 100) extent
                    struct (Masks.prediction labels other, Tube.binarize labels)
            ]

        let eight = ConnectivityPair.standard 2

        // The Betti numbers of both masks, which the reference's persistence tells too.
        let numbers (all: Betti list) : NpyArray =
            {
                Shape = [ 2 * all.Length ]
                Values =
                    all
                    |> List.collect (fun betti -> [ int64 betti.B0; int64 betti.B1 ])
                    |> Array.ofList
                    |> Int64s
            }

        let plus (left: Betti) (right: Betti) =
            {
                B0 = left.B0 + right.B0
                B1 = left.B1 + right.B1
                B2 = left.B2 + right.B2
            }

        {
            Name = $"Betti matching of %d{count} pairs 960x999"
            Ours =
                fun () ->
                    let found =
                        pairs
                        |> List.map (fun struct (prediction, truth) -> BettiMatching.measure eight prediction truth)

                    fun () ->
                        found
                        |> List.collect (fun matching ->
                            [
                                plus matching.Matched matching.Invented
                                plus matching.Matched matching.Missed
                            ])
                        |> numbers
            Rival =
                Reference(
                    "persistence",
                    [
                        pairs
                        |> List.collect (fun struct (prediction, truth) -> [ prediction; truth ])
                        |> booleans [ 2 * count; 960; 999 ]
                    ],
                    fun () ->
                        let found =
                            pairs
                            |> List.collect (fun struct (prediction, truth) ->
                                [ Topology.betti eight prediction; Topology.betti eight truth ])

                        fun () -> numbers found
                )
        }

    /// All cases, each made when it is called for; `quick` matches 2 pairs in place of 20. The matching is compared with
    /// gudhi, and left out where a Python is the reference that lacks it.
    let all (quick: bool) (gudhi: bool) : (unit -> Comparison) list =
        [
            pair
            if gudhi then
                fun () -> matching (if quick then 2 else 20)
        ]
