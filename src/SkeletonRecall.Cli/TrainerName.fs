namespace SkeletonRecall.Cli

open System.Text.RegularExpressions
open SkeletonRecall
open SkeletonRecall.Training

/// What a trainer name of nnU-Net means in flags.
type TrainerFlags =
    {
        /// The objective that the name stands for.
        Objective: Objective
        /// Epochs, where the name states them.
        Epochs: int option
        /// Whether patches and predictions are mirrored.
        Mirror: bool
    }

/// nnU-Net keeps its variants in class names; here they are flags, and a known name is decoded into them.
[<RequireQualifiedAccess>]
module TrainerName =

    let private pattern =
        Regex(
            @"^nnUNetTrainer(?<recall>SkeletonRecall)?(?<plain>NoMirroring)?(_(?<epochs>\d+)epochs?)?(?<late>_NoMirroring)?$"
        )

    /// The name under which a run with this objective is kept when the user names none.
    let standard (objective: Objective) : string =
        if Objective.needsSkeleton objective then
            "nnUNetTrainerSkeletonRecall"
        else
            "nnUNetTrainer"

    /// The flags behind a name. Served are nnUNetTrainer and nnUNetTrainerSkeletonRecall, each with `_Nepochs` and
    /// NoMirroring; any other name is a problem that lists these.
    let decode (name: string) : Result<TrainerFlags, Problem> =
        let found = pattern.Match name

        if not found.Success then
            Error(
                Mismatch(
                    "-tr",
                    $"'%s{name}'",
                    "nnUNetTrainer or nnUNetTrainerSkeletonRecall, with _Nepochs or NoMirroring behind it if you like (other variants are not served)"
                )
            )
        else
            let epochs = found.Groups["epochs"]

            Ok
                {
                    Objective =
                        if found.Groups["recall"].Success then
                            Objective.skeletonRecall
                        else
                            Objective.nnunet
                    Epochs = if epochs.Success then Some(int epochs.Value) else None
                    Mirror = not (found.Groups["plain"].Success || found.Groups["late"].Success)
                }
