namespace SkeletonRecall

open System
open System.Buffers
open System.Runtime.Intrinsics

/// Thinning of planes as scikit-image's `skeletonize` does it (T. Y. Zhang and C. Y. Suen, "A fast parallel algorithm
/// for thinning digital patterns", 1984, with scikit-image's look-up table, of whose 256 entries 25 differ from the
/// textbook's).
[<RequireQualifiedAccess>]
module internal ThinPlane =

    // 512 pixels at a time: each neighbour is a word of bits, and the look-up table is a boolean function of the eight.
    // The two functions below are the smallest decision diagrams of the table over all orders of the neighbours (34
    // choices each); the tests hold the table itself and compare.

    let inline private choose (condition: Vector512<uint64>) (yes: Vector512<uint64>) (no: Vector512<uint64>) =
        Vector512.ConditionalSelect(condition, yes, no)

    // Which pixels the first pass removes: those whose neighbourhood, weighing north-west 1, north 2, north-east 4,
    // east 8, south-east 16, south 32, south-west 64 and west 128, is 3, 6, 7, 10-12, 14, 15, 28, 30, 31, 40, 60, 112,
    // 120, 124, 130, 131, 134, 135, 143, 159-161, 193-195, 198, 199, 207, 225, 227, 231, 240, 241 or 243.
    let inline private first
        (northWest: Vector512<uint64>)
        (north: Vector512<uint64>)
        (northEast: Vector512<uint64>)
        (east: Vector512<uint64>)
        (southEast: Vector512<uint64>)
        (south: Vector512<uint64>)
        (southWest: Vector512<uint64>)
        (west: Vector512<uint64>)
        : Vector512<uint64> =
        let s1 = Vector512.AndNot(west, east)
        let s2 = northWest &&& s1
        let s3 = southWest &&& s2
        let s4 = Vector512.AndNot(s3, southEast)
        let s5 = Vector512.OnesComplement(west)
        let s6 = choose east s5 west
        let s7 = choose northWest s1 s6
        let s8 = choose southWest s2 s7
        let s9 = s5 ||| Vector512.OnesComplement(east)
        let s10 = choose northWest s1 s9
        let s11 = southWest &&& s10
        let s12 = choose southEast s11 s8
        let s13 = choose south s12 s4
        let s14 = east &&& s5
        let s15 = Vector512.AndNot(s14, northWest)
        let s16 = Vector512.AndNot(s15, southWest)
        let s17 = southEast &&& s15
        let s18 = choose south s17 s16
        let s19 = choose northEast s18 s13
        let s20 = choose northWest s9 s6
        let s21 = choose southWest s1 s20
        let s22 = Vector512.AndNot(s21, southEast)
        let s23 = choose south s3 s22
        let s24 = northWest ||| s9
        let s25 = choose northWest west s1
        let s26 = choose southWest s25 s24
        let s27 = choose northWest east s14
        let s28 = Vector512.AndNot(s27, southWest)
        let s29 = choose southEast s28 s26
        let s30 = choose south s4 s29
        let s31 = choose northEast s30 s23
        choose north s31 s19

    // Which pixels the second pass removes: neighbourhoods 7, 10, 15, 24, 26, 28, 30, 31, 40, 56, 60, 62, 63, 96, 104,
    // 108, 112, 120, 124, 126, 130, 135, 160, 176, 192, 193, 195, 199, 224, 225, 240, 241, 248, 249 and 252.
    let inline private second
        (northWest: Vector512<uint64>)
        (north: Vector512<uint64>)
        (northEast: Vector512<uint64>)
        (east: Vector512<uint64>)
        (southEast: Vector512<uint64>)
        (south: Vector512<uint64>)
        (southWest: Vector512<uint64>)
        (west: Vector512<uint64>)
        : Vector512<uint64> =
        let s1 = Vector512.OnesComplement(west)
        let s2 = east &&& s1
        let s3 = southEast &&& s2
        let s4 = Vector512.AndNot(s3, northWest)
        let s5 = Vector512.AndNot(west, east)
        let s6 = Vector512.AndNot(s5, southEast)
        let s7 = Vector512.AndNot(s6, northEast)
        let s8 = choose southWest s7 s4
        let s9 = choose east s1 west
        let s10 = choose northEast s3 s9
        let s11 = Vector512.AndNot(s10, northWest)
        let s12 = s1 ||| Vector512.OnesComplement(east)
        let s13 = southEast ||| s12
        let s14 = choose southEast east s2
        let s15 = choose northEast s14 s13
        let s16 = choose southEast west s5
        let s17 = Vector512.AndNot(s16, northEast)
        let s18 = choose northWest s17 s15
        let s19 = choose southWest s18 s11
        let s20 = choose south s19 s8
        let s21 = choose southEast s2 s9
        let s22 = choose northEast s3 s21
        let s23 = choose southEast s2 s12
        let s24 = northEast &&& s23
        let s25 = choose northWest s24 s22
        let s26 = northWest &&& s6
        let s27 = choose southWest s26 s25
        let s28 = northEast &&& s3
        let s29 = Vector512.AndNot(s28, northWest)
        let s30 = choose southWest s29 s28
        let s31 = choose south s30 s27
        choose north s31 s20

    let inline private load (words: uint64[]) (at: int) : Vector512<uint64> = Vector512.LoadUnsafe &words[at]

    // The pixels one column to the west (a lower bit) and to the east, of 8 words.
    let inline private fromWest (words: uint64[]) (at: int) : Vector512<uint64> =
        Vector512.ShiftLeft(load words at, 1)
        ||| Vector512.ShiftRightLogical(load words (at - 1), 63)

    let inline private fromEast (words: uint64[]) (at: int) : Vector512<uint64> =
        Vector512.ShiftRightLogical(load words at, 1)
        ||| Vector512.ShiftLeft(load words (at + 1), 63)

    // One pass over all chunks of 8 words, which take no notice of where rows end. A chunk is looked at when it or a
    // neighbour changed in one of the last two passes (`active` holds the number of the pass that changed something
    // near); otherwise it would only be decided again as it was. Results wait in `fresh` until the pass has read all.
    let inline private sweep
        ([<InlineIfLambda>] doomed: int -> Vector512<uint64>)
        (stride: int)
        (words: uint64[])
        (fresh: uint64[])
        (active: int[])
        (changed: int[])
        (pass: int)
        (last: int)
        : int =
        let mutable found = 0

        for chunk in 1..last do
            if active[chunk] >= pass - 2 then
                let at = 8 * chunk
                let centre = load words at

                if not (Vector512.EqualsAll(centre, Vector512<uint64>.Zero)) then
                    let gone = doomed at &&& centre

                    if not (Vector512.EqualsAll(gone, Vector512<uint64>.Zero)) then
                        Vector512.StoreUnsafe(Vector512.Xor(centre, gone), &fresh[at])
                        changed[found] <- chunk
                        found <- found + 1

        for index in 0 .. found - 1 do
            let at = 8 * changed[index]
            Vector512.StoreUnsafe(load fresh at, &words[at])

            for chunk in (at - stride - 1) >>> 3 .. (at - stride + 8) >>> 3 do
                active[chunk] <- pass

            for chunk in (at - 1) >>> 3 .. (at + 8) >>> 3 do
                active[chunk] <- pass

            for chunk in (at + stride - 1) >>> 3 .. (at + stride + 8) >>> 3 do
                active[chunk] <- pass

        found

    let private firstPass stride words fresh active changed pass last : int =
        sweep
            (fun at ->
                first
                    (fromWest words (at - stride))
                    (load words (at - stride))
                    (fromEast words (at - stride))
                    (fromEast words at)
                    (fromEast words (at + stride))
                    (load words (at + stride))
                    (fromWest words (at + stride))
                    (fromWest words at))
            stride
            words
            fresh
            active
            changed
            pass
            last

    let private secondPass stride words fresh active changed pass last : int =
        sweep
            (fun at ->
                second
                    (fromWest words (at - stride))
                    (load words (at - stride))
                    (fromEast words (at - stride))
                    (fromEast words at)
                    (fromEast words (at + stride))
                    (load words (at + stride))
                    (fromWest words (at + stride))
                    (fromWest words at))
            stride
            words
            fresh
            active
            changed
            pass
            last

    /// Thins the words of a plane, with a second array of at least as many. Each pass decides on what the one before
    /// left and removes all its pixels at once; the two passes alternate until neither removes any. Guards of the
    /// second array are zero afterwards.
    let thinInPlace (extent: Extent) (words: uint64[]) (fresh: uint64[]) : unit =
        let stride = Layout.stride extent
        let length = Layout.length extent
        Array.Clear(fresh, 0, length)
        let last = (Layout.row extent 0 (extent.Height - 1) + stride - 1) >>> 3
        let active = Array.zeroCreate<int>((length >>> 3) + 2)
        let changed = Array.zeroCreate<int>(last + 1)
        let mutable pass = 1
        let mutable changing = true

        while changing do
            let first = firstPass stride words fresh active changed pass last
            let second = secondPass stride words fresh active changed (pass + 1) last
            pass <- pass + 2
            changing <- first + second > 0

    /// The skeleton of a plane.
    let thin (mask: Mask) : Mask =
        let words = Array.copy mask.Words
        let fresh = ArrayPool<uint64>.Shared.Rent words.Length
        thinInPlace mask.Extent words fresh
        ArrayPool<uint64>.Shared.Return fresh
        Mask(mask.Extent, mask.Spacing, words)
