namespace SkeletonRecall.Tests

open System
open Expecto
open FsCheck
open FsCheck.FSharp
open SkeletonRecall

/// A kind of label map that has broken, or could break, code of this project.
type Kind =
    | Empty
    | Full
    | Noise of percent: int
    | Tubes
    | Forks
    | Loops
    | TouchingClasses
    | Strips
    | Blocks
    | Borders

/// Label maps and masks that matter, small enough to be drawn by the hundred.
[<RequireQualifiedAccess>]
module Generators =

    let private kinds =
        [
            Empty
            Full
            Noise 3
            Noise 30
            Noise 55
            Noise 90
            Tubes
            Forks
            Loops
            TouchingClasses
            Strips
            Blocks
            Borders
        ]

    // Paints a ball (a disc in a plane) of a class.
    let private paint (extent: Extent) (data: int16[]) (radius: float) (label: int16) (centre: float[]) =
        let reach = int (ceil radius)
        let low (axis: int) = max 0 (int centre[axis] - reach)

        let high (axis: int) (size: int) =
            min (size - 1) (int centre[axis] + reach)

        for slice in low 0 .. high 0 extent.Depth do
            for row in low 1 .. high 1 extent.Height do
                for column in low 2 .. high 2 extent.Width do
                    let far =
                        (float slice - centre[0]) ** 2.0
                        + (float row - centre[1]) ** 2.0
                        + (float column - centre[2]) ** 2.0

                    if far <= radius * radius then
                        data[Extent.index extent slice row column] <- label

    // A random walk that keeps its direction for a while.
    let private walk (random: Random) (extent: Extent) (paint: float[] -> unit) (from: float[]) =
        let at = Array.copy from

        let direction =
            Array.init 3 (fun axis ->
                if axis = 0 && extent.Depth = 1 then
                    0.0
                else
                    random.NextDouble() * 2.0 - 1.0)

        for _ in 1 .. random.Next(5, 60) do
            paint at

            for axis in 0..2 do
                if axis > 0 || extent.Depth > 1 then
                    direction[axis] <- max -1.0 (min 1.0 (direction[axis] + (random.NextDouble() - 0.5) * 0.4))
                    at[axis] <- at[axis] + direction[axis]

        at

    let private draw (random: Random) (extent: Extent) (data: int16[]) (kind: Kind) : unit =
        let size = [| extent.Depth; extent.Height; extent.Width |]

        let anywhere () =
            size |> Array.map (fun size -> random.NextDouble() * float (size - 1))

        let radius () = 0.5 + random.NextDouble() * 2.5

        let cells (choose: int -> int -> int -> int16) =
            for slice in 0 .. extent.Depth - 1 do
                for row in 0 .. extent.Height - 1 do
                    for column in 0 .. extent.Width - 1 do
                        data[Extent.index extent slice row column] <- choose slice row column

        match kind with
        | Empty -> ()
        | Full -> Array.fill data 0 data.Length 1s
        | Noise percent -> cells (fun _ _ _ -> if random.Next 100 < percent then 1s else 0s)
        | Tubes ->
            for tube in 1 .. random.Next(1, 4) do
                walk random extent (paint extent data (radius ()) (int16 tube)) (anywhere ())
                |> ignore
        | Forks ->
            let fork = walk random extent (paint extent data (radius ()) 1s) (anywhere ())

            for _ in 1..2 do
                walk random extent (paint extent data (radius ()) 1s) fork |> ignore
        | Loops ->
            for _ in 1 .. random.Next(1, 3) do
                let centre = anywhere ()
                let thickness = radius () / 2.0 + 0.5
                let wide = 2.0 + random.NextDouble() * 8.0

                for step in 0..60 do
                    let angle = float step / 60.0 * 2.0 * Math.PI

                    paint
                        extent
                        data
                        thickness
                        1s
                        [|
                            centre[0]
                            max 0.0 (centre[1] + wide * sin angle)
                            max 0.0 (centre[2] + wide * cos angle)
                        |]
        | TouchingClasses ->
            let middle = random.Next extent.Width
            cells (fun _ _ column -> if column < middle then 1s else 2s)
            let hole = anywhere ()
            paint extent data (radius () * 2.0) 0s hole
        | Strips ->
            let thick = random.Next(1, 5)
            let apart = random.Next(1, 5)
            let axis = random.Next 3

            cells (fun slice row column ->
                let at = [| slice; row; column |][axis]
                if at % (thick + apart) < thick then 1s else 0s)
        | Blocks ->
            for block in 1 .. random.Next(1, 5) do
                let low = size |> Array.map (fun size -> random.Next size)
                let high = size |> Array.mapi (fun axis size -> random.Next(low[axis], size))

                for slice in low[0] .. high[0] do
                    for row in low[1] .. high[1] do
                        for column in low[2] .. high[2] do
                            data[Extent.index extent slice row column] <- int16 block
        | Borders ->
            cells (fun slice row column ->
                let at (place: int) (size: int) = place = 0 || place = size - 1

                if
                    (at slice extent.Depth && extent.Rank = 3)
                    || at row extent.Height
                    || at column extent.Width
                then
                    1s
                else
                    0s)

    let private map (extent: Extent) (kind: Kind) (seed: int) : LabelMap =
        let data = Array.zeroCreate<int16> extent.Count
        draw (Random seed) extent data kind
        Volume.create extent data

    // Widths around the ends of 64-bit words are drawn on purpose.
    let private width (longest: int) : Gen<int> =
        let special =
            [ 1; 2; 3; 61; 62; 63; 64; 65; 66; 126; 127; 128; 129 ]
            |> List.filter (fun width -> width <= longest)

        Gen.oneof [ Gen.elements special; Gen.choose (1, longest) ]

    /// Extents of planes up to 40 x 130.
    let planes: Gen<Extent> = Gen.map2 Extent.plane (Gen.choose (1, 40)) (width 130)

    /// Extents of volumes: up to 12 slices and rows, up to 66 columns.
    let spaces: Gen<Extent> =
        Gen.map3 Extent.space (Gen.choose (1, 12)) (Gen.choose (1, 12)) (width 66)

    /// Label maps of the given extents: every kind alike.
    let labels (extents: Gen<Extent>) : Gen<LabelMap> =
        Gen.map3 map extents (Gen.elements kinds) (Gen.choose (0, Int32.MaxValue - 1))

    /// A mask as text: '#' and '.', slices apart by an empty line.
    let picture (mask: Mask) : string =
        let extent = mask.Extent
        let bytes = (Mask.toVolume mask).Data

        [
            for slice in 0 .. extent.Depth - 1 do
                for row in 0 .. extent.Height - 1 do
                    String(
                        Array.init extent.Width (fun column ->
                            if bytes[Extent.index extent slice row column] = 0uy then
                                '.'
                            else
                                '#')
                    )

                ""
        ]
        |> String.concat "\n"

    /// The mask of a picture: every line but the empty ones is a row, every '#' a voxel.
    let plane (lines: string list) : Mask =
        Volume.create
            (Extent.plane lines.Length lines[0].Length)
            (lines |> List.toArray |> Array.collect (fun line -> line.ToCharArray()))
        |> Mask.ofVolume (fun cell -> cell = '#')

/// A mask of a plane.
type AnyPlane =
    | AnyPlane of Mask

    override this.ToString() : string =
        let (AnyPlane mask) = this
        $"%O{mask.Extent}\n%s{Generators.picture mask}"

/// A mask of a volume.
type AnySpace =
    | AnySpace of Mask

    override this.ToString() : string =
        let (AnySpace mask) = this
        $"%O{mask.Extent}\n%s{Generators.picture mask}"

/// A mask of a plane or of a volume.
type AnyMask =
    | AnyMask of Mask

    override this.ToString() : string =
        let (AnyMask mask) = this
        $"%O{mask.Extent}\n%s{Generators.picture mask}"

/// A label map of a plane or of a volume.
type AnyLabels =
    | AnyLabels of LabelMap

    override this.ToString() : string =
        let (AnyLabels labels) = this
        $"%O{labels.Extent}\n%A{labels.Data}"

/// Two masks of one extent.
type AnyPair =
    | AnyPair of Mask * Mask

    override this.ToString() : string =
        let (AnyPair(left, right)) = this
        $"%O{left.Extent}\n%s{Generators.picture left}\n%s{Generators.picture right}"

/// What FsCheck draws the types above from.
type Arbitraries =
    static member Plane() : Arbitrary<AnyPlane> =
        Generators.labels Generators.planes
        |> Gen.map (Tube.binarize >> AnyPlane)
        |> Arb.fromGen

    static member Space() : Arbitrary<AnySpace> =
        Generators.labels Generators.spaces
        |> Gen.map (Tube.binarize >> AnySpace)
        |> Arb.fromGen

    static member Labels() : Arbitrary<AnyLabels> =
        Gen.oneof [ Generators.labels Generators.planes; Generators.labels Generators.spaces ]
        |> Gen.map AnyLabels
        |> Arb.fromGen

    static member Mask() : Arbitrary<AnyMask> =
        Gen.oneof [ Generators.labels Generators.planes; Generators.labels Generators.spaces ]
        |> Gen.map (Tube.binarize >> AnyMask)
        |> Arb.fromGen

    static member Pair() : Arbitrary<AnyPair> =
        Gen.oneof [ Generators.planes; Generators.spaces ]
        |> Gen.bind (fun extent ->
            let mask = Generators.labels (Gen.constant extent) |> Gen.map Tube.binarize
            Gen.map2 (fun left right -> AnyPair(left, right)) mask mask)
        |> Arb.fromGen

/// Property tests over the types above.
[<RequireQualifiedAccess>]
module Property =

    /// A property that is tried on 100 draws.
    let test (name: string) (property: 'T -> 'U) : Test =
        testPropertyWithConfig
            { FsCheckConfig.defaultConfig with
                arbitrary = [ typeof<Arbitraries> ]
                maxTest = 100
            }
            name
            property
