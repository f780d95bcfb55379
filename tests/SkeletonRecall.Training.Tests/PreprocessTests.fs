module SkeletonRecall.Tests.PreprocessTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// The inputs of golden/preprocess/make.py.
let private inputs (shape: int list) (channels: int) : float32[] * int16[] =
    let depth, height, width = shape[0], shape[1], shape[2]
    let count = depth * height * width

    let at (i: int) =
        struct (i / (height * width), i / width % height, i % width)

    let isInside (i: int) =
        let struct (z, y, x) = at i

        y + x > 7
        && y >= 2
        && y < height - 3
        && x >= 1
        && x < width - 2
        && (z >= 1 || depth = 1)
        && not (z = depth / 2 && y = height / 2 && x = width / 2)
        && (i % 29 <> 0 || x > 3)

    let image =
        Array.init (channels * count) (fun n ->
            let c, i = n / count, n % count

            if isInside i then
                float32 (float ((i * 7919 + 13 * (i % 17) + 101 * c) % 1009) / 10.0 + 1.0)
            else
                0.0f)

    let labels =
        Array.init count (fun i ->
            let struct (z, y, x) = at i

            if x < 2 && y > 1 then
                0s
            else
                int16 ((z * z + 2 * y * x + 3 * x) / 25 % 3))

    image, labels

let private dataset: Dataset =
    Dataset.create "made" [ "a" ] [ "background", 0; "one", 1; "two", 2 ] ".nii.gz" 1

let private ct: Normalization =
    Ct
        {
            Maximum = 100.0
            Mean = 48.5
            Median = 48.0
            Minimum = 1.0
            Low = 5.0
            High = 95.0
            Deviation = 27.25
        }

let private configuration (spacing: float list) (schemes: Normalization list) : Configuration =
    { Planner.plane Planner.standard 3 schemes [ 1.0; 1.0 ] [ 64.0; 64.0 ] 1e6 with
        Spacing = spacing
        Normalization = schemes
    }

let private caseOf (isPlane: bool) (shape: int list) (spacing: float list) (channels: int) : Case =
    let image, labels = inputs shape channels
    let extent = Extent.ofShape (if isPlane then shape.Tail else shape)
    let spacing = Spacing.ofList (if isPlane then spacing.Tail else spacing)

    Case.create
        (CaseId.ofString "made")
        { Image.create channels extent image with
            Spacing = spacing
        }
        (Some(Volume.create extent labels |> Volume.withSpacing spacing))

let private array (name: string) : NpyArray =
    match Npy.decode (Golden.bytes $"preprocess/%s{name}.npy") with
    | Ok array -> array
    | Error reason -> failtest reason

let private wanted
    (name: string)
    (isPlane: bool)
    (shape: int list)
    (spacing: float list)
    (order: int list)
    (target: float list)
    (schemes: Normalization list)
    : PreprocessedCase =
    let case = caseOf isPlane shape spacing schemes.Length

    let found =
        Preprocess.case order (configuration target schemes) dataset case
        |> Problem.orThrow

    let image = array $"%s{name}-image"

    let size = if isPlane then image.Shape.Tail.Tail else image.Shape.Tail

    Expect.equal found.Image.Extent.Shape size "size"

    match image.Values with
    | Float32s values ->
        let largest =
            Array.map2 (fun (a: float32) b -> abs (a - b)) found.Image.Data values
            |> Array.max

        Expect.isLessThan largest 1e-4f "image"
    | other -> failtest $"%A{other}"

    match (array $"%s{name}-labels").Values, found.Labels with
    | Int16s values, Some labels -> Expect.equal labels.Data values "labels"
    | other -> failtest $"%A{other}"

    let locations = (Option.get found.Locations).Classes
    Expect.equal (List.ofSeq locations.Keys) [ 1; 2 ] "classes"

    for label in [ 1; 2 ] do
        match (array $"%s{name}-at-%d{label}").Values with
        | Int64s values -> Expect.equal (Array.map int64 locations[label]) values "positions, in numpy's order"
        | other -> failtest $"%A{other}"

    found

let private volume = [ 9; 14; 16 ]

let private refused (result: Result<'T, Problem>) : string =
    match result with
    | Ok _ -> failtest "it was not refused"
    | Error problem -> Problem.message problem

[<Tests>]
let tests =
    testList
        "Preprocess"
        [
            testList
                "numpy's and scipy's steps of nnU-Net"
                [
                    test "of an even volume of two channels" {
                        let found =
                            wanted
                                "even"
                                false
                                volume
                                [ 1.5; 1.0; 1.2 ]
                                [ 0; 1; 2 ]
                                [ 1.2; 0.9; 1.6 ]
                                [ ZScore; ZScoreInside ]

                        Expect.contains (Option.get found.Labels).Data -1s "outside"
                    }

                    test "with turned axes, CT and a rescaled channel" {
                        wanted "turned" false volume [ 1.0; 1.1; 2.0 ] [ 2; 0; 1 ] [ 1.5; 1.0; 0.8 ] [ ct; RescaleTo01 ]
                        |> ignore
                    }

                    test "with an axis that is resampled by itself" {
                        wanted "separate" false [ 7; 14; 16 ] [ 4.0; 1.0; 1.0 ] [ 0; 1; 2 ] [ 2.5; 0.8; 0.9 ] [ ZScore ]
                        |> ignore
                    }

                    test "of the slices of a volume, whose distance stays" {
                        wanted "slices" false [ 7; 14; 16 ] [ 1.3; 1.0; 1.0 ] [ 0; 1; 2 ] [ 0.8; 0.9 ] [ ZScoreInside ]
                        |> ignore
                    }

                    test "of a volume of one slice" {
                        wanted
                            "one-slice"
                            false
                            [ 1; 14; 16 ]
                            [ 5.0; 1.0; 1.0 ]
                            [ 0; 1; 2 ]
                            [ 2.0; 1.3; 0.7 ]
                            [ NoNormalization ]
                        |> ignore
                    }

                    test "of a plane of three channels" {
                        wanted
                            "plane"
                            true
                            [ 1; 14; 16 ]
                            [ 999.0; 1.0; 1.0 ]
                            [ 0; 1; 2 ]
                            [ 0.8; 1.3 ]
                            [ ZScore; ZScore; NoNormalization ]
                        |> ignore
                    }
                ]

            test "the box and the axes lead back to the file's voxels" {
                let case = caseOf false volume [ 1.0; 1.1; 2.0 ] 1
                let labels = Option.get case.Labels

                // The spacing as it is, so that nothing is resampled.
                let found =
                    Preprocess.case [ 2; 0; 1 ] (configuration [ 2.0; 1.0; 1.1 ] [ ZScore ]) dataset case
                    |> Problem.orThrow

                let back =
                    Option.get found.Labels
                    |> Volume.map (fun label -> max 0s label)
                    |> Preprocess.restore found.Properties

                Expect.equal back.Extent labels.Extent "size"
                Expect.equal back.Spacing labels.Spacing "spacing"
                let nonZero = Crop.nonZero case.Image
                let box = Crop.boundingBox nonZero

                for z in 0..8 do
                    for y in 0..13 do
                        for x in 0..15 do
                            let isInside =
                                z >= box.FirstSlice
                                && z < box.EndSlice
                                && y >= box.FirstRow
                                && y < box.EndRow
                                && x >= box.FirstColumn
                                && x < box.EndColumn

                            let at = Extent.index labels.Extent z y x
                            Expect.equal back.Data[at] (if isInside then labels.Data[at] else 0s) $"%d{z} %d{y} %d{x}"
            }

            test "an image to predict goes the same way as that of a case" {
                let case = caseOf false volume [ 1.5; 1.0; 1.2 ] 2
                let plan = configuration [ 1.2; 0.9; 1.6 ] [ ZScore; RescaleTo01 ]
                let trained = Preprocess.case [ 0; 1; 2 ] plan dataset case |> Problem.orThrow

                let image, properties =
                    Preprocess.image [ 0; 1; 2 ] plan case.Id case.Image |> Problem.orThrow

                Expect.equal image.Data trained.Image.Data "values"
                Expect.equal properties trained.Properties "properties"
            }

            test "what goes in is left alone" {
                let case = caseOf false volume [ 1.0; 1.0; 1.0 ] 1
                let before = Array.copy case.Image.Data
                // Neither cropped nor resampled.
                let filled =
                    { case with
                        Image =
                            { case.Image with
                                Data = Array.map (fun value -> value + 1.0f) case.Image.Data
                            }
                    }

                let kept = Array.copy filled.Image.Data

                for order in [ [ 0; 1; 2 ]; [ 1; 2; 0 ] ] do
                    for case in [ case; filled ] do
                        Preprocess.case order (configuration [ 1.0; 1.0; 1.0 ] [ ZScore ]) dataset case
                        |> Problem.orThrow
                        |> ignore

                Expect.equal case.Image.Data before "cropped"
                Expect.equal filled.Image.Data kept "whole"
            }

            test "what cannot be prepared is refused in one sentence" {
                let prepared spacing schemes order case =
                    Preprocess.case order (configuration spacing schemes) dataset case |> refused

                let case = caseOf false volume [ 1.0; 1.0; 1.0 ] 1
                let broken = Array.copy case.Image.Data
                broken[14 * 16 + 16 + 2] <- nanf

                let withValues (data: float32[]) =
                    { case with
                        Image = { case.Image with Data = data }
                    }

                Expect.equal
                    (prepared [ 1.0; 1.0; 1.0 ] [ ZScore ] [ 0; 1; 2 ] (withValues broken))
                    "case made: got NaN in channel 0, slice 1, row 1, column 2; wanted numbers only: replace such voxels, e.g. by the smallest value of the image."
                    "NaN"

                broken[14 * 16 + 16 + 2] <- Single.NegativeInfinity

                Expect.stringContains
                    (prepared [ 1.0; 1.0; 1.0 ] [ ZScore ] [ 0; 1; 2 ] (withValues broken))
                    "got an infinite value in channel 0, slice 1"
                    "infinite"

                Expect.stringContains
                    (prepared [ 1.0; 1.0; 1.0 ] [ ZScore; ZScore ] [ 0; 1; 2 ] case)
                    "got 1 channels; wanted 2, as the plans have"
                    "channels"

                Expect.stringContains
                    (prepared [ 40.0; 1.0; 1.0 ] [ ZScore ] [ 0; 1; 2 ] case)
                    "nothing would be left at 40 x 1 x 1 mm; wanted a larger image: leave the case out, or plan with -overwrite_target_spacing"
                    "vanishes"

                let plane = caseOf true [ 1; 14; 16 ] [ 999.0; 1.0; 1.0 ] 1

                Expect.stringContains
                    (prepared [ 1.0; 1.0; 1.0 ] [ ZScore ] [ 0; 1; 2 ] plane)
                    "wanted a volume, or a configuration for planes"
                    "plane"

                Expect.stringContains
                    (prepared [ 1.0; 1.0 ] [ ZScore ] [ 1; 0; 2 ] plane)
                    "wanted a volume, whose axes go in the order [1; 0; 2]"
                    "turned plane"
            }

            test "what a case allocates is no more than the stated peak" {
                let shape = [ 40; 60; 50 ]
                let case = caseOf false shape [ 1.0; 1.0; 1.0 ] 2

                let sparse =
                    Option.get case.Labels
                    |> Volume.map (fun label -> if label = 1s then 1s else 0s)
                    |> fun labels ->
                        Volume.create
                            labels.Extent
                            (labels.Data |> Array.mapi (fun i label -> if i % 50 = 0 then label else 0s))

                let case = { case with Labels = Some sparse }

                let plan = configuration [ 0.8; 0.9; 1.2 ] [ ZScore; RescaleTo01 ]
                let before = GC.GetAllocatedBytesForCurrentThread()
                let found = Preprocess.case [ 0; 1; 2 ] plan dataset case |> Problem.orThrow
                let allocated = GC.GetAllocatedBytesForCurrentThread() - before
                let voxels (extent: Extent) = int64 extent.Count
                let read = voxels case.Image.Extent

                let peak =
                    Preprocess.peakBytes
                        2
                        read
                        (voxels (CaseProperties.afterCropping found.Properties))
                        (voxels found.Image.Extent)

                // The case itself is there before; counting labels takes a megabyte, whatever the case.
                Expect.isLessThan allocated (peak - 10L * read + 1_000_000L) "bytes"
            }

            test "an empty image is kept whole" {
                let case = caseOf false volume [ 1.0; 1.0; 1.0 ] 1

                let empty =
                    { case with
                        Image = Image.create 1 case.Image.Extent (Array.zeroCreate case.Image.Extent.Count)
                    }

                let found =
                    Preprocess.case [ 0; 1; 2 ] (configuration [ 1.0; 1.0; 1.0 ] [ ZScore ]) dataset empty
                    |> Problem.orThrow

                Expect.equal found.Image.Extent case.Image.Extent "size"
                Expect.allEqual found.Image.Data 0.0f "values"
            }
        ]
