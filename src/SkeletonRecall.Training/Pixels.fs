namespace SkeletonRecall.Training

#nowarn "9" // Pixels lie in memory that somebody else holds.

open System
open System.ComponentModel
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open FSharp.NativeInterop
open SkeletonRecall

/// How values lie in memory that somebody else holds, in the machine's byte order. `Pixels.planar` and
/// `Pixels.interleaved` make the usual ones.
type PixelLayout =
    {
        Type: NumberType
        Channels: int
        Extent: Extent
        /// Distance between neighbouring voxel centres in mm.
        Spacing: Spacing
        /// Bytes from the beginning of the memory to the first value: that of channel 0 at the first voxel.
        Offset: int64
        /// Bytes from a value to the same voxel's in the next channel; negative where memory runs the other way.
        ChannelStride: int64
        /// Bytes from a value to its neighbour along each axis, slowest axis first; negative where memory runs the other way.
        Strides: int64 list
    }

/// Between images and memory that the caller holds: a bitmap's, a camera's, another library's.
[<RequireQualifiedAccess>]
module Pixels =

    // Strides of axes without gaps, the last one running fastest in steps of `step` bytes.
    let private dense (step: int64) (extent: Extent) : int64 list =
        List.scanBack (fun (size: int) stride -> stride * int64 size) extent.Shape.Tail step

    /// Channel after channel without gaps, the last axis running fastest; spacing 1 mm.
    let planar (number: NumberType) (channels: int) (extent: Extent) : PixelLayout =
        let size = int64 (Elements.size number)

        {
            Type = number
            Channels = channels
            Extent = extent
            Spacing = Spacing.unit extent.Rank
            Offset = 0L
            ChannelStride = size * int64 extent.Count
            Strides = dense size extent
        }

    /// The channels of each voxel side by side without gaps (RGBRGB...), the last axis running fastest; spacing 1 mm.
    let interleaved (number: NumberType) (channels: int) (extent: Extent) : PixelLayout =
        let size = int64 (Elements.size number)

        { planar number channels extent with
            ChannelStride = size
            Strides = dense (size * int64 channels) extent
        }

    // Axes that have a neighbour: size and stride, the shortest stride first.
    let private steps (layout: PixelLayout) : (int * int64) list =
        (layout.Channels, layout.ChannelStride)
        :: List.zip layout.Extent.Shape layout.Strides
        |> List.filter (fun (size, _) -> size > 1)
        |> List.sortBy (fun (_, stride) -> abs (bigint stride))

    let private text (layout: PixelLayout) : string =
        let strides = String.Join(" x ", layout.Strides)

        $"%d{layout.Channels} channels of %O{layout.Extent} %O{layout.Type}, strides of %s{strides} bytes, %d{layout.ChannelStride} between channels"

    // Each value has its own bytes where a stride reaches past all that the shorter ones span.
    let private requireApart (layout: PixelLayout) : unit =
        let folder (span: bigint) (size: int, stride: int64) =
            let stride = abs (bigint stride)

            if stride < span then
                invalidArg (nameof layout) $"Values would share bytes: %s{text layout}; strides are bytes, not values."

            stride * bigint (size - 1) + span

        steps layout |> List.fold folder (bigint (Elements.size layout.Type)) |> ignore

    /// Throws ArgumentException for fewer than 1 channel, other numbers of strides or spacings than axes, values that share
    /// bytes and, where the memory's length in bytes is known, values outside it.
    let check (bytes: int64 option) (layout: PixelLayout) : unit =
        let rank = layout.Extent.Rank

        if layout.Channels < 1 then
            invalidArg (nameof layout) $"Pixels have at least 1 channel; got %d{layout.Channels}."

        if layout.Strides.Length <> rank then
            invalidArg (nameof layout) $"%O{layout.Extent} needs %d{rank} strides; got %d{layout.Strides.Length}."

        if layout.Spacing.Rank <> rank then
            invalidArg (nameof layout) $"A spacing of %O{layout.Spacing} does not fit %O{layout.Extent}."

        if int64 layout.Channels * int64 layout.Extent.Count > int64 Array.MaxLength then
            invalidArg
                (nameof layout)
                $"%d{layout.Channels} channels of %O{layout.Extent} are more than one array holds (%d{Array.MaxLength} values)."

        requireApart layout

        match bytes with
        | None -> ()
        | Some bytes ->
            let reach (keep: bigint -> bigint) =
                steps layout
                |> List.sumBy (fun (size, stride) -> keep (bigint stride * bigint (size - 1)))

            let first = bigint layout.Offset + reach (fun step -> min step 0I)

            let last =
                bigint layout.Offset
                + reach (fun step -> max step 0I)
                + bigint (Elements.size layout.Type)

            if first < 0I || last > bigint bytes then
                invalidArg
                    (nameof layout)
                    $"%s{text layout} from byte %d{layout.Offset} on take the bytes %O{first} to %O{last - 1I}; the memory has %d{bytes}."

    // Every row of a layout: channel, the place of its first value among those of an image, its address.
    let private rows (layout: PixelLayout) (memory: nativeint) (visit: int -> nativeint -> unit) : unit =
        let extent = layout.Extent

        let sliceStride, rowStride =
            match layout.Strides with
            | [ row; _ ] -> 0L, row
            | strides -> strides[0], strides[1]

        for channel in 0 .. layout.Channels - 1 do
            for slice in 0 .. extent.Depth - 1 do
                for row in 0 .. extent.Height - 1 do
                    let bytes =
                        layout.Offset
                        + int64 channel * layout.ChannelStride
                        + int64 slice * sliceStride
                        + int64 row * rowStride

                    visit (channel * extent.Count + Extent.index extent slice row 0) (memory + nativeint bytes)

    let private pointer (address: nativeint) : voidptr =
        NativePtr.toVoidPtr (NativePtr.ofNativeInt<byte> address)

    // Memory need not be aligned.
    let inline private readAs<'T>
        ([<InlineIfLambda>] convert: 'T -> float32)
        (layout: PixelLayout)
        (memory: nativeint)
        (data: float32[])
        : unit =
        let stride = nativeint (List.last layout.Strides)
        let width = layout.Extent.Width

        rows layout memory (fun start address ->
            for column in 0 .. width - 1 do
                data[start + column] <-
                    convert (Unsafe.ReadUnaligned<'T>(pointer (address + nativeint column * stride))))

    let inline private writeAs<'T>
        ([<InlineIfLambda>] convert: int16 -> 'T)
        (layout: PixelLayout)
        (memory: nativeint)
        (data: int16[])
        : unit =
        let stride = nativeint (List.last layout.Strides)
        let width = layout.Extent.Width

        rows layout memory (fun start address ->
            for column in 0 .. width - 1 do
                Unsafe.WriteUnaligned<'T>(pointer (address + nativeint column * stride), convert data[start + column]))

    /// The image at an address, copied: values outside single precision become infinite. The memory's length is not known
    /// here: that every value lies in it is the caller's word. Throws ArgumentException as `check` does.
    let read (layout: PixelLayout) (memory: nativeint) : Image =
        check None layout

        let data =
            GC.AllocateUninitializedArray<float32>(layout.Channels * layout.Extent.Count)

        match layout.Type with
        | NumberType.Int8 -> readAs<sbyte> float32 layout memory data
        | NumberType.UInt8 -> readAs<byte> float32 layout memory data
        | NumberType.Int16 -> readAs<int16> float32 layout memory data
        | NumberType.UInt16 -> readAs<uint16> float32 layout memory data
        | NumberType.Int32 -> readAs<int> float32 layout memory data
        | NumberType.UInt32 -> readAs<uint32> float32 layout memory data
        | NumberType.Int64 -> readAs<int64> float32 layout memory data
        | NumberType.UInt64 -> readAs<uint64> float32 layout memory data
        | NumberType.Float32 -> readAs<float32> id layout memory data
        | NumberType.Float64 -> readAs<float> float32 layout memory data

        { Image.create layout.Channels layout.Extent data with
            Spacing = layout.Spacing
        }

    /// Not for callers, who have `ofSpan`: see `Tube.ofLabelsIntoSpan`.
    [<EditorBrowsable(EditorBrowsableState.Never)>]
    let readSpan (layout: PixelLayout) (memory: ReadOnlySpan<byte>) (image: outref<Image>) : unit =
        check (Some(int64 memory.Length)) layout
        use pinned = fixed &MemoryMarshal.GetReference memory
        image <- read layout (NativePtr.toNativeInt pinned)

    /// The image in a span of bytes, copied. Throws ArgumentException as `check` does, values outside the span included.
    let inline ofSpan (layout: PixelLayout) (memory: ReadOnlySpan<byte>) : Image =
        let mutable image = Unchecked.defaultof<Image>
        readSpan layout memory &image
        image

    let private largest (number: NumberType) : int =
        match number with
        | NumberType.Int8 -> int SByte.MaxValue
        | NumberType.UInt8 -> int Byte.MaxValue
        | _ -> int Int16.MaxValue

    /// Throws ArgumentException as `check` does, and for what cannot take labels of an image of this extent: another
    /// extent, several channels, or a type that does not hold the labels from `lowest` to `highest`.
    let checkLabels (bytes: int64 option) (extent: Extent) (lowest: int) (highest: int) (layout: PixelLayout) : unit =
        check bytes layout
        Extent.requireEqual (nameof layout) extent layout.Extent

        if layout.Channels <> 1 then
            invalidArg (nameof layout) $"Labels are 1 channel; got a layout of %d{layout.Channels}."

        let isUnsigned =
            match layout.Type with
            | NumberType.UInt8
            | NumberType.UInt16
            | NumberType.UInt32
            | NumberType.UInt64 -> true
            | _ -> false

        if highest > largest layout.Type || (lowest < 0 && isUnsigned) then
            invalidArg (nameof layout) $"%O{layout.Type} does not hold labels from %d{lowest} to %d{highest}."

    /// Writes labels to an address, whose length is not known here: that every value lies in it is the caller's word.
    /// Throws ArgumentException as `checkLabels` does; nothing is written then.
    let write (layout: PixelLayout) (labels: LabelMap) (memory: nativeint) : unit =
        let mutable low, high = 0, 0

        for label in labels.Data do
            low <- min low (int label)
            high <- max high (int label)

        checkLabels None labels.Extent low high layout

        match layout.Type with
        | NumberType.Int8 -> writeAs<sbyte> sbyte layout memory labels.Data
        | NumberType.UInt8 -> writeAs<byte> byte layout memory labels.Data
        | NumberType.Int16 -> writeAs<int16> id layout memory labels.Data
        | NumberType.UInt16 -> writeAs<uint16> uint16 layout memory labels.Data
        | NumberType.Int32 -> writeAs<int> int layout memory labels.Data
        | NumberType.UInt32 -> writeAs<uint32> uint32 layout memory labels.Data
        | NumberType.Int64 -> writeAs<int64> int64 layout memory labels.Data
        | NumberType.UInt64 -> writeAs<uint64> uint64 layout memory labels.Data
        | NumberType.Float32 -> writeAs<float32> float32 layout memory labels.Data
        | NumberType.Float64 -> writeAs<float> float layout memory labels.Data

    /// Not for callers, who have `toSpan`: see `Tube.ofLabelsIntoSpan`.
    [<EditorBrowsable(EditorBrowsableState.Never)>]
    let writeSpan (layout: PixelLayout) (labels: LabelMap) (memory: Span<byte>) (written: byref<bool>) : unit =
        check (Some(int64 memory.Length)) layout
        use pinned = fixed &MemoryMarshal.GetReference memory
        write layout labels (NativePtr.toNativeInt pinned)
        written <- true

    /// Writes labels into a span of bytes. Throws ArgumentException as `checkLabels` does, values outside the span included;
    /// nothing is written then.
    let inline toSpan (layout: PixelLayout) (labels: LabelMap) (memory: Span<byte>) : unit =
        let mutable written = false
        writeSpan layout labels memory &written
