namespace SkeletonRecall

/// How a loss that holds no others is written: its name, its options' names, and between them and the component.
type internal LossForm =
    {
        Name: string
        Options: string list
        Read: OptionTree list -> Component
        Print: Component -> string list option
    }

/// The forms of the losses.
[<RequireQualifiedAccess>]
module internal LossForm =

    let private form
        (name: string)
        (rules: OptionRule<'T> list)
        (standard: 'T)
        (wrap: 'T -> Component)
        (unwrap: Component -> 'T option)
        : LossForm =
        {
            Name = name
            Options = rules |> List.map _.Name
            Read = OptionRule.read rules standard >> wrap
            Print = unwrap >> Option.map (OptionRule.print rules standard)
        }

    let private smooth (get: 'T -> float) (set: float -> 'T -> 'T) =
        OptionRule.number "smooth" 0.0 infinity get set

    let private crossEntropy: LossForm =
        form
            "ce"
            [
                OptionRule.number
                    "label-smoothing"
                    0.0
                    1.0
                    (fun (options: CrossEntropyOptions) -> options.LabelSmoothing)
                    (fun value (_: CrossEntropyOptions) -> ({ LabelSmoothing = value }: CrossEntropyOptions))
            ]
            CrossEntropy.standard
            Component.CrossEntropy
            (function
             | Component.CrossEntropy options -> Some options
             | _ -> None)

    let private dice: LossForm =
        form
            "dice"
            [
                OptionRule.flag "batch-dice" (fun (options: SoftDiceOptions) -> options.BatchDice) (fun options ->
                    { options with BatchDice = true })
                OptionRule.flag "background" _.Background (fun options -> { options with Background = true })
                OptionRule.flag "present-only" _.PresentOnly (fun options -> { options with PresentOnly = true })
                OptionRule.flag "plain" _.Plain (fun options -> { options with Plain = true })
                smooth _.Smooth (fun value options -> { options with Smooth = value })
            ]
            SoftDice.standard
            Component.SoftDice
            (function
             | Component.SoftDice options -> Some options
             | _ -> None)

    let private recallRules: OptionRule<SoftRecallOptions> list =
        [
            OptionRule.flag "batch-dice" _.BatchDice (fun options -> { options with BatchDice = true })
            OptionRule.flag "present-only" _.PresentOnly (fun options -> { options with PresentOnly = true })
            smooth _.Smooth (fun value options -> { options with Smooth = value })
        ]

    let recall: LossForm =
        form "skeleton-recall" recallRules SoftRecall.standard Component.SkeletonRecall (function
            | Component.SkeletonRecall options -> Some options
            | _ -> None)

    let private tversky: LossForm =
        form
            "tversky"
            [
                OptionRule.number "false-positives" 0.0 infinity _.FalsePositives (fun value options ->
                    { options with FalsePositives = value })
                OptionRule.number "false-negatives" 0.0 infinity _.FalseNegatives (fun value options ->
                    { options with FalseNegatives = value })
                OptionRule.above "gamma" 0.0 (fun (options: TverskyOptions) -> options.Gamma) (fun value options ->
                    { options with Gamma = value })
                OptionRule.flag "batch-dice" (fun (options: TverskyOptions) -> options.BatchDice) (fun options ->
                    { options with BatchDice = true })
                OptionRule.flag "background" (fun (options: TverskyOptions) -> options.Background) (fun options ->
                    { options with Background = true })
                smooth (fun (options: TverskyOptions) -> options.Smooth) (fun value options ->
                    { options with Smooth = value })
            ]
            Tversky.standard
            Component.Tversky
            (function
             | Component.Tversky options -> Some options
             | _ -> None)

    let private focal: LossForm =
        form
            "focal"
            [
                OptionRule.number
                    "gamma"
                    0.0
                    infinity
                    (fun (options: FocalOptions) -> options.Gamma)
                    (fun value options -> { options with Gamma = value })
                OptionRule.optional "alpha" 0.0 1.0 _.Alpha (fun value options -> { options with Alpha = Some value })
            ]
            Focal.standard
            Component.Focal
            (function
             | Component.Focal options -> Some options
             | _ -> None)

    let private iterations (get: 'T -> int) (set: int -> 'T -> 'T) =
        OptionRule.whole "iterations" "erosions" 0 1000 (get >> Some) set

    let private topK: LossForm =
        form
            "topk"
            [
                OptionRule.number "percent" 1e-6 100.0 _.Percent (fun value options -> { options with Percent = value })
                OptionRule.number
                    "label-smoothing"
                    0.0
                    1.0
                    (fun (options: TopKCrossEntropyOptions) -> options.LabelSmoothing)
                    (fun value options -> { options with LabelSmoothing = value })
            ]
            TopKCrossEntropy.standard
            Component.TopK
            (function
             | Component.TopK options -> Some options
             | _ -> None)

    let private clDice: LossForm =
        form
            "cldice"
            [
                iterations (fun (options: SoftClDiceOptions) -> options.Iterations) (fun value options ->
                    { options with Iterations = value })
                smooth (fun (options: SoftClDiceOptions) -> options.Smooth) (fun value options ->
                    { options with Smooth = value })
                OptionRule.flag "background" (fun (options: SoftClDiceOptions) -> options.Background) (fun options ->
                    { options with Background = true })
                OptionRule.number "dice-share" 0.0 1.0 _.DiceShare (fun value options ->
                    { options with DiceShare = value })
            ]
            SoftClDice.standard
            Component.ClDice
            (function
             | Component.ClDice options -> Some options
             | _ -> None)

    let private clCe: LossForm =
        form
            "clce"
            [
                iterations (fun (options: CentrelineCrossEntropyOptions) -> options.Iterations) (fun value _ ->
                    { Iterations = value })
            ]
            CentrelineCrossEntropy.standard
            Component.ClCe
            (function
             | Component.ClCe options -> Some options
             | _ -> None)

    let private cbDice: LossForm =
        form
            "cbdice"
            [
                iterations (fun (options: CbDiceOptions) -> options.Iterations) (fun value options ->
                    { options with Iterations = value })
                smooth (fun (options: CbDiceOptions) -> options.Smooth) (fun value options ->
                    { options with Smooth = value })
            ]
            CbDice.standard
            Component.CbDice
            (function
             | Component.CbDice options -> Some options
             | _ -> None)

    let private boundary: LossForm =
        form "boundary" [] () (fun () -> Component.Boundary) (function
            | Component.Boundary -> Some()
            | _ -> None)

    let private guard: LossForm =
        form
            "precision-guard"
            [
                OptionRule.number "margin" 0.0 infinity _.Margin (fun value options -> { options with Margin = value })
                smooth (fun (options: PrecisionGuardOptions) -> options.Smooth) (fun value options ->
                    { options with Smooth = value })
            ]
            PrecisionGuard.standard
            Component.PrecisionGuard
            (function
             | Component.PrecisionGuard options -> Some options
             | _ -> None)

    /// All of them.
    let all: LossForm list =
        [
            boundary
            cbDice
            crossEntropy
            clCe
            clDice
            dice
            focal
            guard
            recall
            topK
            tversky
        ]
