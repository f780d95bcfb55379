/// Small image files of every kind for the tests of formats.
module SkeletonRecall.Tests.Scans

open System
open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private fill (seed: int) (count: int) (make: Random -> 'T) : 'T[] =
    let random = Random seed
    Array.init count (fun _ -> make random)

/// Values of one of ten types, by number.
let values (kind: int) (seed: int) (count: int) : NpyValues =
    match kind with
    | 0 -> UInt8s(fill seed count (fun random -> byte (random.Next 256)))
    | 1 -> Int8s(fill seed count (fun random -> sbyte (random.Next 256 - 128)))
    | 2 -> Int16s(fill seed count (fun random -> int16 (random.Next 65536 - 32768)))
    | 3 -> UInt16s(fill seed count (fun random -> uint16 (random.Next 65536)))
    | 4 -> Int32s(fill seed count (fun random -> random.Next() - random.Next()))
    | 5 -> UInt32s(fill seed count (fun random -> uint32 (random.NextInt64 4294967296L)))
    | 6 -> Float32s(fill seed count (fun random -> random.NextSingle() * 2000.0f - 1000.0f))
    | 7 -> Float64s(fill seed count (fun random -> random.NextDouble() * 2000.0 - 1000.0))
    | 8 -> Int64s(fill seed count (fun random -> random.NextInt64() - random.NextInt64()))
    | _ -> UInt64s(fill seed count (fun random -> uint64 (random.NextInt64())))

/// A rotation from three angles, its columns x, y and z, perhaps mirrored.
let private axes (random: Random) : float list list =
    let turn (i: int) (j: int) (angle: float) (vector: float list) : float list =
        vector
        |> List.mapi (fun at value ->
            if at = i then
                cos angle * vector[i] - sin angle * vector[j]
            elif at = j then
                sin angle * vector[i] + cos angle * vector[j]
            else
                value)

    let a, b, c =
        random.NextDouble() * 6.0, random.NextDouble() * 6.0, random.NextDouble() * 6.0

    let mirror = if random.Next 2 = 0 then 1.0 else -1.0

    [ [ 1.0; 0.0; 0.0 ]; [ 0.0; 1.0; 0.0 ]; [ 0.0; 0.0; mirror ] ]
    |> List.map (turn 0 1 a >> turn 1 2 b >> turn 0 2 c)

/// A file from a seed: a plane or a volume, a few channels where that is asked for, a random place.
let file (kind: int) (channels: int) (rank: int) (seed: int) : ImageFile =
    let random = Random seed
    let extent = Extent.ofShape (List.init rank (fun _ -> 1 + random.Next 7))
    let spacing = List.init rank (fun _ -> 0.2 + random.NextDouble() * 3.0)
    let origin = List.init rank (fun _ -> random.NextDouble() * 400.0 - 200.0)

    {
        Channels = channels
        Extent = extent
        Spacing = Spacing.ofList spacing
        Geometry =
            if rank = 3 then
                Geometry.ofAxes origin (axes random)
            else
                let angle = random.NextDouble() * 6.0
                Geometry.ofAxes origin [ [ cos angle; sin angle ]; [ -(sin angle); cos angle ] ]
        Values = values kind seed (channels * extent.Count)
    }

/// The same voxels, and a place that differs by rounding at most.
let expectSame (tolerance: float) (wanted: ImageFile) (found: Result<ImageFile, string>) : unit =
    match found with
    | Error reason -> failtest reason
    | Ok found ->
        Expect.equal (found.Channels, found.Extent) (wanted.Channels, wanted.Extent) "shape"
        Expect.equal found.Values wanted.Values "values"

        List.iter2
            (fun one other ->
                Expect.floatClose
                    {
                        absolute = 1e-12
                        relative = tolerance
                    }
                    one
                    other
                    "spacing")
            found.Spacing.Values
            wanted.Spacing.Values

        Expect.isTrue (Geometry.near (tolerance * 200.0) found.Geometry wanted.Geometry) $"%O{found.Geometry}"

/// The bytes that a writer puts into a stream.
let written (write: Stream -> unit) : byte[] =
    use stream = new MemoryStream()
    write stream
    stream.ToArray()

/// No file is beside.
let alone (_: string) : Result<Stream, string> = Error "that file is not there"

/// Reads from bytes.
let from (decode: Stream -> Result<'T, string>) (bytes: byte[]) : Result<'T, string> =
    use stream = new MemoryStream(bytes, false)
    decode stream

/// The reason why bytes are not read.
let reasonOf (decode: byte[] -> Result<'T, string>) (bytes: byte[]) : string =
    match decode bytes with
    | Ok _ -> failtest "it was read"
    | Error reason -> reason
