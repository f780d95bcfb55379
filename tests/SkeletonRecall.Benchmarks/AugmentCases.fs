namespace SkeletonRecall.Benchmarks

open System
open System.Diagnostics
open System.Globalization
open System.IO
open System.Reflection
open SkeletonRecall
open SkeletonRecall.Training

/// What augmented batches cost, against the same steps in Python and step by step.
[<RequireQualifiedAccess>]
module AugmentCases =

    // Both sides in turn so many times.
    [<Literal>]
    let private Rounds = 3

    // Mean milliseconds of a batch, over so many from the first one's number on.
    let private batches (first: int) (count: int) (source: BatchSource) : float =
        // A batch is done with when its tensors are made; then the next ones get its arrays.
        let draw (number: int) (seed: int) =
            Loader.draw source (Seed.child number (Seed.ofInt seed)) |> Batch.recycle

        let warm = Stopwatch.StartNew()

        while warm.Elapsed.TotalSeconds < 0.7 do
            draw (int warm.ElapsedMilliseconds) 9

        let clock = Stopwatch.StartNew()

        for number in first .. first + count - 1 do
            draw number 5

        clock.Elapsed.TotalMilliseconds / float count

    // Mean milliseconds of a batch by numpy, scipy, scikit-image and torch, and the share of skeletons in it.
    let private python (seed: int) (count: int) (case: Case) : (float * float) option =
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
                    [ script; string count; folder; string shape.Length; string seed ],
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

    // Mean milliseconds that skeletons take in batches of the source.
    let private skeletons (first: int) (count: int) (source: BatchSource) : float =
        let extent = Extent.ofShape source.FinalSize
        let target = Array.zeroCreate<int16> extent.Count
        let clock = Stopwatch()

        for number in first .. first + count - 1 do
            let labels =
                (Loader.draw source (Seed.child number (Seed.ofInt 5))).Heads.Head.Labels

            for patch in 0 .. source.BatchSize - 1 do
                let part = ReadOnlySpan<int16>(labels, patch * extent.Count, extent.Count)
                clock.Start()
                Tube.ofLabelsInto Tube.standard extent (Spacing.unit extent.Rank) part (Span target)
                clock.Stop()

        clock.Elapsed.TotalMilliseconds / float count

    // Augmentation with one change alone, by name, and how often nnU-Net makes it.
    let private changes: (string * float * AugmentOptions) list =
        let still, options = Augment.still, Augment.options

        [
            "rotation and scaling",
            0.36,
            { still with
                Rotation = 1.0
                Scaling = 1.0
            }
            "noise", options.Noise, { still with Noise = 1.0 }
            "blur", options.Blur, { still with Blur = 1.0 }
            "brightness", options.Brightness, { still with Brightness = 1.0 }
            "contrast", options.Contrast, { still with Contrast = 1.0 }
            "low resolution", options.LowResolution, { still with LowResolution = 1.0 }
            "gamma", options.Gamma + options.InvertedGamma, { still with Gamma = 1.0 }
            "mirroring", 1.0, { still with Mirror = 0.5 }
        ]

    // What each change adds to a batch that is cut and put together, and what it comes to as often as nnU-Net makes it.
    let private profile (count: int) (plan: Configuration) (case: Case) : unit =
        let least (options: AugmentOptions) =
            List.init 3 (fun _ -> batches 0 count (TrainData.source options false plan case))
            |> List.min

        let still = least Augment.still
        printfn "  cut and put together %31.2f ms" still

        for name, often, options in changes do
            let more = least options - still
            printfn "  %-24s each time %7.2f ms, on average %6.2f ms" name more (often * more)

    /// Batches of 2 augmented patches with skeletons, on one thread.
    let augmented () : unit =
        for name, extent, channels, patch, stages, count, theirCount in
            [
                "2D 2x3x512^2", Extent.plane 900 900, 3, [ 512; 512 ], 5, 300, 100
                "3D 2x1x96^3", Extent.space 200 200 200, 1, [ 96; 96; 96 ], 5, 100, 40
            ] do
            let case = TrainData.case extent channels

            let plan =
                TrainData.configuration
                    patch
                    2
                    channels
                    (TrainData.architecture (List.replicate stages 8) patch.Length 1)

            let source = TrainData.source Augment.options true plan case

            // In turn, so that what else the machine does meets both.
            let measured =
                Array.init Rounds (fun round ->
                    let count = count / Rounds

                    {|
                        Ours = batches (round * count) count source
                        Skeletons = skeletons (round * count) count source
                        Theirs = python round (theirCount / Rounds) case
                    |})

            let ours = measured |> Array.averageBy _.Ours
            let skeletons = measured |> Array.averageBy _.Skeletons
            let share = 100.0 * skeletons / ours

            match measured |> Array.choose _.Theirs with
            | theirs when theirs.Length = Rounds ->
                let ratios =
                    measured |> Array.map (fun round -> fst round.Theirs.Value / round.Ours)

                let theirSkeletons = theirs |> Array.averageBy (fun (time, share) -> time * share)
                let theirs = theirs |> Array.averageBy fst

                printfn
                    "augmented batch %-14s ours %8.2f ms (skeletons %.2f ms, %4.1f %%), numpy/scipy/scikit-image/torch %8.1f ms (%.1f ms, %4.1f %%): %.1fx (%.1f to %.1fx in %d rounds)"
                    name
                    ours
                    skeletons
                    share
                    theirs
                    theirSkeletons
                    (100.0 * theirSkeletons / theirs)
                    (theirs / ours)
                    (Array.min ratios)
                    (Array.max ratios)
                    Rounds
            | _ ->
                printfn
                    "augmented batch %-14s ours %8.2f ms (skeletons %.2f ms, %4.1f %%); no Python"
                    name
                    ours
                    skeletons
                    share

            profile 20 plan case
