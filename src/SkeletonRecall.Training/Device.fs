namespace SkeletonRecall.Training

open System.IO
open TorchSharp
open SkeletonRecall

/// Where tensors live and are computed with; nnU-Net's `-device`.
[<RequireQualifiedAccess>]
type Device =
    /// The processor.
    | Cpu
    /// The first GPU by CUDA. Untried.
    | Cuda
    /// The GPU of Apple's processors. Untried.
    | Mps

/// Names of devices, and whether they are there.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module Device =

    /// All devices that are served.
    let all: Device list = [ Device.Cpu; Device.Cuda; Device.Mps ]

    /// nnU-Net's name.
    let print (device: Device) : string =
        match device with
        | Device.Cpu -> "cpu"
        | Device.Cuda -> "cuda"
        | Device.Mps -> "mps"

    /// The device of a name; None for another name.
    let tryParse (name: string) : Device option =
        all |> List.tryFind (fun device -> print device = name)

    /// The device as torch knows it. It need not be there.
    let toTorch (device: Device) : torch.Device =
        LibTorch.ensure ()

        match device with
        | Device.Cpu -> torch.CPU
        | Device.Cuda -> torch.CUDA
        | Device.Mps -> torch.MPS

    /// Why there is no CUDA, and what to do, given the folder of the loaded libtorch and whether that was built with it.
    let cudaProblem (folder: string option) (hasCuda: bool) : Problem =
        let at =
            match folder with
            | Some folder -> $" in %s{folder}"
            | None -> ""

        if hasCuda then
            Mismatch(
                "--device cuda",
                $"a libtorch%s{at} that finds no GPU",
                "an NVIDIA GPU with its driver (nvidia-smi lists it), or --device cpu"
            )
        else
            Mismatch(
                "--device cuda",
                $"a libtorch%s{at} without CUDA",
                "one with it: set SKELETONRECALL_LIBTORCH to a folder with libtorch 2.10 built with CUDA (torch/lib of a PyTorch wheel), or say --device cpu"
            )

    /// A problem, which says what to do, where the device is not there. Nothing else is ever taken in its place.
    let require (device: Device) : Result<unit, Problem> =
        LibTorch.ensure ()

        match device with
        | Device.Cpu -> Ok()
        | Device.Cuda ->
            if torch.cuda.is_available () then
                Ok()
            else
                let folder = LibTorch.folder ()

                let hasCuda =
                    match folder with
                    | Some folder -> File.Exists(Path.Combine(folder, "libtorch_cuda.so"))
                    | None -> false

                Error(cudaProblem folder hasCuda)
        | Device.Mps ->
            if torch.TryInitializeDeviceType DeviceType.MPS then
                Ok()
            else
                Error(Mismatch("--device mps", "no GPU of Apple", "a Mac with one, or --device cpu"))
