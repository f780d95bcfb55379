namespace SkeletonRecall.Tests

open System
open System.Text.Json
open Expecto
open SkeletonRecall

/// Comparing with recorded calls: each is compared, or named here with the reason why there is nothing to compare; see
/// AGREEMENT.md.
[<RequireQualifiedAccess>]
module Agreement =

    let private notMeasures: (string * string list * string) list =
        [
            "topcow_eval",
            [
                "boundary_iou_from_tuple"
                "boundary_points_with_distances"
                "iou_dict_from_files"
            ],
            "boxes, the challenge's second task"
            "topcow_eval", [ "filter_mask_by_label"; "extract_labels" ], "array helpers"
            "topcow_eval", [ "pad_sitk_image"; "edge_list_to_variant_str" ], "image and text helpers"
            "topcow_eval", [ "generate_cls_avg_dict" ], "called with a made-up measure"
            "topcow_eval", [ "score_case_task_1_seg" ], "returns nothing"
            "topbrain_eval", [ "extract_labels"; "pad_sitk_image" ], "array helpers"
            "topbrain_eval", [ "generate_cls_avg_dict"; "update_cls_avg_dict" ], "called with a made-up measure"
            "topbrain_eval", [ "score_case_task_1_seg" ], "returns nothing"
            "topbrain_eval",
            [ "invalid_neighbors_single_label"; "invalid_neighbors_all_classes" ],
            "the recorded test replaces the function that finds neighbours: the images hold none of those that are counted"
            "topbrain_eval", [ "count_sideroad_detection" ], "counts detections"
            "metricsreloaded",
            [
                "BinaryPairwiseMeasures.to_dict_meas"
                "BinaryPairwiseMeasures.net_benefit_treated"
                "BinaryPairwiseMeasures.matthews_correlation_coefficient"
                "BinaryPairwiseMeasures.fbeta"
                "BinaryPairwiseMeasures.boundary_iou"
                "BinaryPairwiseMeasures.com_dist"
                "BinaryPairwiseMeasures.com_pred"
                "BinaryPairwiseMeasures.com_ref"
                "BinaryPairwiseMeasures.accuracy"
                "BinaryPairwiseMeasures.youden_index"
                "BinaryPairwiseMeasures.positive_likelihood_ratio"
                "BinaryPairwiseMeasures.pred_in_ref"
                "BinaryPairwiseMeasures.intersection_over_reference"
                "BinaryPairwiseMeasures.normalised_expected_cost"
                "BinaryPairwiseMeasures.specificity"
                "MultiClassPairwiseMeasures.matthews_correlation_coefficient"
                "MultiClassPairwiseMeasures.confusion_matrix"
                "MultiClassPairwiseMeasures.normalised_expected_cost"
                "MultiClassPairwiseMeasures.weighted_cohens_kappa"
                "ProbabilityPairwiseMeasures.auroc"
                "ProbabilityPairwiseMeasures.average_precision"
            ],
            "measures that are not served here"
            "skimage_measure", [ "regionprops_table" ], "properties of regions"
        ]

    let private reasonAgainst (call: Recorded.Call) : string option =
        match call.Raises with
        | Some message when message.Contains "4D" -> Some "four axes, which no extent here has"
        | _ ->
            notMeasures
            |> List.tryPick (fun (suite, functions, reason) ->
                if suite = call.Suite && List.contains call.Function functions then
                    Some reason
                else
                    None)

    /// One measure of a pair by a profile.
    let value (profile: Profile) (measure: Measure) (prediction: Mask) (truth: Mask) : float =
        Measures.ofPair profile [ measure ] None prediction truth
        |> List.exactlyOne
        |> snd

    /// An array among the arguments of a call.
    let argument (call: Recorded.Call) (name: string) : RecordedArray =
        Recorded.array call.Suite (call.Argument name)

    /// The voxels of a class.
    let withLabel (label: int) (labels: LabelMap) : Mask =
        labels |> Mask.ofVolume (fun value -> int value = label)

    /// The tolerance of distances in float32.
    let single = 1e-6
    /// The tolerance of double precision.
    let exact = 1e-12

    /// A test for each call of a suite that is compared.
    let suite (name: string) (check: Recorded.Call -> (unit -> unit) option) : Test =
        testList
            name
            (if Golden.shared.IsNone then
                 [ testCase "shared" (fun () -> Golden.sharedPath "data/expected" |> ignore) ]
             else
                 Recorded.calls name
                 |> List.indexed
                 |> List.choose (fun (at, call) ->
                     match reasonAgainst call with
                     | Some _ -> None
                     | None ->
                         Some(
                             testCase $"%d{at} %s{call.Function}"
                             <| fun () ->
                                 match check call with
                                 | Some test -> test ()
                                 | None -> failtestf "%s is neither compared nor named as no measure" call.Function
                         )))
