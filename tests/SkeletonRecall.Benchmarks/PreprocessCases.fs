namespace SkeletonRecall.Benchmarks

open System
open System.Globalization
open SkeletonRecall
open SkeletonRecall.Training

/// Resampling and the preprocessing of a whole case against the same steps in scipy and numpy (`theirs.py`). Images agree
/// within 1e-4, labels exactly. Without a Python there is nothing to compare with.
[<RequireQualifiedAccess>]
module PreprocessCases =

    let private tolerance = 1e-4f

    // A scan with a frame of zeros, and the labels of thin tubes in it.
    let private made (extent: Extent) : Case =
        let random = Random 7
        let labels = Masks.labels Masks.thinVolume 1 extent

        let isFrame (at: int) =
            at % extent.Width < 6
            || at / extent.Width % extent.Height < 10
            || at / extent.Width / extent.Height < 4

        let values =
            Array.init extent.Count (fun at ->
                if isFrame at then
                    0.0f
                else
                    float32 (
                        random.NextDouble()
                        + float (at % extent.Width) / 50.0
                        + float labels.Data[at]
                        + 0.1
                    ))

        Case.create
            (CaseId.ofString "made")
            { Image.create 1 extent values with
                Spacing = Spacing.ofList [ 1.5; 0.8; 0.8 ]
            }
            (Some labels)

    let private whole: Extent = Extent.space 112 176 160

    let private dataset: Dataset =
        Dataset.create "made" [ "any" ] [ "background", 0; "tube", 1 ] ".nii.gz" 1

    let private configuration: Configuration =
        { Planner.plane Planner.standard 2 [ ZScore ] [ 1.0; 1.0 ] [ 128.0; 128.0 ] 1e7 with
            Spacing = [ 1.2; 0.7; 0.9 ]
        }

    let private prepare (case: Case) : PreprocessedCase =
        Preprocess.case [ 0; 1; 2 ] configuration dataset case |> Problem.orThrow

    // One array of both, and how many values are of the image.
    let private flat (case: PreprocessedCase) : float32[] * int =
        let labels = (Option.get case.Labels).Data |> Array.map float32
        Array.append case.Image.Data labels, case.Image.Data.Length

    let private agree (ours: float32[], images: int) (theirs: NpyArray) : bool =
        match theirs.Values with
        | Float32s theirs when theirs.Length = ours.Length ->
            let near (at: int) =
                abs (ours[at] - theirs[at]) <= (if at < images then tolerance else 0.0f)

            Seq.forall near (seq { 0 .. ours.Length - 1 })
        | _ -> false

    let private volume (extent: Extent) (values: NpyValues) : NpyArray =
        {
            Shape = extent.Shape
            Values = values
        }

    let private zoom (size: int) (python: Python) (seconds: float) : Row =
        let extent = Extent.space 128 128 128
        let random = Random 5

        let image =
            Array.init extent.Count (fun _ -> float32 (random.NextDouble()))
            |> Image.create 1 extent

        let target = Extent.space size size size

        let struct (ours, result) =
            Timing.best seconds (fun () ->
                let resampled = Resample.image Resampling.standard image.Spacing target image
                fun () -> resampled.Data, resampled.Data.Length)

        let struct (theirs, wanted) =
            Python.time
                python
                "zoom"
                seconds
                [
                    volume extent (Float32s image.Data)
                    {
                        Shape = [ 1 ]
                        Values = Int32s [| size |]
                    }
                ]

        {
            Name = sprintf "cubic resampling 128^3 to %d^3" size
            Ours = ours
            Theirs = theirs
            Equal = agree result wanted
            Whose = "scipy.ndimage.zoom, order 3"
        }

    let private inputs (case: Case) : NpyArray list =
        [
            volume case.Image.Extent (Float32s case.Image.Data)
            volume case.Image.Extent (Int16s (Option.get case.Labels).Data)
        ]

    let private whose = "the same steps in scipy and numpy"

    let private preprocessing (python: Python) (seconds: float) : Row =
        let case = made whole

        let struct (ours, result) =
            Timing.best seconds (fun () ->
                let prepared = prepare case
                fun () -> flat prepared)

        let struct (theirs, wanted) = Python.time python "preprocess" seconds (inputs case)

        {
            Name = sprintf "preprocessing of a case of %O" whole
            Ours = ours
            Theirs = theirs
            Equal = agree result wanted
            Whose = whose
        }

    /// What the process does that `compare` starts for memory: prints the MiB that preprocessing takes at its height above
    /// the loaded case. A small case comes first, for what is compiled once.
    let child () : unit =
        prepare (made (Extent.space 20 24 24)) |> ignore
        let case = made whole
        let kept = ref None
        printfn "%.17g" (PeakMemory.above (fun () -> kept.Value <- Some(prepare case)))
        GC.KeepAlive kept
        GC.KeepAlive case

    let private ourPeak () : float =
        Double.Parse((PeakMemory.child [ "preprocess" ] [])[0], CultureInfo.InvariantCulture)

    let private memory (python: Python) : Row =
        let struct (_, peak) =
            Python.time python "preprocess_peak" 0.0 (inputs (made whole))

        {
            Name = "the same, peak MiB above the case"
            Ours = ourPeak ()
            Theirs =
                match peak.Values with
                | Float64s [| peak |] -> peak
                | other -> invalidOp $"%A{other}"
            Equal = true
            Whose = whose
        }

    /// Measures and prints the rows whose names hold the text; none without a Python.
    let run (python: Python option) (seconds: float) (only: string) : Row list =
        match python with
        | None -> []
        | Some python ->
            [
                "cubic resampling 128^3 to 160^3", fun () -> zoom 160 python seconds
                "cubic resampling 128^3 to 102^3", fun () -> zoom 102 python seconds
                $"preprocessing of a case of %O{whole}", fun () -> preprocessing python seconds
                if PeakMemory.isKnown then
                    "preprocessing: the same, peak MiB above the case", fun () -> memory python
            ]
            |> List.choose (fun (name, measure) ->
                if name.Contains only then
                    let row = measure ()
                    printfn "%s" (Row.print row)
                    Some row
                else
                    None)
