namespace SkeletonRecall.Training

open TorchSharp
open SkeletonRecall

/// The numbers that convolutions are computed in. Weights, momentum, normalization's sums and losses are of single precision
/// whatever this is.
[<RequireQualifiedAccess>]
type Precision =
    /// Single precision.
    | Float32
    /// The upper half of a single: its range, 8 bits of precision. For CUDA alone; untried.
    | Bfloat16
    /// Half precision: 11 bits of precision and a small range, so that the loss is scaled. For CUDA alone; untried.
    | Float16

/// Names of precisions, and where they are served.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Precision =

    /// All precisions.
    let all: Precision list =
        [ Precision.Float32; Precision.Bfloat16; Precision.Float16 ]

    /// The name, as torch has it.
    let print (precision: Precision) : string =
        match precision with
        | Precision.Float32 -> "float32"
        | Precision.Bfloat16 -> "bfloat16"
        | Precision.Float16 -> "float16"

    /// The precision of a name; None for another name.
    let tryParse (name: string) : Precision option =
        all |> List.tryFind (fun precision -> print precision = name)

    let internal toTorch (precision: Precision) : torch.ScalarType =
        match precision with
        | Precision.Float32 -> torch.float32
        | Precision.Bfloat16 -> torch.bfloat16
        | Precision.Float16 -> torch.float16

    /// A problem where the device does not serve the precision. On the CPU libtorch 2.10's convolutions in bfloat16 read memory
    /// that was never cleared, even where channels come in whole blocks: two runs of one seed differ.
    let require (device: Device) (precision: Precision) : Result<unit, Problem> =
        match device, precision with
        | _, Precision.Float32
        | Device.Cuda, _ -> Ok()
        | _ ->
            Error(
                Mismatch(
                    "--precision",
                    $"%s{print precision} with --device %s{Device.print device}",
                    "float32: others are for CUDA, as long as libtorch's bfloat16 on the processor gives other numbers at each run"
                )
            )
