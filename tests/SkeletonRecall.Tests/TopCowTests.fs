module SkeletonRecall.Tests.TopCowTests

open System
open System.Text.Json
open Expecto
open SkeletonRecall

let private argument = Agreement.argument
let private exact = Agreement.exact
let private withLabel = Agreement.withLabel

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
                        (TopCowMeasures.detectionName (TopCow.detection TopCow.Threshold label prediction truth))
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

let private graphs (call: Recorded.Call) : (unit -> unit) option =
    let result = lazy call.Result

    match call.Function with
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

let private compare (call: Recorded.Call) : (unit -> unit) option =
    TopCowMeasures.compare call |> Option.orElseWith (fun () -> graphs call)

[<Tests>]
let tests =
    testList
        "TopCow"
        [
            Agreement.suite "topcow_eval" compare
            Agreement.suite "topbrain_eval" compare
        ]
