namespace SkeletonRecall.Training

open System
open System.Globalization
open System.Text
open SkeletonRecall

/// How well one class of one case was found. When neither prediction nor truth holds the class, every ratio is NaN (as in
/// nnU-Net) and means leave the case out; when only one of them does, every ratio is 0, so that nothing found is never
/// better than something found.
type Scores =
    {
        /// The case's name.
        Case: string
        /// The class id, from 1.
        Label: int
        /// Voxels of prediction and truth; those with the ignore label count nowhere.
        Overlap: Overlap
        Dice: float
        Precision: float
        Recall: float
        IoU: float
        /// Centreline Dice (Shit et al. 2021). Also NaN when thinning leaves nothing of a mask that is not empty.
        ClDice: float
        /// Components, tunnels (holes of a plane) and cavities of the truth.
        Truth: Betti
        /// The same of the prediction.
        Prediction: Betti
        /// Absolute difference of the numbers of components.
        B0Error: int
        /// Absolute difference of the numbers of tunnels (holes of a plane).
        B1Error: int
        /// Absolute difference of the numbers of cavities; 0 for planes.
        B2Error: int
    }

/// Comparing label maps, and the file that tells of it.
[<RequireQualifiedAccess>]
module Evaluation =

    /// The measures by the names that summary.json and tables use, in their order there.
    let measures: (string * (Scores -> float)) list =
        [
            "B0Error", (fun scores -> float scores.B0Error)
            "B1Error", (fun scores -> float scores.B1Error)
            "B2Error", (fun scores -> float scores.B2Error)
            "Dice", (fun scores -> scores.Dice)
            "FN", (fun scores -> float scores.Overlap.FalseNegatives)
            "FP", (fun scores -> float scores.Overlap.FalsePositives)
            "IoU", (fun scores -> scores.IoU)
            "Precision", (fun scores -> scores.Precision)
            "Recall", (fun scores -> scores.Recall)
            "TN", (fun scores -> float scores.Overlap.TrueNegatives)
            "TP", (fun scores -> float scores.Overlap.TruePositives)
            "clDice", (fun scores -> scores.ClDice)
            "n_pred", (fun scores -> float (scores.Overlap.TruePositives + scores.Overlap.FalsePositives))
            "n_ref", (fun scores -> float (scores.Overlap.TruePositives + scores.Overlap.FalseNegatives))
        ]

    // Written as whole numbers for a case, as nnU-Net does.
    let private counted =
        set [ "B0Error"; "B1Error"; "B2Error"; "FN"; "FP"; "TN"; "TP"; "n_pred"; "n_ref" ]

    /// The scores of one class from its masks. `valid` holds the voxels that count.
    /// Throws ArgumentException when extents differ or the connectivity is of another rank.
    let scoreMask
        (pair: ConnectivityPair)
        (case: string)
        (label: int)
        (valid: Mask option)
        (prediction: Mask)
        (truth: Mask)
        : Scores =
        let restrict (mask: Mask) =
            valid |> Option.map (Mask.intersect mask) |> Option.defaultValue mask

        let prediction, truth = restrict prediction, restrict truth
        let whole = Overlap.measure prediction truth

        let overlap =
            match valid with
            | None -> whole
            | Some valid ->
                let ignored = int64 valid.Extent.Count - int64 (Mask.count valid)

                { whole with
                    TrueNegatives = whole.TrueNegatives - ignored
                }

        let both, neither =
            match Mask.isEmpty prediction, Mask.isEmpty truth with
            | false, false -> true, false
            | true, true -> false, true
            | _ -> false, false

        let ratio (measure: unit -> float) =
            if both then measure ()
            elif neither then nan
            else 0.0

        let centreline () =
            let measured = Centreline.measure prediction truth
            // Two centrelines that miss each other altogether: the harmonic mean's limit.
            if measured.Precision = 0.0 && measured.Sensitivity = 0.0 then
                0.0
            else
                measured.ClDice

        let found, there = Topology.betti pair prediction, Topology.betti pair truth

        {
            Case = case
            Label = label
            Overlap = overlap
            Dice = ratio (fun () -> Overlap.dice overlap)
            Precision = ratio (fun () -> Overlap.precision overlap)
            Recall = ratio (fun () -> Overlap.recall overlap)
            IoU = ratio (fun () -> Overlap.iou overlap)
            ClDice = ratio centreline
            Truth = there
            Prediction = found
            B0Error = abs (found.B0 - there.B0)
            B1Error = abs (found.B1 - there.B1)
            B2Error = abs (found.B2 - there.B2)
        }

    /// The scores of every foreground class of the data set, in the order of their ids. Voxels that the truth marks to
    /// be ignored are background in both maps.
    /// Throws ArgumentException when extents differ or the connectivity is of another rank.
    let score
        (pair: ConnectivityPair)
        (dataset: Dataset)
        (case: string)
        (prediction: LabelMap)
        (truth: LabelMap)
        : Scores list =
        Extent.requireEqual (nameof prediction) truth.Extent prediction.Extent

        let valid =
            dataset.Ignore
            |> Option.map (fun ignored -> truth |> Mask.ofVolume (fun value -> int value <> ignored))

        dataset.Labels
        |> List.map snd
        |> List.filter (fun label -> label > 0)
        |> List.map (fun label ->
            let mask (labels: LabelMap) =
                labels |> Mask.ofVolume (fun value -> int value = label)

            scoreMask pair case label valid (mask prediction) (mask truth))

    /// The mean of a measure over cases, NaN left out.
    let mean (measure: Scores -> float) (scores: Scores list) : float =
        scores |> List.map measure |> Statistics.mean

    // Python's json writes floats this way, NaN and Infinity included.
    let private float' (value: float) : string =
        if Double.IsNaN value then
            "NaN"
        elif Double.IsPositiveInfinity value then
            "Infinity"
        elif Double.IsNegativeInfinity value then
            "-Infinity"
        else
            let text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e')

            if text.Contains '.' || text.Contains 'e' then
                text
            else
                text + ".0"

    let private quoted (text: string) : string =
        "\""
        + Text.Json.JsonEncodedText.Encode(text, Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString()
        + "\""

    // A value that is printed already, or a list of named ones; all that the summary needs.
    type private Json =
        | Plain of string
        | Object of (string * Json) list
        | List of Json list

    let rec private write (indent: string) (json: Json) : string =
        let inner = indent + "    "

        let lines (opening: string) (closing: string) (items: string list) =
            if items.IsEmpty then
                opening + closing
            else
                let body = items |> List.map (fun item -> inner + item) |> String.concat ",\n"
                $"%s{opening}\n%s{body}\n%s{indent}%s{closing}"

        match json with
        | Plain text -> text
        | List items -> items |> List.map (write inner) |> lines "[" "]"
        | Object fields ->
            fields
            |> List.map (fun (name, value) -> $"%s{quoted name}: %s{write inner value}")
            |> lines "{" "}"

    /// nnU-Net's summary.json: per case and class, means over cases per class (NaN left out), and the plain mean of those
    /// over classes; precision, recall, clDice and Betti errors beside nnU-Net's own. NaN is a bare token, as Python
    /// writes and reads it. `files` gives the prediction's and the reference's file of a case.
    let summaryJson (files: string -> string * string) (scores: Scores list) : string =
        let labels =
            scores |> List.map (fun score -> score.Label) |> List.distinct |> List.sort

        let values (score: Scores) =
            measures
            |> List.map (fun (name, measure) ->
                let value = measure score

                name,
                Plain(
                    if counted.Contains name then
                        string (int64 value)
                    else
                        float' value
                ))
            |> Object

        let meanOf (label: int) (measure: Scores -> float) =
            scores |> List.filter (fun score -> score.Label = label) |> mean measure

        let overClasses (measure: Scores -> float) =
            match labels with
            | [] -> nan
            | _ -> labels |> List.averageBy (fun label -> meanOf label measure)

        let all (value: (Scores -> float) -> float) =
            measures
            |> List.map (fun (name, measure) -> name, Plain(float' (value measure)))
            |> Object

        let case (name: string, parts: Scores list) =
            let prediction, reference = files name

            Object
                [
                    "metrics",
                    Object
                        [
                            for score in parts |> List.sortBy (fun score -> score.Label) ->
                                string score.Label, values score
                        ]
                    "prediction_file", Plain(quoted prediction)
                    "reference_file", Plain(quoted reference)
                ]

        Object
            [
                "foreground_mean", all overClasses
                "mean", Object [ for label in labels -> string label, all (meanOf label) ]
                "metric_per_case", List(scores |> List.groupBy (fun score -> score.Case) |> List.map case)
            ]
        |> write ""
