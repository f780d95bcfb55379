namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// The memory that training takes at least, told before any of it is taken.
[<RequireQualifiedAccess>]
module TrainMemory =

    // What is kept of each value of a feature map until the backward pass is through: in float32 the convolution's output, and
    // more often than not its normalized form beside it (8 bytes); in bfloat16 half as much. Gradients and weights come on top.
    let private bytesPerValue = 4.0

    /// Bytes that a training step of a configuration takes at the very least, by the values of its feature maps.
    let least (configuration: Configuration) (dataset: Dataset) : float =
        bytesPerValue
        * float configuration.BatchSize
        * FeatureMaps.ofNetwork configuration.Architecture configuration.PatchSize (Dataset.outputs dataset)

    /// The memory of this machine, or of the container that the process runs in, in bytes.
    let ofMachine () : float =
        float (GC.GetGCMemoryInfo().TotalAvailableMemoryBytes)

    /// A problem where training cannot fit into so many bytes.
    let require (available: float) (configuration: Configuration) (dataset: Dataset) : Result<unit, Problem> =
        let needed = least configuration dataset

        if needed <= available then
            Ok()
        else
            let patch = configuration.PatchSize |> List.map string |> String.concat " x "
            let gigabytes (bytes: float) = sprintf "%.1f GB" (bytes / 1e9)

            Error(
                Mismatch(
                    $"patches of %s{patch}, %d{configuration.BatchSize} in a batch",
                    $"%s{gigabytes needed} of memory at least",
                    $"%s{gigabytes available}, which this machine has: plan with a smaller -gpu_memory_target, or train with a smaller --batch-size"
                )
            )
