/// Recorded calls of TopCoW's and TopBrain's measures and detections.
module SkeletonRecall.Tests.TopCowMeasures

open System
open System.Text.Json
open Expecto
open SkeletonRecall

let private value = Agreement.value
let private argument = Agreement.argument
let private exact = Agreement.exact
let private withLabel = Agreement.withLabel
let private single = Agreement.single

/// As the suites name a detection.
let detectionName (detection: Detection) : string =
    match detection with
    | Detection.TruePositive -> "TP"
    | Detection.TrueNegative -> "TN"
    | Detection.FalsePositive -> "FP"
    | Detection.FalseNegative -> "FN"

let private detectionNamed (name: string) : Detection =
    [
        Detection.TruePositive
        Detection.TrueNegative
        Detection.FalsePositive
        Detection.FalseNegative
    ]
    |> List.find (fun detection -> detectionName detection = name)

let private requireRates (detections: Detection list) (wanted: JsonElement) (name: string) : unit =
    let rates = TopCow.rates detections
    Recorded.requireClose exact rates.Precision (Recorded.number (wanted.GetProperty "precision")) $"%s{name} precision"
    Recorded.requireClose exact rates.Recall (Recorded.number (wanted.GetProperty "recall")) $"%s{name} recall"
    Recorded.requireClose exact rates.F1 (Recorded.number (wanted.GetProperty "f1_score")) $"%s{name} F1"

let private profileOf (call: Recorded.Call) : Profile =
    if call.Suite = "topbrain_eval" then
        Profile.topbrain
    else
        Profile.topcow

// TopBrain's clDice exchanges the first and last axis before it thins, and Lee's method minds the order of the axes.
let private asThinned (call: Recorded.Call) (labels: LabelMap) : LabelMap =
    if
        call.Suite = "topbrain_eval"
        && call.Function.StartsWith "clDice"
        && labels.Extent.Rank = 3
    then
        let extent = labels.Extent
        let turned = Extent.space extent.Width extent.Height extent.Depth
        let data = Array.zeroCreate<int16> extent.Count

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                for column in 0 .. extent.Width - 1 do
                    data[Extent.index turned column row slice] <- labels.Data[Extent.index extent slice row column]

        Volume.create turned data
    else
        labels

// Per class, the mean over present classes, and all classes merged.
let private allClasses (call: Recorded.Call) (tolerance: float) (measures: (Measure * string) list) : unit =
    let run () =
        let labels (name: string) =
            asThinned call (Recorded.labels (argument call name))

        let prediction, truth = labels "pred", labels "gt"

        let classes =
            Array.append prediction.Data truth.Data
            |> Array.distinct
            |> Array.filter (fun label -> label > 0s)
            |> Array.sort
            |> Array.map int
            |> List.ofArray

        Measures.ofLabels (profileOf call) (List.map fst measures) classes None prediction truth

    match call.Raises with
    | Some _ -> Expect.throwsT<ArgumentException> (fun () -> run () |> ignore) "extents"
    | None ->
        let got = run ()

        let compare (key: string) (values: MeasureValues) (names: (Measure * string) list) =
            for measure, name in names do
                let wanted =
                    Recorded.number (call.Result.GetProperty(key).GetProperty(name: string))

                Recorded.requireClose
                    tolerance
                    (values |> List.find (fun (other, _) -> other = measure) |> snd)
                    wanted
                    $"%s{key} %s{name}"

        for label, values in got.Classes do
            compare (string label) values measures

        for measure, name in measures do
            if got.Classes.IsEmpty then
                // The reference says 0 where there is nothing to average.
                Recorded.requireClose
                    exact
                    0.0
                    (call.Result.GetProperty($"ClsAvg%s{name}").GetProperty(name).GetDouble())
                    name
            else
                compare $"ClsAvg%s{name}" got.Mean [ measure, name ]

        if not got.Classes.IsEmpty then
            compare "MergedBin" got.Merged measures

let private series (json: JsonElement) : JsonElement list =
    [ yield! json.GetProperty("__series__").EnumerateArray() ]

/// Compares a call; None where it is none of these.
let compare (call: Recorded.Call) : (unit -> unit) option =
    let result = lazy call.Result

    let single' (measures: (Measure * float) list) (tolerance: float) () =
        let label = call.Argument("label").GetInt32()

        let prediction =
            withLabel label (asThinned call (Recorded.labels (argument call "pred")))

        let truth = withLabel label (asThinned call (Recorded.labels (argument call "gt")))

        for measure, wanted in measures do
            Recorded.requireClose
                tolerance
                (value (profileOf call) measure prediction truth)
                wanted
                (Measure.print measure)

    match call.Function with
    | "hd95_single_label" ->
        Some(
            single'
                [
                    Measure.HausdorffDistance95, Recorded.number call.Result[0]
                    Measure.HausdorffDistance, Recorded.number call.Result[1]
                ]
                single
        )
    | "hd95_all_classes" ->
        Some(fun () -> allClasses call single [ Measure.HausdorffDistance95, "HD95"; Measure.HausdorffDistance, "HD" ])
    | "dice_coefficient_single_label" -> Some(single' [ Measure.Dice, Recorded.number call.Result ] exact)
    | "dice_coefficient_all_classes" -> Some(fun () -> allClasses call exact [ Measure.Dice, "Dice" ])
    | "clDice_single_label" -> Some(single' [ Measure.ClDice, Recorded.number call.Result ] exact)
    | "clDice_all_classes" -> Some(fun () -> allClasses call exact [ Measure.ClDice, "clDice" ])
    | "betti_number_error_all_classes" -> Some(fun () -> allClasses call exact [ Measure.B0Error, "B0err" ])
    | "iou_single_label" -> Some(single' [ Measure.IoU, Recorded.number call.Result ] exact)
    | "clDice" ->
        Some(fun () ->
            let prediction, truth =
                Recorded.mask (argument call "v_p_pred"), Recorded.mask (argument call "v_l_gt")

            Recorded.requireClose
                exact
                (value Profile.topcow Measure.ClDice prediction truth)
                (Recorded.number result.Value)
                "clDice")
    | "cl_score" ->
        Some(fun () ->
            let skeleton, image =
                Recorded.mask (argument call "s_skeleton"), Recorded.mask (argument call "v_image")

            let measured = Centreline.ofSkeletons image skeleton image skeleton

            let filled =
                if Double.IsNaN measured.Precision then
                    Profile.topcow.Edges.EmptySkeleton
                else
                    measured.Precision

            Recorded.requireClose exact filled (Recorded.number result.Value) "share of the skeleton")
    | "connected_components" ->
        Some(fun () ->
            let struct (labels, count) =
                Components.label Connectivity.TwentySix (Recorded.mask (argument call "img"))

            Expect.equal count (result.Value[0].GetInt32()) "b0"

            let sizes =
                labels.Data
                |> Array.filter (fun label -> label > 0)
                |> Array.countBy id
                |> Array.map snd
                |> Array.sort

            Expect.equal sizes [| for size in result.Value[2].EnumerateArray() -> int (size.GetDouble()) |] "sizes")
    | "detection_single_label" ->
        Some(fun () ->
            Expect.equal
                (detectionName (
                    TopCow.detection
                        TopCow.Threshold
                        (call.Argument("label").GetInt32())
                        (Recorded.labels (argument call "pred"))
                        (Recorded.labels (argument call "gt"))
                ))
                (string result.Value)
                "detection")
    | "detection_sideroad_labels" ->
        Some(fun () ->
            for entry in result.Value.EnumerateObject() do
                Expect.equal
                    (detectionName (
                        TopCow.detection
                            TopCow.Threshold
                            (int entry.Name)
                            (Recorded.labels (argument call "pred"))
                            (Recorded.labels (argument call "gt"))
                    ))
                    (string (entry.Value.GetProperty "Detection"))
                    entry.Name)
    | "aggregate_all_detection_dicts" ->
        Some(fun () ->
            let dictionaries = series (call.Argument "all_detection_dicts")

            for entry in result.Value.EnumerateObject() do
                if Char.IsDigit entry.Name[0] then
                    let detections =
                        [
                            for dictionary in dictionaries do
                                match dictionary.TryGetProperty entry.Name with
                                | true, found -> detectionNamed (string (found.GetProperty "Detection"))
                                | _ -> ()
                        ]

                    requireRates detections entry.Value entry.Name)
    | "get_dect_avg" ->
        Some(fun () ->
            for entry in call.Argument("detection_counts").EnumerateObject() do
                let detections =
                    [
                        for name in [ "TP"; "TN"; "FP"; "FN" ] do
                            yield! List.replicate (entry.Value.GetProperty(name).GetInt32()) (detectionNamed name)
                    ]

                requireRates detections (result.Value.GetProperty entry.Name) entry.Name)
    | _ -> None
