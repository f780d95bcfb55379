namespace SkeletonRecall.Benchmarks

open System
open System.Diagnostics
open System.Globalization
open System.IO
open System.Threading
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

/// What training and prediction cost: a step against a bare loop, what lives on after many steps, and the memory of a
/// large prediction.
[<RequireQualifiedAccess>]
module TrainCases =

    let private median (values: float[]) : float =
        let sorted = Array.sort values
        sorted[sorted.Length / 2]

    let private timed (work: int -> unit) (number: int) : float =
        let start = Stopwatch.GetTimestamp()
        work number
        (Stopwatch.GetElapsedTime start).TotalMilliseconds

    // Milliseconds of both, in turn: either one goes first. Up to so many pairs within four minutes.
    let private inTurn (pairs: int) (one: int -> unit) (other: int -> unit) : (struct (float * float))[] =
        for number in 0..4 do
            one number
            other number

        let clock = Stopwatch.StartNew()

        [|
            let mutable number = 0

            while number < pairs && clock.Elapsed.TotalMinutes < 4.0 do
                if number % 2 = 0 then
                    let a = timed one number
                    struct (a, timed other number)
                else
                    let b = timed other number
                    struct (timed one number, b)

                number <- number + 1
        |]

    let private stochastic (network: Network) =
        torch.optim.SGD(network.Module.parameters (), 0.01, momentum = 0.99, weight_decay = 3e-5, nesterov = true)

    // Forward, loss, backward, clipping and a step.
    let private bareStep (network: Network) (sgd: Modules.SGD) (loss: HeadLoss) (images: Tensor, targets: Target list) =
        use _scope = torch.NewDisposeScope()
        sgd.zero_grad ()
        let value = loss (network.Forward images) targets
        value.backward ()
        torch.nn.utils.clip_grad_norm_ (network.Module.parameters (), 12.0) |> ignore
        sgd.step () |> ignore
        value.item<float32>() |> ignore

    /// A step of our loop and of a bare TorchSharp loop with the same network, loss and data, in turn; and a bare loop's
    /// step with channels last in memory against one with channels first.
    let steps (pairs: int) : unit =
        for name, patch, batch, channels, features in
            [
                "2D 2x3x256^2", [ 256; 256 ], 2, 3, [ 8; 16; 32; 64 ]
                "3D 1x1x64^3", [ 64; 64; 64 ], 1, 1, [ 8; 16; 32 ]
            ] do
            LibTorch.ensure ()
            let network = TrainData.architecture features patch.Length 2
            let plan = TrainData.configuration patch batch channels network
            let extent = Extent.ofShape (patch |> List.map (fun length -> length + 40))

            let source =
                TrainData.source Augment.options true plan (TrainData.case extent channels)

            let heads = Batch.headExtents network.Strides (Extent.ofShape patch)
            let loss = Objective.loss Objective.skeletonRecall (Loss.headWeights heads.Length)
            let drawn = Array.init 4 (fun number -> Loader.draw source (Seed.ofInt number))
            let ours = Network.create network channels 2 (Seed.ofInt 1)
            let theirs = Network.create network channels 2 (Seed.ofInt 1)
            use _ours = ours.Module
            use _theirs = theirs.Module
            use optimizer = Optimizer.create Optimizer.standard ours

            let sgd = stochastic theirs
            let prepared = drawn |> Array.map (Batch.toTensors torch.CPU)

            let times =
                inTurn
                    pairs
                    (fun number -> TrainingStep.run 0.01 ours optimizer loss drawn[number % drawn.Length] |> ignore)
                    (fun number -> bareStep theirs sgd loss prepared[number % prepared.Length])

            let own = median (times |> Array.map (fun (struct (a, _)) -> a))
            let bare = median (times |> Array.map (fun (struct (_, b)) -> b))
            let ratio = median (times |> Array.map (fun (struct (a, b)) -> a / b))

            printfn
                "step %-14s ours %7.1f ms, bare TorchSharp loop %7.1f ms (medians of %d pairs): %.3fx"
                name
                own
                bare
                times.Length
                ratio

            let channelsLast (images: Tensor, targets: Target list) =
                let rank = int (images.dim ())
                let last = Array.append [| 0L |] (Array.append [| 2L .. int64 rank - 1L |] [| 1L |])
                let first = Array.append [| 0L; int64 rank - 1L |] [| 1L .. int64 rank - 2L |]
                images.permute(last).contiguous().permute(first), targets

            let turned = prepared |> Array.map channelsLast

            let times =
                inTurn
                    (pairs / 2)
                    (fun number -> bareStep theirs sgd loss turned[number % turned.Length])
                    (fun number -> bareStep theirs sgd loss prepared[number % prepared.Length])

            printfn
                "  with channels last in memory, by channels first: %.3fx (median of %d pairs)"
                (median (times |> Array.map (fun (struct (a, b)) -> a / b)))
                times.Length

    // What a process holds after collections, in MiB: in all, of managed objects, committed by the garbage collector, and
    // handed out by the C library.
    let private held () : struct (float * float * float * float) =
        for _ in 1..2 do
            GC.Collect()
            GC.WaitForPendingFinalizers()

        GC.Collect()
        use self = Process.GetCurrentProcess()

        struct (float self.WorkingSet64 / 1048576.0,
                float (GC.GetTotalMemory false) / 1048576.0,
                float (GC.GetGCMemoryInfo().TotalCommittedBytes) / 1048576.0,
                NativeMemory.inUse ())

    // MiB per 1000 steps by least squares, over the parts after the first.
    let private slope (perPart: int) (values: float[]) : float =
        let values = Array.skip 1 values
        let middle = float (values.Length - 1) / 2.0
        let mean = Array.average values

        let over =
            values
            |> Array.mapi (fun i value -> (float i - middle) * (value - mean))
            |> Array.sum

        let under = values |> Array.mapi (fun i _ -> (float i - middle) ** 2.0) |> Array.sum
        over / under * 1000.0 / float perPart

    let private lastingLoop (name: string) (count: int) (work: int -> unit) : unit =
        let parts = 10
        let perPart = count / parts

        let points =
            [|
                for part in 0..parts do
                    if part > 0 then
                        for number in 0 .. perPart - 1 do
                            work (part * count + number)

                    struct (Tensors.liveCount (), held ())
            |]

        let live = points |> Array.map (fun (struct (live, _)) -> live)

        let of' (pick: struct (float * float * float * float) -> float) =
            points |> Array.map (fun (struct (_, held)) -> pick held)

        let print (what: string) (values: float[]) =
            printfn
                "  %-42s %8.1f MiB after %d steps, %8.1f at the end: %.3f MiB per 1000 steps"
                what
                values[1]
                perPart
                values[parts]
                (slope perPart values)

        printfn "%d steps of %s: live tensors %d after %d and %d at the end" count name live[1] perPart live[parts]
        print "resident" (of' (fun (struct (value, _, _, _)) -> value))
        print "managed objects" (of' (fun (struct (_, value, _, _)) -> value))
        print "committed by the garbage collector" (of' (fun (struct (_, _, value, _)) -> value))
        print "handed out by the C library" (of' (fun (struct (_, _, _, value)) -> value))

    // With 0, methods are compiled once and for all when they are called first. Otherwise .NET compiles those that are called often
    // again, in a thread of its own, for many thousand steps; glibc keeps what that thread frees, as it is told to.
    let private tiering = "DOTNET_TieredCompilation"

    /// Live tensors and memory over many steps of a tiny network, in our loop and in a bare one.
    let lasting (count: int) : unit =
        LibTorch.ensure ()
        let network = TrainData.architecture [ 4; 8 ] 2 1
        let plan = TrainData.configuration [ 32; 32 ] 2 1 network

        let source =
            TrainData.source Augment.options true plan (TrainData.case (Extent.plane 96 96) 1)

        let loss = Objective.loss Objective.skeletonRecall [ 1.0 ]
        let tiny = Network.create network 1 2 (Seed.ofInt 1)
        use _tiny = tiny.Module
        use optimizer = Optimizer.create Optimizer.standard tiny

        lastingLoop "a tiny network in our loop" count (fun number ->
            let batch = Loader.draw source (Seed.ofInt number)
            TrainingStep.run 0.001 tiny optimizer loss batch |> ignore
            Batch.recycle batch)

        if Environment.GetEnvironmentVariable tiering <> "0" then
            printfn "the same, and more, where .NET compiles all code at once and nothing in the background:"
            PeakMemory.again [ "training"; "lasting" ] [ tiering, "0" ]
        else
            let drawn = Loader.draw source (Seed.ofInt 1)

            lastingLoop "the same with one batch" count (fun _ ->
                TrainingStep.run 0.001 tiny optimizer loss drawn |> ignore)

            lastingLoop "drawing batches alone" count (fun number ->
                Loader.draw source (Seed.ofInt number) |> Batch.recycle)

            let bare = Network.create network 1 2 (Seed.ofInt 1)
            use _bare = bare.Module

            use sgd =
                torch.optim.SGD(bare.Module.parameters (), 0.001, momentum = 0.99, weight_decay = 3e-5, nesterov = true)

            lastingLoop "a bare TorchSharp loop with cross-entropy" count (fun _ ->
                use _scope = torch.NewDisposeScope()
                sgd.zero_grad ()
                let images, targets = Batch.toTensors torch.CPU drawn
                let logits = (bare.Forward images).Head

                let ids =
                    match targets.Head.Truth with
                    | Classes ids
                    | Regions ids -> ids.squeeze(1L).to_type torch.int64

                let value = torch.nn.functional.cross_entropy (logits, ids)
                value.backward ()
                sgd.step () |> ignore)

    let private status (key: string) : float =
        File.ReadAllLines "/proc/self/status"
        |> Array.tryFind (fun line -> line.StartsWith(key, StringComparison.Ordinal))
        |> Option.map (fun line ->
            let number = line.Substring(line.IndexOf ':' + 1).Replace("kB", "")
            Double.Parse(number, NumberStyles.Float, CultureInfo.InvariantCulture) / 1024.0)
        |> Option.defaultValue nan

    /// The peak of memory while a volume of 256^3 with 14 classes is predicted, above that of the loaded model and volume.
    let memory () : unit =
        LibTorch.ensure ()
        let size, classes = 256, 14
        let network = TrainData.architecture [ 4; 8 ] 3 1
        let model = Network.create network 1 classes (Seed.ofInt 1)
        use _model = model.Module
        let extent = Extent.space size size size

        let image =
            Image.create 1 extent (Array.init extent.Count (fun i -> float32 (i % 17)))

        let patch = Extent.space 64 64 64

        let options =
            { Inference.standard with
                TilesAtOnce = 1
            }

        let grid =
            {
                Resampling = Resampling.standard
                Extent = extent
                Spacing = image.Spacing
            }

        // Everything is compiled and every pool is filled before it counts.
        let small = Image.create 1 patch (Array.sub image.Data 0 patch.Count)
        let smallGrid = { grid with Extent = patch }

        Inference.labelsAt options Outputs.Classes smallGrid patch classes (Inference.reusing model) small
        |> ignore

        GC.Collect()
        File.WriteAllText("/proc/self/clear_refs", "5")
        let before = status "VmRSS"
        let native = NativeMemory.inUse ()
        let managed = float (GC.GetTotalMemory false) / 1048576.0
        let peaks = [| struct (0.0, 0.0, 0.0) |]
        use stop = new ManualResetEventSlim()

        let watch =
            Thread(fun () ->
                while not (stop.Wait 10) do
                    let struct (highest, _, _) = peaks[0]
                    let now = status "VmRSS" - before

                    if now > highest then
                        peaks[0] <-
                            struct (now,
                                    float (GC.GetTotalMemory false) / 1048576.0 - managed,
                                    NativeMemory.inUse () - native))

        watch.Start()
        let clock = Stopwatch.StartNew()

        let labels =
            Inference.labelsAt options Outputs.Classes grid patch classes (Inference.reusing model) image

        let seconds = clock.Elapsed.TotalSeconds
        let peak = status "VmHWM" - before
        stop.Set()
        watch.Join()
        let struct (_, managedAtPeak, nativeAtPeak) = peaks[0]
        let whole = float extent.Count * float classes * 4.0 / 1048576.0

        printfn
            "prediction of %O voxels, %d classes, tiles of %O: %.0f MiB above the loaded model and volume, %.2f of full-precision logits (%.0f MiB); %.1f s, %d foreground voxels"
            extent
            classes
            patch
            peak
            (peak / whole)
            whole
            seconds
            (labels.Data |> Array.sumBy (fun label -> if label > 0s then 1 else 0))

        printfn
            "  of these about %.0f MiB of arrays and %.0f MiB handed out by the C library"
            managedAtPeak
            nativeAtPeak
