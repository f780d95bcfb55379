namespace SkeletonRecall

open System
open System.Numerics

/// A set of pixels or voxels, one bit each.
///
/// The bits lie so that neighbours can be read without asking where the border is. A row is a whole number of words of 64 bits;
/// the voxel of column c is bit c + 1 of its row, so that bit 0, and whatever follows the last voxel, is a zero column
/// on either side (a row that fills its words exactly borrows bit 0 of the next). Each slice has one zero row before
/// and after it, a volume has one zero slice before and after it, and eight zero words stand at both ends of the
/// array, so that a vector may be loaded around any voxel. Guard bits are zero in every mask.
[<Sealed>]
type Mask internal (extent: Extent, spacing: Spacing, words: uint64[]) =
    /// The size of the grid.
    member _.Extent: Extent = extent
    /// Distance between voxel centres, in mm.
    member _.Spacing: Spacing = spacing
    member internal _.Words: uint64[] = words

/// Where the bits of a mask of some extent lie in its words.
[<RequireQualifiedAccess>]
module internal Layout =

    /// Zero words at both ends, as many as one 512-bit vector reaches.
    [<Literal>]
    let Lead = 8

    /// Words in a row.
    let stride (extent: Extent) : int = extent.Width / 64 + 1

    /// Words in a slice, guard rows included.
    let slab (extent: Extent) : int = (extent.Height + 2) * stride extent

    /// Guard slices before (and after) the voxels.
    let guards (extent: Extent) : int = if extent.Rank = 3 then 1 else 0

    /// Words in a mask, guards included.
    let length (extent: Extent) : int =
        let words =
            int64 (extent.Depth + 2 * guards extent) * int64 (slab extent) + 2L * int64 Lead

        if words > int64 Array.MaxLength then
            invalidArg
                (nameof extent)
                $"A mask of %O{extent} needs %d{words} words; one array holds %d{Array.MaxLength}."

        int words

    /// The first word of a row of voxels.
    let row (extent: Extent) (slice: int) (row: int) : int =
        Lead + (slice + guards extent) * slab extent + (row + 1) * stride extent

    /// The bits of a row's last word that are voxels, bit 0 of a first word not yet excluded.
    let lastBits (extent: Extent) : uint64 =
        let used = extent.Width + 1 - 64 * (stride extent - 1)
        if used = 64 then UInt64.MaxValue else (1UL <<< used) - 1UL

    /// The bits of word `word` of a row that are voxels.
    let voxelBits (extent: Extent) (word: int) : uint64 =
        let first = if word = 0 then ~~~1UL else UInt64.MaxValue

        if word = stride extent - 1 then
            first &&& lastBits extent
        else
            first

    /// Zeroes the guard bits at both ends of every row of one slice.
    let clearColumns (extent: Extent) (slice: int) (words: uint64[]) : unit =
        let stride = stride extent
        let last = lastBits extent
        let mutable at = row extent slice 0

        for _ in 1 .. extent.Height do
            words[at] <- words[at] &&& ~~~1UL
            words[at + stride - 1] <- words[at + stride - 1] &&& last
            at <- at + stride

/// Making, reading and combining masks.
[<RequireQualifiedAccess>]
module Mask =

    /// A mask without any voxel; spacing 1 mm.
    let empty (extent: Extent) : Mask =
        Mask(extent, Spacing.unit extent.Rank, Array.zeroCreate (Layout.length extent))

    /// The same voxels with another spacing. Throws ArgumentException when the ranks differ.
    let withSpacing (spacing: Spacing) (mask: Mask) : Mask =
        if spacing.Rank <> mask.Extent.Rank then
            invalidArg (nameof spacing) $"A spacing of rank %d{spacing.Rank} does not fit the extent %O{mask.Extent}."

        Mask(mask.Extent, spacing, mask.Words)

    /// The voxels whose value satisfies the predicate.
    let ofVolume (predicate: 'T -> bool) (volume: Volume<'T>) : Mask =
        let extent = volume.Extent
        let data = volume.Data
        let words = Array.zeroCreate<uint64>(Layout.length extent)
        let mutable source = 0

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Layout.row extent slice row

                for column in 0 .. extent.Width - 1 do
                    if predicate data[source] then
                        let bit = column + 1
                        words[start + (bit >>> 6)] <- words[start + (bit >>> 6)] ||| (1UL <<< (bit &&& 63))

                    source <- source + 1

        Mask(extent, volume.Spacing, words)

    /// 1 for voxels of the mask, 0 for the others.
    let toVolume (mask: Mask) : Volume<byte> =
        let extent = mask.Extent
        let data = Array.zeroCreate<byte> extent.Count

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Layout.row extent slice row
                let target = Extent.index extent slice row 0 - 1

                for word in 0 .. Layout.stride extent - 1 do
                    let mutable bits = mask.Words[start + word]

                    while bits <> 0UL do
                        data[target + 64 * word + BitOperations.TrailingZeroCount bits] <- 1uy
                        bits <- bits &&& (bits - 1UL)

        Volume<byte>(extent, mask.Spacing, data)

    /// Whether a voxel belongs to the mask. The slice of a plane is 0.
    /// Throws ArgumentOutOfRangeException for a voxel outside the extent.
    let get (mask: Mask) (slice: int) (row: int) (column: int) : bool =
        let extent = mask.Extent

        let check (name: string) (size: int) (value: int) =
            if uint value >= uint size then
                raise (ArgumentOutOfRangeException(name, value, $"The %s{name}s run from 0 to %d{size - 1}."))

        check (nameof slice) extent.Depth slice
        check (nameof row) extent.Height row
        check (nameof column) extent.Width column
        let bit = column + 1
        mask.Words[Layout.row extent slice row + (bit >>> 6)] >>> (bit &&& 63) &&& 1UL = 1UL

    /// How many voxels belong to the mask.
    let count (mask: Mask) : int =
        let mutable total = 0

        for word in mask.Words do
            total <- total + BitOperations.PopCount word

        total

    /// Whether no voxel belongs to the mask.
    let isEmpty (mask: Mask) : bool =
        not (mask.Words.AsSpan().ContainsAnyExcept 0UL)

    /// Whether extents and voxels are the same. Spacing is not compared.
    let equal (left: Mask) (right: Mask) : bool =
        left.Extent = right.Extent
        && left.Words.AsSpan().SequenceEqual(ReadOnlySpan right.Words)

    let inline private combine ([<InlineIfLambda>] operation: uint64 -> uint64 -> uint64) (left: Mask) (right: Mask) =
        Extent.requireEqual "right" left.Extent right.Extent
        let ours = left.Words
        let theirs = right.Words
        let result = Array.zeroCreate<uint64> ours.Length

        for index in 0 .. result.Length - 1 do
            result[index] <- operation ours[index] theirs[index]

        Mask(left.Extent, left.Spacing, result)

    /// The voxels of both masks. Throws ArgumentException when the extents differ; the spacing is the left one's.
    let intersect (left: Mask) (right: Mask) : Mask =
        combine (fun ours theirs -> ours &&& theirs) left right

    /// The voxels of either mask. Throws ArgumentException when the extents differ; the spacing is the left one's.
    let union (left: Mask) (right: Mask) : Mask =
        combine (fun ours theirs -> ours ||| theirs) left right

    /// The voxels of the left mask that the right one lacks. Throws ArgumentException when the extents differ; the
    /// spacing is the left one's.
    let difference (left: Mask) (right: Mask) : Mask =
        combine (fun ours theirs -> ours &&& ~~~theirs) left right

    /// The voxels that the mask lacks.
    let complement (mask: Mask) : Mask =
        let extent = mask.Extent
        let stride = Layout.stride extent
        let words = Array.zeroCreate<uint64> mask.Words.Length

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Layout.row extent slice row

                for word in 0 .. stride - 1 do
                    words[start + word] <- ~~~mask.Words[start + word] &&& Layout.voxelBits extent word

        Mask(extent, mask.Spacing, words)

    /// The part of the mask in the box of the given extent whose first corner is `origin` (slowest axis first).
    /// Throws ArgumentException when the ranks differ or the box reaches beyond the mask.
    let crop (extent: Extent) (origin: int list) (mask: Mask) : Mask =
        let whole = mask.Extent

        if
            extent.Rank <> whole.Rank
            || origin.Length <> whole.Rank
            || List.exists2 (fun at size -> at < 0 || at > size) origin whole.Shape
            || List.exists2 (fun at size -> at > size) (List.map2 (+) origin extent.Shape) whole.Shape
        then
            invalidArg (nameof origin) $"A box of %O{extent} at %A{origin} does not lie in %O{whole}."

        let slice, row, column =
            match origin with
            | [ row; column ] -> 0, row, column
            | _ -> origin[0], origin[1], origin[2]

        let words = Array.zeroCreate<uint64>(Layout.length extent)
        let shift = column &&& 63

        for z in 0 .. extent.Depth - 1 do
            for y in 0 .. extent.Height - 1 do
                let source = Layout.row whole (slice + z) (row + y) + (column >>> 6)
                let target = Layout.row extent z y

                for word in 0 .. Layout.stride extent - 1 do
                    let low = mask.Words[source + word] >>> shift

                    let bits =
                        if shift = 0 then
                            low
                        else
                            low ||| (mask.Words[source + word + 1] <<< (64 - shift))

                    words[target + word] <- bits &&& Layout.voxelBits extent word

        Mask(extent, mask.Spacing, words)
