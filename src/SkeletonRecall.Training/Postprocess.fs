namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// When the removal of all but the largest component is accepted.
[<RequireQualifiedAccess>]
type PostprocessRule =
    /// nnU-Net's: by Dice alone. It can accept the loss of true branches that hang on nothing.
    | Dice
    /// nnU-Net's, and besides neither the mean clDice nor the mean b0 error may get worse: it cannot cost thin trees.
    | Thin

/// What was decided: for each entry in order, all but the largest component of the labels' union is removed.
type Postprocessing =
    {
        Steps: int list list
        /// Mean Dice of each class, or region, by its labels, NaN left out, before and after all accepted steps.
        Before: (int list * float) list
        After: (int list * float) list
    }

/// Keeping the largest components (nnU-Net's remove_connected_components.py).
[<RequireQualifiedAccess>]
module Postprocess =

    /// The label map without what does not belong to the largest connected component (through corners too) of the union of
    /// the given labels; components of the same size all stay. Other labels are left alone.
    let keepLargest (labels: int list) (map: LabelMap) : LabelMap =
        let members = labels |> List.map int16 |> Set.ofList
        let mask = map |> Mask.ofVolume members.Contains

        let connectivity =
            if map.Extent.Rank = 2 then
                Connectivity.Eight
            else
                Connectivity.TwentySix

        let struct (components, count) = Components.label connectivity mask
        let sizes = Array.zeroCreate<int>(count + 1)

        for number in components.Data do
            if number > 0 then
                sizes[number] <- sizes[number] + 1

        let largest = if count = 0 then 0 else Array.max sizes

        let kept =
            Array.map2
                (fun label number -> if number > 0 && sizes[number] < largest then 0s else label)
                map.Data
                components.Data

        Volume.create map.Extent kept |> Volume.withSpacing map.Spacing

    /// All steps of a decision, in order.
    let apply (steps: int list list) (map: LabelMap) : LabelMap =
        List.fold (fun map labels -> keepLargest labels map) map steps

    // Means over cases of one class.
    type private Means =
        {
            Label: int
            Members: int list
            Dice: float
            ClDice: float
            B0Error: float
        }

    let private measured (rule: PostprocessRule) : EvaluationOptions =
        { Evaluation.standard with
            Measures =
                match rule with
                | PostprocessRule.Dice -> []
                | PostprocessRule.Thin -> [ Measure.ClDice; Measure.B0Error ]
        }

    let private means (scores: Scores list) : Means list =
        scores
        |> List.groupBy (fun score -> score.Label)
        |> List.map (fun (label, ofClass) ->
            {
                Label = label
                Members = ofClass.Head.Members
                Dice = Evaluation.mean (fun score -> score.Dice) ofClass
                ClDice = Evaluation.mean (fun score -> score.ClDice) ofClass
                B0Error = Evaluation.mean (fun score -> score.Value Measure.B0Error) ofClass
            })

    let private foreground (means: Means list) : float =
        means |> List.averageBy (fun each -> each.Dice)

    // Whether a step leaves tree and pieces as good as they were; a class without a value has nothing to lose.
    let private spares (rule: PostprocessRule) (before: Means list) (after: Means list) : bool =
        match rule with
        | PostprocessRule.Dice -> true
        | PostprocessRule.Thin ->
            List.forall2
                (fun before after ->
                    not (after.ClDice < before.ClDice - 1e-12)
                    && not (after.B0Error > before.B0Error + 1e-12))
                before
                after

    let private improvesAll (rule: PostprocessRule) (before: Means list) (after: Means list) : bool =
        foreground after > foreground before
        && List.forall2 (fun before after -> not (after.Dice < before.Dice)) before after
        && spares rule before after

    let private improvesClass (rule: PostprocessRule) (label: int) (before: Means list) (after: Means list) : bool =
        let dice (means: Means list) =
            (means |> List.find (fun each -> each.Label = label)).Dice

        dice after > dice before && spares rule before after

    /// Decides by the rule what is removed: first of the union of all foreground labels, accepted if the mean foreground Dice
    /// rises and no class's falls; then, with more than one class, of each class by itself, accepted if its Dice rises; each
    /// step begins from what was accepted before. Regions, which may overlap, are judged and kept as classes are. `read` gives prediction and truth of a case, as often as it is asked.
    let determine
        (rule: PostprocessRule)
        (dataset: Dataset)
        (read: 'Case -> Result<LabelMap * LabelMap, Problem>)
        (cases: (string * 'Case) list)
        : Result<Postprocessing, Problem> =
        let options = measured rule

        let scored (steps: int list list) : Result<Means list, Problem> =
            cases
            |> Problem.traverse (fun (name, case) ->
                read case
                |> Result.map (fun (prediction, truth) ->
                    Evaluation.score options dataset name (apply steps prediction) truth))
            |> Result.map (List.concat >> means)

        let labels = dataset.Labels |> List.map snd |> List.filter (fun label -> label > 0)

        let attempt
            (accepts: Means list -> Means list -> bool)
            (step: int list)
            (steps: int list list, current: Means list)
            : Result<int list list * Means list, Problem> =
            scored (steps @ [ step ])
            |> Result.map (fun after ->
                if accepts current after then
                    steps @ [ step ], after
                else
                    steps, current)

        Problem.attempt {
            let! before = scored []
            let! all = attempt (improvesAll rule) labels ([], before)

            let! steps, after =
                if before.Length < 2 then
                    Ok all
                else
                    List.fold
                        (fun state (each: Means) ->
                            state |> Result.bind (attempt (improvesClass rule each.Label) each.Members))
                        (Ok all)
                        before

            let dice (means: Means list) =
                means |> List.map (fun each -> each.Members, each.Dice)

            return
                {
                    Steps = steps
                    Before = dice before
                    After = dice after
                }
        }
