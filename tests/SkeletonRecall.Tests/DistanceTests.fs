module SkeletonRecall.Tests.DistanceTests

open System
open System.IO
open System.IO.Compression
open System.Text.Json
open Expecto
open SkeletonRecall

let private spacingOf (random: Random) (rank: int) : Spacing =
    Spacing.ofList (List.init rank (fun _ -> 0.25 + 2.0 * random.NextDouble()))

// The obvious way: each pair of a voxel and a target voxel.
let private plain (targets: Mask) : float[] =
    let extent = targets.Extent
    let steps = Array.ofList targets.Spacing.Values
    let row, column = steps[steps.Length - 2], steps[steps.Length - 1]
    let slice = if extent.Rank = 3 then steps[0] else 1.0
    let bytes = (Mask.toVolume targets).Data

    let place (at: int) : struct (float * float * float) =
        struct (float (at / extent.Width / extent.Height) * slice,
                float (at / extent.Width % extent.Height) * row,
                float (at % extent.Width) * column)

    let targets =
        [|
            for at in 0 .. extent.Count - 1 do
                if bytes[at] = 1uy then
                    place at
        |]

    Array.init extent.Count (fun at ->
        let struct (z, y, x) = place at
        let mutable least = infinity

        for struct (z', y', x') in targets do
            let square = (z - z') * (z - z') + (y - y') * (y - y') + (x - x') * (x - x')

            if square < least then
                least <- square

        sqrt least)

let private requireClose (name: string) (got: Volume<float>) (wanted: float[]) : unit =
    for at in 0 .. wanted.Length - 1 do
        let close =
            got.Data[at] = wanted[at]
            || abs (got.Data[at] - wanted[at]) <= 1e-12 * wanted[at]

        if not close then
            failtest $"%s{name}, %O{got.Extent}, voxel %d{at}: %.17g{got.Data[at]} where %.17g{wanted[at]} is wanted"

let private noise (random: Random) (density: float) (extent: Extent) : Mask =
    Array.init extent.Count (fun _ -> random.NextDouble() < density)
    |> Volume.create extent
    |> Mask.ofVolume id
    |> Mask.withSpacing (spacingOf random extent.Rank)

let private gunzip (path: string) : string =
    let target = Path.GetTempFileName()
    use source = new GZipStream(File.OpenRead path, CompressionMode.Decompress)
    use file = File.Create target
    source.CopyTo file
    target

[<Tests>]
let tests =
    testList
        "Distance"
        [
            testCase "equals the least over all pairs"
            <| fun () ->
                for seed in 1..150 do
                    let random = Random seed
                    let axis () = random.Next(1, 9)

                    let extent =
                        if seed % 2 = 0 then
                            Extent.plane (axis ()) (random.Next(1, 70))
                        else
                            Extent.space (axis ()) (axis ()) (random.Next(1, 20))

                    let mask = noise random (random.NextDouble()) extent
                    requireClose $"seed %d{seed}" (Distance.toBackground mask) (plain (Mask.complement mask))
                    requireClose $"seed %d{seed}, to the mask" (Distance.toMask mask) (plain mask)

            // Farther than the nearest places of a line, so that the envelope has its say.
            testCase "far from a few voxels"
            <| fun () ->
                for seed in 1..12 do
                    let random = Random seed
                    let wide = random.Next(1, 40)

                    let extent =
                        match seed % 4 with
                        | 0 -> Extent.plane 150 wide
                        | 1 -> Extent.plane wide 150
                        | 2 -> Extent.space 120 4 wide
                        | _ -> Extent.space 3 110 wide

                    let mask = noise random (6.0 / float extent.Count) extent
                    requireClose $"seed %d{seed}" (Distance.toMask mask) (plain mask)

            testCase "whole numbers are exact"
            <| fun () ->
                let mask =
                    noise (Random 5) 0.001 (Extent.space 40 70 50)
                    |> Mask.withSpacing (Spacing.unit 3)

                Expect.equal (Distance.toMask mask).Data (plain mask) "to the last bit"

            Property.test "0 outside the mask alone, and keeps extent and spacing" (fun (AnyMask mask) ->
                let distance = Distance.toBackground mask

                distance.Extent = mask.Extent
                && distance.Spacing = mask.Spacing
                && Mask.equal mask (Mask.ofVolume (fun value -> value > 0.0) distance))

            Property.test "neighbours along an axis differ by no more than their distance" (fun (AnyMask mask) ->
                let steps = List.init mask.Extent.Rank (fun axis -> 0.5 + float axis)

                let distance =
                    Distance.toBackground (mask |> Mask.withSpacing (Spacing.ofList steps))

                seq {
                    for at in 0 .. mask.Extent.Count - 2 do
                        if (at + 1) % mask.Extent.Width <> 0 && Double.IsFinite distance.Data[at] then
                            distance.Data[at + 1] - distance.Data[at]
                }
                |> Seq.forall (fun change -> abs change <= List.last steps + 1e-12))

            testCase "no background, no distance"
            <| fun () ->
                for shape in [ [ 1; 1 ]; [ 3; 70 ]; [ 70; 3 ]; [ 40; 2; 9 ] ] do
                    let empty = Mask.empty (Extent.ofShape shape)
                    let far = Array.create empty.Extent.Count infinity
                    Expect.equal (Distance.toBackground (Mask.complement empty)).Data far $"%A{shape}"
                    Expect.equal (Distance.toMask empty).Data far $"%A{shape}, to the mask"

            testCase "recorded of scipy's"
            <| fun () ->
                match Golden.shared with
                | None -> skiptest "shared/data is not here"
                | Some folder ->
                    let suite = Path.Combine(folder, "data", "expected", "computed_reference")
                    use cases = JsonDocument.Parse(File.ReadAllText(Path.Combine(suite, "cases.json")))
                    let mutable compared = 0

                    for case in cases.RootElement.GetProperty("cases").EnumerateArray() do
                        match case.TryGetProperty "edt_inside" with
                        | true, edt when edt.TryGetProperty("array", ref Unchecked.defaultof<JsonElement>) ->
                            let path (element: JsonElement) =
                                gunzip (Path.Combine(suite, string (element.GetProperty("file").GetString())))

                            let spacing =
                                [
                                    for value in case.GetProperty("spacing_array_order").EnumerateArray() do
                                        value.GetDouble()
                                ]

                            let mask =
                                Golden.mask (path (case.GetProperty "mask"))
                                |> Mask.withSpacing (Spacing.ofList spacing)

                            let wanted = Golden.numpy (path (edt.GetProperty "array")) |> Golden.values<float32>

                            let got = (Distance.toBackground mask).Data
                            let name = string (case.GetProperty("id").GetString())
                            Expect.equal (Array.map float32 got) wanted name

                            Expect.floatClose
                                { absolute = 0.0; relative = 1e-12 }
                                (Array.sum got)
                                (edt.GetProperty("sum").GetDouble())
                                $"sum of %s{name}"

                            compared <- compared + 1
                        | _ -> ()

                    Expect.isGreaterThan compared 2 "cases"
        ]
