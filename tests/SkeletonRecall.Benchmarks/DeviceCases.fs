namespace SkeletonRecall.Benchmarks

open System
open System.Diagnostics
open System.IO
open System.Runtime.InteropServices
open System.Threading
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

/// Training on a device with workers that make batches ahead: how long a step takes, for what share of the time the device waits
/// for data, and the most memory that it takes. The same on the processor, where it is tried.
[<RequireQualifiedAccess>]
module DeviceCases =

    // What a loop of steps came to.
    type private Measured =
        {
            /// Median milliseconds of a step, from the batch in the processor's memory to the changed weights.
            Step: float
            /// Milliseconds of a batch to the device, alone.
            Copy: float
            /// Share of the loop's time in which no step was under way, since the next batch was not ready.
            Waiting: float
            /// MiB at the height of it: of a GPU what it gave to this process beyond its context, of the processor what the process
            /// took beyond what it had.
            Memory: float
        }

    [<UnmanagedFunctionPointer(CallingConvention.Cdecl)>]
    type private MemoryQuery = delegate of byref<unativeint> * byref<unativeint> -> int

    // CUDA's own count of free bytes, asked of the runtime that libtorch has loaded. What libtorch has taken it keeps, so that
    // the least free is what is free in the end. NaN where there is no such runtime.
    let private freeOnGpu () : float =
        let runtime =
            if OperatingSystem.IsLinux() then
                File.ReadLines "/proc/self/maps"
                |> Seq.map (fun line -> line.Substring(line.LastIndexOf ' ' + 1))
                |> Seq.tryFind (fun path -> path.Contains("/libcudart", StringComparison.Ordinal))
            else
                None

        match runtime with
        | None -> nan
        | Some path ->
            match NativeLibrary.TryGetExport(NativeLibrary.Load path, "cudaMemGetInfo") with
            | true, address ->
                let mutable free = 0un
                let mutable total = 0un

                if Marshal.GetDelegateForFunctionPointer<MemoryQuery>(address).Invoke(&free, &total) = 0 then
                    float free / 1048576.0
                else
                    nan
            | _ -> nan

    let private finish (device: Device) : unit =
        if device = Device.Cuda then
            torch.cuda.synchronize ()

    let private milliseconds (work: unit -> unit) : float =
        let start = Stopwatch.GetTimestamp()
        work ()
        (Stopwatch.GetElapsedTime start).TotalMilliseconds

    let private median (values: float[]) : float = (Array.sort values)[values.Length / 2]

    // The most memory that work takes.
    let private peak (device: Device) (work: unit -> unit) : float =
        match device with
        | Device.Cuda ->
            // The context is there before it counts.
            use _first = torch.zeros ([| 1L |], device = torch.CUDA)
            finish device
            let before = freeOnGpu ()
            work ()
            before - freeOnGpu ()
        | _ when PeakMemory.isKnown -> PeakMemory.above work
        | _ ->
            work ()
            nan

    // Steps on batches as the loader gives them; after a few that do not count. `slower` holds each batch back by so many
    // milliseconds.
    let private measure
        (device: Device)
        (steps: int)
        (slower: int)
        (channels: int)
        (features: int list)
        (patch: int list)
        (batch: int)
        : Measured =
        let architecture = TrainData.architecture features patch.Length 2
        let plan = TrainData.configuration patch batch channels architecture
        let extent = Extent.ofShape (patch |> List.map (fun length -> length + 40))

        let source =
            TrainData.source Augment.options true plan (TrainData.case extent channels)

        let heads = Batch.headExtents architecture.Strides (Extent.ofShape patch)
        let loss = Objective.loss Objective.skeletonRecall (Loss.headWeights heads.Length)

        let network =
            Network.create architecture channels 2 (Seed.ofInt 1)
            |> Network.toDevice (Device.toTorch device)

        use _module = network.Module
        use optimizer = Optimizer.create Optimizer.standard network

        use loader =
            Loader.create
                { Loader.standard with
                    Workers = TrainOptions.standard.Workers
                }
                (fun seed ->
                    if slower > 0 then
                        Thread.Sleep slower

                    Loader.draw source seed)
                (Seed.ofInt 1)

        let step (batch: Batch) : unit =
            TrainingStep.run 0.01 network optimizer loss batch |> ignore
            finish device
            Batch.recycle batch

        let times = Array.zeroCreate<float> steps
        let waited = ref 0.0
        let copy = ref 0.0

        let memory =
            peak device (fun () ->
                for _ in 1..5 do
                    step (Loader.next loader)

                let last = Loader.next loader

                copy.Value <-
                    median (
                        Array.init 5 (fun _ ->
                            milliseconds (fun () ->
                                use _scope = torch.NewDisposeScope()
                                Batch.toTensors (Device.toTorch device) last |> ignore
                                finish device))
                    )

                for number in 0 .. steps - 1 do
                    let start = Stopwatch.GetTimestamp()
                    let batch = Loader.next loader
                    waited.Value <- waited.Value + (Stopwatch.GetElapsedTime start).TotalMilliseconds
                    times[number] <- milliseconds (fun () -> step batch))

        {
            Step = median times
            Copy = copy.Value
            Waiting = waited.Value / (waited.Value + Array.sum times)
            Memory = memory
        }

    let private print (name: string) (measured: Measured) : unit =
        printfn
            "train %-26s step %8.1f ms (of it %.2f ms for the batch to the device), waits for data %5.1f %% of the time, at most %.0f MiB"
            name
            measured.Step
            measured.Copy
            (100.0 * measured.Waiting)
            measured.Memory

    /// The rows of a device; 1 where the count of waiting cannot be right: where batches are held back for longer than a step
    /// takes, most of the time is waited. A problem, which says what to do, where the device is not there.
    let run (quick: bool) (device: Device) : Result<int, Problem> =
        Device.require device
        |> Result.map (fun () ->
            let steps = if quick then 10 else 40
            let name (text: string) = $"%s{text} on %s{Device.print device}"
            let threads = TrainOptions.standard.Workers

            printfn "%s" Row.machine
            printfn "batches are made by %d threads, %d ahead" threads Loader.standard.Ahead
            let plane = measure device steps 0 3 [ 8; 16; 32; 64 ] [ 256; 256 ] 2
            print (name "2D 2x3x256^2") plane

            measure device steps 0 1 [ 8; 16; 32 ] [ 64; 64; 64 ] 1
            |> print (name "3D 1x1x64^3")

            let heldBack = threads * (100 + int (4.0 * plane.Step))
            let starved = measure device 5 heldBack 3 [ 8; 16; 32; 64 ] [ 256; 256 ] 2
            print "  2D, batches held back" starved

            if starved.Waiting > 0.5 && starved.Waiting > plane.Waiting then
                0
            else
                1)
