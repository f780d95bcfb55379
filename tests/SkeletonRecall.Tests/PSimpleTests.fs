module SkeletonRecall.Tests.PSimpleTests

open System
open System.Numerics
open System.Runtime.Intrinsics
open Expecto
open SkeletonRecall

/// The six sides: what lies ahead of a voxel as slice, row and column, and what `PSimple` says of eight words.
let private sides =
    [
        (-1, 0, 0), (fun words at stride slab -> PSimple.acrossRows words at -slab stride)
        (1, 0, 0), (fun words at stride slab -> PSimple.acrossRows words at slab stride)
        (0, -1, 0), (fun words at stride slab -> PSimple.acrossRows words at -stride slab)
        (0, 1, 0), (fun words at stride slab -> PSimple.acrossRows words at stride slab)
        (0, 0, -1), (fun words at stride slab -> PSimple.toLast words at stride slab)
        (0, 0, 1), (fun words at stride slab -> PSimple.toNext words at stride slab)
    ]

// Whether there is a voxel; none lies outside.
let private reader (mask: Mask) : int * int * int -> bool =
    let extent = mask.Extent
    let bytes = (Mask.toVolume mask).Data

    fun (slice, row, column) ->
        slice >= 0
        && slice < extent.Depth
        && row >= 0
        && row < extent.Height
        && column >= 0
        && column < extent.Width
        && bytes[Extent.index extent slice row column] <> 0uy

let private add (a, b, c) (d, e, f) = a + d, b + e, c + f

let private minus (a, b, c) = -a, -b, -c

let private around =
    [
        for slice in -1 .. 1 do
            for row in -1 .. 1 do
                for column in -1 .. 1 -> slice, row, column
    ]

// The places beside a voxel in the plane between what is ahead and behind, and those of them at its faces.
let private beside (a, b, c) : (int * int * int) list * (int * int * int) list =
    let places =
        around
        |> List.filter (fun (d, e, f) -> a * d + b * e + c * f = 0 && (d, e, f) <> (0, 0, 0))

    places, places |> List.filter (fun (d, e, f) -> abs d + abs e + abs f = 1)

let private isOpen (has: int * int * int -> bool) ahead at = has at && not (has (add at ahead))

// The rule as `PSimple` has it in words.
let private goes (has: int * int * int -> bool) ahead at : bool =
    let places, faces = beside ahead

    let isOverhang place =
        has (add place ahead) && not (has place)

    isOpen has ahead at
    && has (add at (minus ahead))
    && not (places |> List.exists (fun place -> isOverhang (add at place)))
    && faces
       |> List.exists (fun place -> has (add at place) && has (add (add at place) (minus ahead)))

let private neighbours (has: int * int * int -> bool) at : uint =
    around
    |> List.mapi (fun bit place ->
        if place <> (0, 0, 0) && has (add at place) then
            1u <<< bit
        else
            0u)
    |> List.sum

let private voxels (extent: Extent) =
    seq {
        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                for column in 0 .. extent.Width - 1 -> slice, row, column
    }

// What `PSimple` says, of each open voxel.
let private said (mask: Mask) ahead rule : Set<int * int * int> =
    let extent = mask.Extent
    let has = reader mask
    let stride = Layout.stride extent

    voxels extent
    |> Seq.filter (isOpen has ahead)
    |> Seq.filter (fun (slice, row, column) ->
        let at = Layout.row extent slice row + (column + 1) / 64
        let eight: Vector512<uint64> = rule mask.Words at stride (Layout.slab extent)
        eight.GetElement 0 >>> ((column + 1) % 64) &&& 1UL = 1UL)
    |> Set.ofSeq

[<Tests>]
let tests =
    testList
        "PSimple"
        [
            Property.test "eight words at a time are the rule, voxel by voxel" (fun (AnySpace mask) ->
                let has = reader mask

                for ahead, rule in sides do
                    let wanted =
                        voxels mask.Extent
                        |> Seq.filter (goes has ahead)
                        // Bits at the ends of words are left to the tests of one voxel.
                        |> Seq.filter (fun (_, _, column) -> column % 64 < 62)
                        |> Set.ofSeq

                    Expect.equal (said mask ahead rule) wanted $"side %A{ahead}")

            Property.test "whatever of the open voxels has gone, these may go" (fun (AnySpace mask) ->
                let has = reader mask
                let random = Random(Mask.count mask)

                for ahead, rule in sides do
                    let certain = said mask ahead rule

                    for at in certain do
                        for density in [ 0.0; 0.3; 0.7; 1.0 ] do
                            let left place =
                                has place && not (isOpen has ahead place && random.NextDouble() < density)

                            let some = neighbours left at

                            if
                                not (
                                    BitOperations.PopCount some > 1
                                    && PlainVolume.isSimple some
                                    && SimplePoint.isOnePiece some
                                    && PlainVolume.isEulerInvariant some
                                )
                            then
                                failtest $"side %A{ahead}, at %A{at}: %x{some} of %x{neighbours has at} may not go")

            testCase "most of a ball's surface is found"
            <| fun () ->
                let extent = Extent.space 30 30 30

                let ball =
                    Array.init extent.Count (fun at ->
                        let far (place: int) = (float place - 14.5) ** 2.0

                        far (at / 900) + far (at / 30 % 30) + far (at % 30) < 144.0)
                    |> Volume.create extent
                    |> Mask.ofVolume id

                let has = reader ball

                for ahead, rule in sides do
                    let opened = voxels extent |> Seq.filter (isOpen has ahead) |> Seq.length
                    let found = (said ball ahead rule).Count
                    Expect.isGreaterThan (float found) (0.8 * float opened) $"of %d{opened}, side %A{ahead}"
        ]
