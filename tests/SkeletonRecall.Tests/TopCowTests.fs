module SkeletonRecall.Tests.TopCowTests

open System
open System.Text.Json
open Expecto
open SkeletonRecall

let private value = Agreement.value
let private argument = Agreement.argument
let private exact = Agreement.exact
let private withLabel = Agreement.withLabel
let private single = Agreement.single

let private detectionName (detection: Detection) : string =
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

let private willis (call: Recorded.Call) : unit =
    let prediction, truth =
        Recorded.labels (argument call "pred"), Recorded.labels (argument call "gt")

    let names =
        [
            2, "R-PCA"
            3, "L-PCA"
            8, "R-Pcom"
            9, "L-Pcom"
            10, "Acom"
            11, "R-ACA"
            12, "L-ACA"
            15, "3rd-A2"
        ]

    for region, key in [ WillisRegion.Anterior, "anterior"; WillisRegion.Posterior, "posterior" ] do
        for labels, side in [ truth, "gt_topology"; prediction, "pred_topology" ] do
            let wanted = call.Result.GetProperty(side).GetProperty(key)

            Expect.equal
                (TopCow.edges region labels)
                [
                    for edge in wanted.GetProperty("graph").EnumerateArray() -> edge.GetInt32() = 1
                ]
                $"%s{side} %s{key} edges"

            for label in TopCow.classes region do
                let part = wanted.GetProperty(names |> List.find (fun (id, _) -> id = label) |> snd)

                Expect.equal
                    (TopCow.neighbours label labels)
                    [
                        for other in part.GetProperty("neighbors").EnumerateArray() -> other.GetInt32()
                    ]
                    $"%s{side} %d{label} neighbours"

                Expect.equal
                    (Components.count Connectivity.TwentySix (withLabel label labels))
                    (part.GetProperty("b0").GetInt32())
                    $"%s{side} %d{label} components"

                if side = "pred_topology" then
                    Expect.equal
                        (detectionName (TopCow.detection TopCow.Threshold label prediction truth))
                        (string (part.GetProperty "detection"))
                        $"%d{label} detection"

        Expect.equal
            (TopCow.flipped region prediction)
            (call.Result.GetProperty("pred_topology").GetProperty(key).GetProperty("LR_flipped").GetBoolean())
            $"%s{key} flipped"

        Expect.equal
            (TopCow.topologyMatches region prediction truth)
            (call.Result.GetProperty("match_verdict").GetProperty(key).GetBoolean())
            $"%s{key} matches"

let private regions: (WillisRegion * string) list =
    [ WillisRegion.Anterior, "anterior"; WillisRegion.Posterior, "posterior" ]

let private bits (json: JsonElement) : bool list =
    [ for edge in json.EnumerateArray() -> edge.GetInt32() = 1 ]

let private series (json: JsonElement) : JsonElement list =
    [ yield! json.GetProperty("__series__").EnumerateArray() ]

let private topCow (call: Recorded.Call) : (unit -> unit) option =
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
    | "get_label_neighbors" ->
        Some(fun () ->
            let labels = Recorded.labels (argument call "padded")

            let size =
                [
                    for region in call.Argument("label_props").EnumerateArray() ->
                        region.GetProperty("__regionprops_area__").GetDouble()
                ]
                |> List.sum
                |> int

            let wanted = [ for other in result.Value.EnumerateArray() -> other.GetInt32() ]

            // The record tells the class by its size alone.
            let candidates =
                labels.Data
                |> Array.filter (fun label -> label > 0s)
                |> Array.countBy id
                |> Array.filter (fun (_, count) -> count = size)
                |> Array.map (fun (label, _) -> TopCow.neighbours (int label) labels)

            Expect.contains candidates wanted "neighbours")
    | "convert_multiclass_to_binary" ->
        Some(fun () ->
            let got = argument call "array" |> Recorded.labels |> Tube.binarize |> Mask.toVolume

            let wanted = (Recorded.array call.Suite result.Value).Values
            Expect.equal (Array.map float got.Data) wanted "mask")
    | "get_neighbor_per_mask" ->
        Some(fun () ->
            let labels = Recorded.labels (argument call "mask_img")

            for entry in result.Value.EnumerateObject() do
                Expect.equal
                    (TopCow.neighbours (int entry.Name) labels)
                    [ for other in entry.Value.EnumerateArray() -> other.GetInt32() ]
                    entry.Name)
    | "has_A1"
    | "has_P1" ->
        Some(fun () ->
            let labels = Recorded.labels (argument call "mask_arr")
            let left = string (call.Argument "side") = "L"

            let region, place =
                if call.Function = "has_A1" then
                    WillisRegion.Anterior, (if left then 0 else 3)
                else
                    WillisRegion.Posterior, (if left then 1 else 2)

            Expect.equal (TopCow.edges region labels |> List.item place) (result.Value.GetBoolean()) "edge")
    | "generate_edgelist" ->
        Some(fun () ->
            let labels = Recorded.labels (argument call "mask_arr")
            Expect.equal (TopCow.edges WillisRegion.Anterior labels) (bits result.Value[0]) "anterior"
            Expect.equal (TopCow.edges WillisRegion.Posterior labels) (bits result.Value[1]) "posterior")
    | "check_LR_flip" ->
        Some(fun () ->
            let region =
                regions
                |> List.find (fun (_, name) -> name = string (call.Argument "region"))
                |> fst

            Expect.equal
                (TopCow.flipped region (Recorded.labels (argument call "pred")))
                (result.Value.GetBoolean())
                "flipped")
    | "graph_classification" ->
        Some(fun () ->
            for region, name in regions do
                let wanted = result.Value.GetProperty name

                for key, argument' in [ "gt_graph", "gt"; "pred_graph", "pred" ] do
                    Expect.equal
                        (TopCow.edges region (Recorded.labels (argument call argument')))
                        (bits (wanted.GetProperty key))
                        $"%s{name} %s{key}")
    | "topology_matching" -> Some(fun () -> willis call)
    | "aggregate_all_graph_dicts" ->
        Some(fun () ->
            for _, name in regions do
                let cases =
                    series (call.Argument "all_graph_dicts")
                    |> List.map (fun case ->
                        let truth = bits (case.GetProperty(name).GetProperty "gt_graph")
                        truth, truth = bits (case.GetProperty(name).GetProperty "pred_graph"))

                Recorded.requireClose
                    exact
                    (TopCow.balancedAccuracy cases)
                    (Recorded.number (result.Value.GetProperty name))
                    name)
    | "aggregate_all_topo_dicts" ->
        Some(fun () ->
            for _, name in regions do
                let cases =
                    series (call.Argument "all_topo_dicts")
                    |> List.map (fun case ->
                        bits (case.GetProperty("gt_topology").GetProperty(name).GetProperty "graph"),
                        case.GetProperty("match_verdict").GetProperty(name).GetBoolean())

                Recorded.requireClose
                    exact
                    (TopCow.balancedAccuracy cases)
                    (Recorded.number (result.Value.GetProperty name))
                    name)
    | _ -> None

[<Tests>]
let tests =
    testList "TopCow" [ Agreement.suite "topcow_eval" topCow; Agreement.suite "topbrain_eval" topCow ]
