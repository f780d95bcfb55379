namespace SkeletonRecall.Training

open System.Text.RegularExpressions
open SkeletonRecall

/// What a trainer name of nnU-Net means in flags.
type TrainerFlags =
    {
        /// The objective that the name stands for.
        Objective: Objective
        /// Epochs, where the name states them.
        Epochs: int option
        /// Whether patches and predictions are mirrored.
        Mirror: bool
        /// Whether they are along the axes 0 and 1 of a volume alone, or axis 0 of a plane.
        OnlyMirror01: bool
    }

/// nnU-Net keeps its variants in class names; here they are flags, and a known name is decoded into them.
[<RequireQualifiedAccess>]
module TrainerName =

    /// What stands behind `nnUNetTrainer`, and the objective that it means: nnU-Net's variants of the loss, and those of
    /// Skeleton Recall, SCNP and cbDice.
    let private objectives: (string * string) list =
        [
            "", "nnunet"
            "SkeletonRecall", "skeleton-recall"
            "SkeletonRecallDS", "skeleton-recall on all-heads-nearest"
            "CELoss", "ce"
            "DiceLoss", "dice"
            "DiceCELoss_noSmooth", "dice(smooth=0) + ce"
            "TopkLoss", "topk"
            "DiceTopK10Loss", "dice-topk"
            "SCNPLoss", "scnp(dice + ce)"
            "_CE_DC_CBDC", "cbdice"
        ]

    let private pattern =
        let names = objectives |> List.map fst |> String.concat "|"

        Regex(
            $@"^nnUNetTrainer(?<loss>%s{names})(?<plain>_?NoMirroring)?(?<only>_onlyMirror01)?(_(?<epochs>\d+)epochs?)?(?<late>_NoMirroring)?$"
        )

    let private objectiveOf (name: string) : Objective =
        let text = objectives |> List.find (fun (known, _) -> known = name) |> snd

        match Objective.parse text with
        | Ok objective -> objective
        | Error reason -> invalidOp reason

    /// The name under which a run with this objective is kept when the user names none.
    let standard (objective: Objective) : string =
        if Objective.needsSkeleton objective then
            "nnUNetTrainerSkeletonRecall"
        else
            "nnUNetTrainer"

    /// The flags behind a name: nnUNetTrainer with one of the endings above, and `_Nepochs`, NoMirroring or `_onlyMirror01`
    /// behind it; any other name is a problem that lists these.
    let decode (name: string) : Result<TrainerFlags, Problem> =
        let found = pattern.Match name

        if not found.Success then
            let endings = objectives |> List.map fst |> List.tail |> String.concat ", "

            Error(
                Mismatch(
                    "-tr",
                    $"'%s{name}'",
                    $"nnUNetTrainer, alone or with one of %s{endings}, and with _Nepochs, NoMirroring or _onlyMirror01 behind it if you like (other variants are not served)"
                )
            )
        else
            let epochs = found.Groups["epochs"]

            Ok
                {
                    Objective = objectiveOf found.Groups["loss"].Value
                    Epochs = if epochs.Success then Some(int epochs.Value) else None
                    Mirror = not (found.Groups["plain"].Success || found.Groups["late"].Success)
                    OnlyMirror01 = found.Groups["only"].Success
                }
