namespace SkeletonRecall.Benchmarks

open System
open System.Diagnostics
open System.Globalization
open System.IO
open System.Reflection
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

/// What training and prediction cost: augmented batches against the same steps in Python, a step against a bare loop,
/// what lives on after many steps, and the memory of a large prediction.
[<RequireQualifiedAccess>]
module TrainCases =

    let private architecture (features: int list) (rank: int) (convs: int) : Architecture =
        let stages = features.Length
        let axes (value: int) = List.replicate rank value

        {
            Blocks = Plain
            FeaturesPerStage = features
            KernelSizes = List.replicate stages (axes 3)
            Strides = List.init stages (fun stage -> axes (if stage = 0 then 1 else 2))
            ConvsPerStage = List.replicate stages convs
            ConvsPerStageDecoder = List.replicate (stages - 1) convs
        }

    let private configuration (patch: int list) (batch: int) (channels: int) (network: Architecture) : Configuration =
        {
            DataIdentifier = ""
            PatchSize = patch
            MedianSize = List.map float patch
            BatchSize = batch
            Spacing = List.map (fun _ -> 1.0) patch
            Normalization = List.replicate channels ZScore
            Resampling = Resampling.standard
            BatchDice = false
            Architecture = network
            InheritsFrom = None
            PreviousStage = None
            NextStages = []
        }

    // Vessels with as many channels of noise added.
    let private case (extent: Extent) (channels: int) : Case =
        let made =
            if extent.Rank = 3 then
                Sample.case SampleKind.VesselTrees extent.Width (Seed.ofInt 3)
            else
                Synthetic.vessels
                    { Synthetic.standard with
                        Extent = extent
                        Trees = 6
                    }
                    (Seed.ofInt 3)

        let rng = Seed.rng (Seed.ofInt 4)

        let data =
            Array.init (channels * extent.Count) (fun i ->
                made.Image.Data[i % extent.Count] / 64.0f + float32 (0.1 * rng.Gaussian()))

        Case.create made.Id (Image.create channels extent data) made.Labels

    let private source (tube: bool) (configuration: Configuration) (case: Case) : BatchSource =
        let patch = Extent.ofShape configuration.PatchSize

        Loader.training
            Augment.options
            0.33
            {
                Tube = if tube then Some Tube.standard else None
                CoarseTube = None
                HeadExtents = Batch.headExtents configuration.Architecture.Strides patch
                Regions = []
                Ignore = None
            }
            configuration
            [| Sampler.prepare None case |]

    // Mean milliseconds of a batch.
    let private batches (count: int) (source: BatchSource) : float =
        for number in 0..2 do
            Loader.draw source (Seed.child number (Seed.ofInt 9)) |> ignore

        let clock = Stopwatch.StartNew()

        for number in 0 .. count - 1 do
            Loader.draw source (Seed.child number (Seed.ofInt 5)) |> ignore

        clock.Elapsed.TotalMilliseconds / float count

    let private python (count: int) (case: Case) : (float * float) option =
        let folder = Directory.CreateTempSubdirectory("skeleton-recall-benchmark-").FullName

        try
            use stream =
                nonNull (Assembly.GetExecutingAssembly().GetManifestResourceStream "augment.py")

            use reader = new StreamReader(stream)
            let script = Path.Combine(folder, "augment.py")
            File.WriteAllText(script, reader.ReadToEnd())
            let shape = case.Image.Extent.Shape

            let save (name: string) (array: NpyArray) =
                File.WriteAllBytes(Path.Combine(folder, name), Npy.encode array)

            save
                "image.npy"
                {
                    Shape = case.Image.Channels :: shape
                    Values = Float32s case.Image.Data
                }

            save
                "labels.npy"
                {
                    Shape = shape
                    Values = Int16s case.Labels.Value.Data
                }

            let start =
                ProcessStartInfo(
                    "/usr/bin/python3",
                    [ script; string count; folder; string shape.Length ],
                    RedirectStandardOutput = true
                )

            for name, value in Python.settings do
                start.Environment[name] <- value

            use running = nonNull (Process.Start start)
            let output = running.StandardOutput.ReadToEnd()
            running.WaitForExit()

            if running.ExitCode = 0 then
                let parts =
                    output.Split ' '
                    |> Array.map (fun part -> Double.Parse(part, CultureInfo.InvariantCulture))

                Some(parts[0], parts[1])
            else
                None
        finally
            Directory.Delete(folder, true)

    /// Batches of 2 augmented patches with skeletons, on one thread.
    let augmented () : unit =
        for name, extent, channels, patch, stages, count in
            [
                "2D 2x3x512^2", Extent.plane 900 900, 3, [ 512; 512 ], 5, 60
                "3D 2x1x96^3", Extent.space 200 200 200, 1, [ 96; 96; 96 ], 5, 20
            ] do
            let case = case extent channels

            let plan =
                configuration patch 2 channels (architecture (List.replicate stages 8) patch.Length 1)

            let ours = batches count (source true plan case)
            let without = batches count (source false plan case)
            let share = 100.0 * (ours - without) / ours

            match python (count / 2) case with
            | Some(theirs, theirShare) ->
                printfn
                    "augmented batch %-14s ours %8.1f ms (skeletons %4.1f %%), numpy/scipy/scikit-image/torch %8.1f ms (%4.1f %%): %.1fx"
                    name
                    ours
                    share
                    theirs
                    (100.0 * theirShare)
                    (theirs / ours)
            | None -> printfn "augmented batch %-14s ours %8.1f ms (skeletons %4.1f %%); no Python" name ours share

    let private median (values: float[]) : float =
        let sorted = Array.sort values
        sorted[sorted.Length / 2]

    /// A step of our loop and of a bare TorchSharp loop with the same network, loss and data, in turn.
    let steps (pairs: int) : unit =
        for name, patch, batch, channels, features in
            [
                "2D 2x3x256^2", [ 256; 256 ], 2, 3, [ 8; 16; 32; 64 ]
                "3D 1x1x64^3", [ 64; 64; 64 ], 1, 1, [ 8; 16; 32 ]
            ] do
            LibTorch.ensure ()
            let network = architecture features patch.Length 2
            let plan = configuration patch batch channels network
            let extent = Extent.ofShape (patch |> List.map (fun length -> length + 40))
            let source = source true plan (case extent channels)
            let heads = Batch.headExtents network.Strides (Extent.ofShape patch)
            let loss = Objective.loss Objective.skeletonRecall (Loss.headWeights heads.Length)
            let drawn = Array.init 4 (fun number -> Loader.draw source (Seed.ofInt number))
            let ours = Network.create network channels 2 (Seed.ofInt 1)
            let theirs = Network.create network channels 2 (Seed.ofInt 1)
            use _ours = ours.Module
            use _theirs = theirs.Module
            use optimizer = Optimizer.create Optimizer.standard ours

            let sgd =
                torch.optim.SGD(
                    theirs.Module.parameters (),
                    0.01,
                    momentum = 0.99,
                    weight_decay = 3e-5,
                    nesterov = true
                )

            let prepared = drawn |> Array.map (Batch.toTensors torch.CPU)

            let bare (number: int) =
                use _scope = torch.NewDisposeScope()
                sgd.zero_grad ()
                let images, targets = prepared[number % prepared.Length]
                let value = loss (theirs.Forward images) targets
                value.backward ()
                torch.nn.utils.clip_grad_norm_ (theirs.Module.parameters (), 12.0) |> ignore
                sgd.step () |> ignore
                value.item<float32>() |> ignore

            let own (number: int) =
                TrainingStep.run 0.01 ours optimizer loss drawn[number % drawn.Length] |> ignore

            let timed (work: int -> unit) (number: int) =
                let start = Stopwatch.GetTimestamp()
                work number
                (Stopwatch.GetElapsedTime start).TotalMilliseconds

            for number in 0..4 do
                own number
                bare number

            let clock = Stopwatch.StartNew()

            let times =
                [|
                    let mutable number = 0

                    while number < pairs && clock.Elapsed.TotalSeconds < 70.0 do
                        // Either one goes first, in turn.
                        if number % 2 = 0 then
                            let a = timed own number
                            struct (a, timed bare number)
                        else
                            let b = timed bare number
                            struct (timed own number, b)

                        number <- number + 1
                |]

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

    /// Live tensors and resident memory over many steps of a tiny network.
    let lasting (count: int) : unit =
        LibTorch.ensure ()
        let network = architecture [ 4; 8 ] 2 1
        let plan = configuration [ 32; 32 ] 2 1 network
        let source = source true plan (case (Extent.plane 96 96) 1)
        let heads = Batch.headExtents network.Strides (Extent.plane 32 32)
        let loss = Objective.loss Objective.skeletonRecall [ 1.0 ]
        let tiny = Network.create network 1 2 (Seed.ofInt 1)
        use _tiny = tiny.Module
        use optimizer = Optimizer.create Optimizer.standard tiny
        ignore heads

        let resident () : float =
            GC.Collect()
            GC.WaitForPendingFinalizers()
            GC.Collect()
            use self = Process.GetCurrentProcess()
            float self.WorkingSet64 / 1048576.0

        let parts = 10

        let points =
            [|
                for part in 0..parts do
                    if part > 0 then
                        for number in 0 .. count / parts - 1 do
                            Loader.draw source (Seed.ofInt (part * count + number))
                            |> TrainingStep.run 0.001 tiny optimizer loss
                            |> ignore

                    struct (Tensors.liveCount (), resident ())
            |]

        let struct (firstLive, first) = points[1]
        let struct (lastLive, last) = points[parts]

        printfn
            "%d steps of a tiny network: live tensors %d after %d steps and %d at the end; resident %.1f MiB and %.1f MiB (%.2f MiB per 1000 steps)"
            count
            firstLive
            (count / parts)
            lastLive
            first
            last
            ((last - first) * 1000.0 / float (count - count / parts))

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
        let network = architecture [ 4; 8 ] 3 1
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
        let clock = Stopwatch.StartNew()

        let labels =
            Inference.labelsAt options Outputs.Classes grid patch classes (Inference.reusing model) image

        let seconds = clock.Elapsed.TotalSeconds
        let peak = status "VmHWM" - before
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
