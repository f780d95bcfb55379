module SkeletonRecall.Tests.PixelsTests

open System
open System.Runtime.InteropServices
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private extent = Extent.space 2 3 4

// What voxel i of a channel holds; small enough for every type.
let private value (channel: int) (voxel: int) : int = 40 * channel + voxel

let private wanted (channels: int) : float32[] =
    Array.init channels (fun channel -> Array.init extent.Count (fun voxel -> float32 (value channel voxel)))
    |> Array.concat

// A value of a type as bytes.
let private bytesOf (number: NumberType) (value: int) : byte[] =
    match number with
    | NumberType.Int8
    | NumberType.UInt8 -> [| byte value |]
    | NumberType.Int16 -> BitConverter.GetBytes(int16 value)
    | NumberType.UInt16 -> BitConverter.GetBytes(uint16 value)
    | NumberType.Int32 -> BitConverter.GetBytes value
    | NumberType.UInt32 -> BitConverter.GetBytes(uint32 value)
    | NumberType.Int64 -> BitConverter.GetBytes(int64 value)
    | NumberType.UInt64 -> BitConverter.GetBytes(uint64 value)
    | NumberType.Float32 -> BitConverter.GetBytes(float32 value)
    | NumberType.Float64 -> BitConverter.GetBytes(float value)

let private numbers =
    [
        NumberType.Int8
        NumberType.UInt8
        NumberType.Int16
        NumberType.UInt16
        NumberType.Int32
        NumberType.UInt32
        NumberType.Int64
        NumberType.UInt64
        NumberType.Float32
        NumberType.Float64
    ]

// Memory in which each value of a layout lies where the layout says, one by one; 7 where nothing lies.
let private fill (bytes: int) (layout: PixelLayout) : byte[] =
    let memory = Array.create bytes 7uy

    for channel in 0 .. layout.Channels - 1 do
        for voxel in 0 .. extent.Count - 1 do
            let place = [ int64 (voxel / 12); int64 (voxel / 4 % 3); int64 (voxel % 4) ]

            let at =
                layout.Offset
                + int64 channel * layout.ChannelStride
                + (List.map2 (*) place layout.Strides |> List.sum)

            let value = bytesOf layout.Type (value channel voxel)
            Array.blit value 0 memory (int at) value.Length

    memory

// Bottom-up rows that are padded, BGRA whose alpha does not count, and every second column: what bitmaps and parts of others are.
let private odd (number: NumberType) : (int * PixelLayout) list =
    let size = (bytesOf number 0).Length |> int64
    let plain = Pixels.planar number 3 extent

    [
        int size * 72, plain
        int size * 72, Pixels.interleaved number 3 extent
        // 4 values a pixel, the third one first; rows of 5 pixels, the last one first.
        int size * 120,
        { plain with
            Offset = size * (2L * 20L + 2L)
            ChannelStride = -size
            Strides = [ 60L * size; -20L * size; 4L * size ]
        }
        // Every second value, from an odd address.
        int size * 144 + 1,
        { plain with
            Offset = 1L
            ChannelStride = 48L * size
            Strides = [ 24L * size; 8L * size; 2L * size ]
        }
    ]

let private refused (part: string) (work: unit -> unit) : unit =
    try
        work ()
        failtest $"not refused: %s{part}"
    with :? ArgumentException as error ->
        Expect.stringContains error.Message part "message"

[<Tests>]
let tests =
    testList
        "Pixels"
        [
            test "values of every type are read from where the layout says" {
                for number in numbers do
                    for bytes, layout in odd number do
                        let memory = fill bytes layout

                        let image =
                            Pixels.ofSpan
                                { layout with
                                    Spacing = Spacing.ofList [ 2.0; 1.0; 0.5 ]
                                }
                                (ReadOnlySpan<byte> memory)

                        Expect.equal image.Data (wanted 3) $"%O{number}, %A{layout.Strides}"
                        Expect.equal image.Spacing.Values [ 2.0; 1.0; 0.5 ] "spacing"
                        let handle = GCHandle.Alloc(memory, GCHandleType.Pinned)
                        let again = Pixels.read layout (handle.AddrOfPinnedObject())
                        handle.Free()
                        Expect.equal again.Data image.Data "by address"
            }

            test "labels are written where the layout says, and nowhere else" {
                let labels =
                    Volume.create extent (Array.init extent.Count (fun voxel -> int16 (value 0 voxel)))

                for number in numbers do
                    for bytes, layout in odd number do
                        let layout = { layout with Channels = 1 }
                        let memory = Array.create bytes 7uy
                        Pixels.toSpan layout labels (Span<byte> memory)
                        Expect.equal memory (fill bytes layout) $"%O{number}, %A{layout.Strides}"

                let large = Volume.map (fun (label: int16) -> label * 20s) labels
                let bytes = Pixels.planar NumberType.UInt8 1 extent
                let memory = Array.zeroCreate<byte> extent.Count

                refused "UInt8 does not hold labels from 0 to 460." (fun () ->
                    Pixels.toSpan bytes large (Span<byte> memory))

                Expect.allEqual memory 0uy "nothing was written"
            }

            test "layouts that do not fit are refused in one sentence" {
                let layout = Pixels.planar NumberType.UInt16 2 extent
                let check bytes layout = fun () -> Pixels.check bytes layout
                Pixels.check (Some 96L) layout
                refused "take the bytes 0 to 95; the memory has 95." (check (Some 95L) layout)
                refused "take the bytes -1 to 94" (check (Some 96L) { layout with Offset = -1L })

                refused
                    "12 channels of 2 x 3 x 4"
                    (check
                        None
                        { layout with
                            Channels = 12
                            ChannelStride = 2L
                        })

                // In elements, where bytes are wanted.
                refused
                    "Values would share bytes"
                    (check
                        None
                        { layout with
                            Strides = [ 12L; 4L; 1L ]
                            ChannelStride = 24L
                        })

                refused "Values would share bytes" (check None { layout with ChannelStride = 0L })
                refused "needs 3 strides; got 2." (check None { layout with Strides = [ 8L; 2L ] })
                refused "at least 1 channel; got 0." (check None { layout with Channels = 0 })
                refused "does not fit 2 x 3 x 4." (check None { layout with Spacing = Spacing.unit 2 })
                refused "more than one array holds" (check None { layout with Channels = 2000000000 })

                // Products that 64 bits do not hold.
                refused
                    "take the bytes"
                    (check
                        (Some 96L)
                        { layout with
                            Strides = [ Int64.MaxValue; 8L; 2L ]
                            ChannelStride = 24L
                        })

                // An axis of one voxel has no neighbour, so that its stride says nothing.
                Pixels.check
                    (Some 4L)
                    { Pixels.planar NumberType.Float32 1 (Extent.plane 1 1) with
                        Strides = [ 0L; 0L ]
                        ChannelStride = 0L
                    }

                refused "Labels are 1 channel" (fun () -> Pixels.checkLabels None extent 0 1 layout)

                refused "Int8 does not hold labels from 0 to 200." (fun () ->
                    Pixels.checkLabels None extent 0 200 (Pixels.planar NumberType.Int8 1 extent))

                refused "The extent is" (fun () ->
                    Pixels.checkLabels None (Extent.plane 3 4) 0 1 { layout with Channels = 1 })
            }
        ]
