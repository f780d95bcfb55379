module SkeletonRecall.Tests.FingerprintTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private extent = Extent.space 6 7 8

// Values in 23 steps, zero in the last slice and the first column, and a cavity of two voxels.
let private value (slice: int) (row: int) (column: int) : float32 =
    if slice = 5 || column = 0 || ((slice = 2 || slice = 3) && row = 3 && column = 4) then
        0.0f
    else
        float32 (((slice * 7 + row) * 8 + column) % 23) * 0.5f + 1.0f

let private places =
    [|
        for slice in 0..5 do
            for row in 0..6 do
                for column in 0..7 do
                    slice, row, column
    |]

let private image: Image =
    let channel =
        places |> Array.map (fun (slice, row, column) -> value slice row column)

    Image.create 2 extent (Array.append channel (Array.map (fun value -> value * value) channel))

let private labels: LabelMap =
    places
    |> Array.map (fun (slice, row, column) -> if (slice + row + column) % 3 = 0 then 1s else 0s)
    |> Volume.create extent

let private case = Case.create (CaseId.ofString "one") image (Some labels)

[<Tests>]
let tests =
    testList
        "Fingerprint"
        [
            test "images are cropped to what is not zero, cavities filled" {
                let mask = Crop.nonZero image
                Expect.equal (Mask.count mask) 245 "voxels"
                let box = Crop.boundingBox mask
                Expect.equal (Crop.shape extent box) [ 5; 7; 7 ] "box"
                let inside = Crop.values extent box labels.Data
                Expect.equal inside.Length 245 "values"
                Expect.equal inside[0] 0s "the label of slice 0, row 0, column 1"
                Expect.equal inside[2] 1s "of column 3"
            }

            test "cavities are the parts of the background that do not reach the border" {
                for seed in 1..60 do
                    let rng = Seed.rng (Seed.ofInt seed)

                    let extent =
                        Extent.space (1 + rng.NextInt 8) (1 + rng.NextInt 9) (1 + rng.NextInt 10)

                    let share = 0.5 + 0.4 * rng.NextDouble()

                    let values =
                        Array.init extent.Count (fun _ -> if rng.Chance share then 1.0f else 0.0f)

                    let mask = Volume.create extent values |> Mask.ofVolume (fun value -> value <> 0.0f)

                    let struct (parts, count) = Components.label Connectivity.Six (Mask.complement mask)

                    let reaches = Array.zeroCreate<bool>(count + 1)

                    for at in 0 .. extent.Count - 1 do
                        let column = at % extent.Width
                        let row = at / extent.Width % extent.Height
                        let slice = at / extent.Width / extent.Height

                        if
                            column = 0
                            || row = 0
                            || slice = 0
                            || column = extent.Width - 1
                            || row = extent.Height - 1
                            || slice = extent.Depth - 1
                        then
                            reaches[parts.Data[at]] <- true

                    let wanted =
                        parts.Data
                        |> Array.map (fun part -> if part = 0 || not reaches[part] then 1uy else 0uy)

                    Expect.equal (Mask.toVolume (Crop.nonZero (Image.create 1 extent values))).Data wanted $"%d{seed}"
            }

            test "a hole of a plane stays, and an empty image is kept whole" {
                let plane = Extent.plane 4 5
                let ring = Array.init 20 (fun place -> if place = 7 then 0.0f else 1.0f)
                Expect.equal (Mask.count (Crop.nonZero (Image.create 1 plane ring))) 19 "hole"
                let empty = Image.create 1 plane (Array.zeroCreate 20)
                Expect.equal (empty |> Crop.nonZero |> Crop.boundingBox) (Crop.whole plane) "box"
            }

            test "a box outside the volume is refused" {
                let box = { Crop.whole extent with EndColumn = 9 }

                Expect.throwsT<System.ArgumentException> (fun () -> Crop.values extent box labels.Data |> ignore) "box"
            }

            // The numbers are numpy 1.24.2's: RandomState(1234), choice with replacement of 1e5 values of each channel in
            // turn, percentile and std.
            test "intensities are those of nnU-Net's draws" {
                let measures = Fingerprint.ofCase 1000 case
                Expect.equal measures.Shape [ 5; 7; 7 ] "shape"
                Expect.floatClose Accuracy.veryHigh measures.RelativeSize 0.7291666666666666 "relative size"
                let fingerprint = Fingerprint.ofMeasures "set" [ measures ] |> Problem.orThrow

                for found, wanted in
                    List.zip
                        [ fingerprint.Intensities[0]; fingerprint.Intensities[1] ]
                        [
                            [ 12.0; 6.374545; 6.5; 0.0; 0.0; 12.0; 3.3879704164846243 ]
                            [ 144.0; 52.430265; 42.25; 0.0; 0.0; 144.0; 44.59431155741476 ]
                        ] do
                    let numbers =
                        [
                            found.Maximum
                            found.Mean
                            found.Median
                            found.Minimum
                            found.Low
                            found.High
                            found.Deviation
                        ]

                    for number, wanted in List.zip numbers wanted do
                        Expect.floatClose Accuracy.high number wanted $"%A{numbers}"
            }

            test "planes are volumes of one slice, 999 mm thick" {
                let plane = Extent.plane 4 5
                let image = Image.create 1 plane (Array.create 20 1.0f)
                let labels = Volume.create plane (Array.create 20 1s)

                let measures =
                    Fingerprint.ofCase 100000 (Case.create (CaseId.ofString "plane") image (Some labels))

                Expect.equal (measures.Spacing, measures.Shape) ([ 999.0; 1.0; 1.0 ], [ 1; 4; 5 ]) "in space"
            }

            test "a fingerprint goes out and comes back, and files that are none are problems" {
                let fingerprint =
                    Fingerprint.ofMeasures "set" [ Fingerprint.ofCase 1000 case ] |> Problem.orThrow

                Expect.equal
                    (Fingerprint.parse "f.json" (Fingerprint.print fingerprint))
                    (Ok fingerprint)
                    "printed and read back"

                for json in
                    [
                        "{"
                        "[]"
                        """{"spacings": [[1, 1]], "shapes_after_crop": [[1, 1]], "median_relative_size_after_cropping": 1}"""
                    ] do
                    match Fingerprint.parse "f.json" json with
                    | Error problem -> Expect.stringContains (Problem.message problem) "f.json" "file"
                    | Ok _ -> failtest json
            }

            test "no cases and no foreground are problems" {
                Expect.isError (Fingerprint.ofMeasures "set" []) "no cases"

                let blank =
                    Case.create case.Id image (Some(Volume.create extent (Array.zeroCreate extent.Count)))

                match Fingerprint.ofMeasures "set" [ Fingerprint.ofCase 10 blank ] with
                | Error problem -> Expect.stringContains (Problem.message problem) "foreground" "reason"
                | Ok _ -> failtest "a problem is wanted"
            }
        ]
