module SkeletonRecall.Tests.AgreementTests

open System
open System.Text.Json
open Expecto
open SkeletonRecall

let private value = Agreement.value
let private argument = Agreement.argument
let private exact = Agreement.exact

let private metricsReloaded (call: Recorded.Call) : (unit -> unit) option =
    let tolerance =
        match call.TryArgument "dict_args" with
        | Some arguments ->
            match arguments.TryGetProperty "nsd" with
            | true, nsd -> nsd.GetDouble()
            | _ -> 1.0
        | None -> 1.0

    let profile =
        { Profile.metricsReloaded with
            Surface =
                { Profile.metricsReloaded.Surface with
                    Tolerance = tolerance
                }
        }

    let pair () =
        let spaced (array: RecordedArray) =
            match call.TryArgument "pixdim" with
            | Some pixdim when pixdim.GetArrayLength() = array.Shape.Length ->
                { array with
                    Spacing = Some [ for value in pixdim.EnumerateArray() -> value.GetDouble() ]
                }
            | _ -> array

        Recorded.mask (spaced (argument call "pred")), Recorded.mask (spaced (argument call "ref"))

    let check (tolerance: float) (measures: Measure list) (wanted: unit -> JsonElement list) =
        Some(fun () ->
            let prediction, truth = pair ()

            List.zip measures (wanted ())
            |> List.iter (fun (measure, wanted) ->
                Recorded.requireClose
                    tolerance
                    (value profile measure prediction truth)
                    (Recorded.number wanted)
                    (Measure.print measure)))

    let one (tolerance: float) (measure: Measure) =
        check tolerance [ measure ] (fun () -> [ call.Result ])

    match call.Function with
    | "BinaryPairwiseMeasures.intersection_over_union" -> one exact Measure.IoU
    | "BinaryPairwiseMeasures.dsc" -> one exact Measure.Dice
    | "BinaryPairwiseMeasures.sensitivity"
    | "BinaryPairwiseMeasures.recall" -> one exact Measure.Recall
    // The reference adds 1e-7 to a denominator.
    | "BinaryPairwiseMeasures.positive_predictive_value" -> one 1e-7 Measure.Precision
    | "BinaryPairwiseMeasures.absolute_volume_difference_ratio" -> one exact Measure.VolumeDifference
    | "BinaryPairwiseMeasures.centreline_dsc" -> one exact Measure.ClDice
    | "BinaryPairwiseMeasures.normalised_surface_distance" -> one exact Measure.SurfaceDice
    | "BinaryPairwiseMeasures.measured_average_distance" -> one exact Measure.SymmetricSurfaceDistance
    | "BinaryPairwiseMeasures.measured_hausdorff_distance" -> one exact Measure.HausdorffDistance
    | "BinaryPairwiseMeasures.measured_masd" -> one exact Measure.MeanSurfaceDistance
    | "BinaryPairwiseMeasures.measured_distance" ->
        check
            exact
            [
                Measure.HausdorffDistance
                Measure.SymmetricSurfaceDistance
                Measure.HausdorffDistance95
                Measure.MeanSurfaceDistance
            ]
            (fun () -> [ yield! call.Result.EnumerateArray() ])
    | _ -> None

let private surfaceDistance (call: Recorded.Call) : (unit -> unit) option =
    let distances (json: JsonElement) : SurfaceDistances =
        let part (name: string) =
            (Recorded.array call.Suite (json.GetProperty name)).Values

        {
            ToTruth = part "distances_pred_to_gt"
            PredictionSizes = part "surfel_areas_pred"
            ToPrediction = part "distances_gt_to_pred"
            TruthSizes = part "surfel_areas_gt"
        }

    let given () =
        distances (call.Argument "surface_distances")

    let both (struct (ours, theirs): struct (float * float)) (name: string) =
        Recorded.requireClose exact theirs (Recorded.number call.Result[0]) $"%s{name} from the truth"
        Recorded.requireClose exact ours (Recorded.number call.Result[1]) $"%s{name} from the prediction"

    match call.Function with
    | "compute_surface_distances" ->
        Some(fun () ->
            let spacing =
                [
                    for value in call.Argument("spacing_mm").EnumerateArray() -> value.GetDouble()
                ]

            let mask (name: string) =
                Recorded.mask
                    { argument call name with
                        Spacing = Some spacing
                    }

            let got = Surface.distances Border.Surfels (mask "mask_pred") (mask "mask_gt")
            let wanted = distances call.Result

            // Pieces at one distance may come in any order.
            let pieces (values: float[]) (sizes: float[]) =
                Array.zip
                    (values |> Array.map (fun value -> Math.Round(value, 9)))
                    (sizes |> Array.map (fun size -> Math.Round(size, 9)))
                |> Array.sort

            Expect.equal
                (pieces got.ToTruth got.PredictionSizes)
                (pieces wanted.ToTruth wanted.PredictionSizes)
                "prediction"

            Expect.equal
                (pieces got.ToPrediction got.TruthSizes)
                (pieces wanted.ToPrediction wanted.TruthSizes)
                "truth")
    | "compute_robust_hausdorff" ->
        Some(fun () ->
            let percent = call.Argument("percent").GetDouble()

            Recorded.requireClose
                exact
                (Surface.hausdorff Percentile.Step Direction.Greater percent (given ()))
                (Recorded.number call.Result)
                "distance")
    | "compute_average_surface_distance" -> Some(fun () -> both (Surface.averages (given ())) "average")
    | "compute_surface_overlap_at_tolerance" ->
        Some(fun () -> both (Surface.overlaps (call.Argument("tolerance_mm").GetDouble()) (given ())) "overlap")
    | "compute_surface_dice_at_tolerance" ->
        Some(fun () ->
            Recorded.requireClose
                exact
                (Surface.dice (call.Argument("tolerance_mm").GetDouble()) (given ()))
                (Recorded.number call.Result)
                "surface Dice")
    | "compute_dice_coefficient" ->
        Some(fun () ->
            Recorded.requireClose
                exact
                (value
                    Profile.paper
                    Measure.Dice
                    (Recorded.mask (argument call "mask_pred"))
                    (Recorded.mask (argument call "mask_gt")))
                (Recorded.number call.Result)
                "Dice")
    | _ -> None

let private connectivity (rank: int) (steps: int) : Connectivity =
    match rank, steps with
    | 2, 1 -> Connectivity.Four
    | 2, _ -> Connectivity.Eight
    | _, 1 -> Connectivity.Six
    | _, 2 -> Connectivity.Eighteen
    | _ -> Connectivity.TwentySix

let private steps (call: Recorded.Call) (rank: int) : int =
    call.TryArgument "connectivity"
    |> Option.map (fun json -> json.GetInt32())
    |> Option.defaultValue rank

let private scikitImage (call: Recorded.Call) : (unit -> unit) option =
    match call.Function with
    | "euler_number" ->
        Some(fun () ->
            let mask = Recorded.mask (argument call "image")
            let rank = mask.Extent.Rank

            Expect.equal
                (Topology.euler (connectivity rank (steps call rank)) mask)
                (call.Result.GetInt32())
                "Euler number")
    | "label" ->
        Some(fun () ->
            let image = argument call "label_image"
            let rank = image.Shape.Length

            let background =
                call.TryArgument "background"
                |> Option.map (fun json -> json.GetDouble())
                |> Option.defaultValue 0.0

            let wanted = (Recorded.array call.Suite call.Result).Values
            let volume = Recorded.volume image

            // It labels the regions of each value; ours are those of one mask.
            for region in
                image.Values
                |> Array.distinct
                |> Array.filter (fun value -> value <> background) do
                let struct (labels, count) =
                    Components.label
                        (connectivity rank (steps call rank))
                        (volume |> Mask.ofVolume (fun value -> value = region))

                let pairs =
                    Array.zip labels.Data wanted
                    |> Array.filter (fun (label, _) -> label > 0)
                    |> Array.distinct

                Expect.equal pairs.Length count $"regions of %g{region}"
                Expect.equal (pairs |> Array.distinctBy snd).Length count $"regions of %g{region}, theirs")
    | _ -> None

// Connectivities by the names of `computed_reference`.
let private requireTopology (mask: Mask) (wanted: JsonElement) (name: string) : unit =
    let rank = mask.Extent.Rank
    Expect.equal (Mask.count mask) (wanted.GetProperty("foreground").GetInt32()) $"%s{name}: voxels"

    for reach in 1..rank do
        Expect.equal
            (Components.count (connectivity rank reach) mask)
            (wanted.GetProperty($"components_connectivity%d{reach}").GetInt32())
            $"%s{name}: components by %d{reach} steps"

    Expect.equal
        (Topology.euler (connectivity rank rank) mask)
        (wanted.GetProperty("euler_full_connectivity").GetInt32())
        $"%s{name}: Euler number"

    Expect.equal
        (Topology.euler (connectivity rank 1) mask)
        (wanted.GetProperty("euler_face_connectivity").GetInt32())
        $"%s{name}: Euler number by faces"

    let betti = Topology.betti (ConnectivityPair.standard rank) mask

    Expect.equal
        ([ betti.B0; betti.B1; betti.B2 ] |> List.take rank)
        [
            for number in wanted.GetProperty("betti_full_connectivity_gudhi").EnumerateArray() -> number.GetInt32()
        ]
        $"%s{name}: Betti numbers"

let private computed: Test =
    testList
        "computed_reference"
        (if Golden.shared.IsNone then
             [ testCase "shared" (fun () -> Golden.sharedPath "data/expected" |> ignore) ]
         else
             Recorded.computed ()
             |> List.choose (fun case ->
                 match case.TryGetProperty "mask" with
                 | true, file ->
                     Some(
                         testCase (string (case.GetProperty "id"))
                         <| fun () ->
                             let read (file: JsonElement) =
                                 Recorded.mask (Recorded.array "computed_reference" file)

                             requireTopology (read file) (case.GetProperty "topology") "mask"

                             for skeleton in [ "skeleton_lee"; "skeleton_zhang" ] do
                                 match case.TryGetProperty skeleton with
                                 | true, file ->
                                     requireTopology (read file) (case.GetProperty $"%s{skeleton}_topology") skeleton
                                 | _ -> ()
                     )
                 | _ -> None))

[<Tests>]
let tests =
    testList
        "Agreement"
        [
            Agreement.suite "metricsreloaded" metricsReloaded
            Agreement.suite "surface_distance" surfaceDistance
            Agreement.suite "skimage_measure" scikitImage
            computed
        ]
