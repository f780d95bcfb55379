namespace SkeletonRecall.Training

open System
open System.IO
open System.IO.Compression
open System.Text
open SkeletonRecall

/// NIfTI-1 and NIfTI-2 files, plain or gzipped (nifti.nimh.nih.gov). Written here because no library of the package feed
/// reads them. Voxels come in the order of nnU-Net's arrays, (z, y, x), unturned; spacings are the header's pixel sizes
/// brought to mm, and the place is that of the sform, else of the qform, else the one that nibabel assumes: the middle of
/// the grid at zero.
[<RequireQualifiedAccess>]
module Nifti =

    let private refuse (reason: string) : 'T = Elements.refuse reason

    // The element type and how many of them a voxel has.
    let private element (code: int) : NumberType * int =
        match code with
        | 2 -> NumberType.UInt8, 1
        | 4 -> NumberType.Int16, 1
        | 8 -> NumberType.Int32, 1
        | 16 -> NumberType.Float32, 1
        | 64 -> NumberType.Float64, 1
        | 128 -> NumberType.UInt8, 3
        | 256 -> NumberType.Int8, 1
        | 512 -> NumberType.UInt16, 1
        | 768 -> NumberType.UInt32, 1
        | 1024 -> NumberType.Int64, 1
        | 1280 -> NumberType.UInt64, 1
        | 2304 -> NumberType.UInt8, 4
        | 32
        | 1792
        | 2048 -> refuse "its voxels are complex numbers; store their magnitude as float32"
        | 1536 -> refuse "its voxels are floats of 128 bits; store them as float32"
        | 1 -> refuse "its voxels are single bits; store them as uint8"
        | code -> refuse $"its header gives the unknown data type %d{code}"

    let private codeOf (kind: NumberType) : int =
        match kind with
        | NumberType.UInt8 -> 2
        | NumberType.Int16 -> 4
        | NumberType.Int32 -> 8
        | NumberType.Float32 -> 16
        | NumberType.Float64 -> 64
        | NumberType.Int8 -> 256
        | NumberType.UInt16 -> 512
        | NumberType.UInt32 -> 768
        | NumberType.Int64 -> 1024
        | NumberType.UInt64 -> 1280

    // Axes of space and channels; axes of length 1 beyond the third say nothing.
    let private layout (dimensions: int64 list) : int64 list * int64 =
        match dimensions with
        | [ _; _ ]
        | [ _; _; _ ] -> dimensions, 1L
        | x :: y :: z :: rest ->
            match rest |> List.filter (fun axis -> axis <> 1L) with
            | [] -> [ x; y; z ], 1L
            | [ channels ] -> [ x; y; z ], channels
            | _ ->
                let list = dimensions |> List.map string |> String.concat " x "
                refuse $"it has %d{dimensions.Length} axes (%s{list}); three of space and one of channels are served"
        | _ -> refuse "it has a single axis; planes and volumes are served"

    // The spacing of each axis (x first) and the geometry.
    let private place (header: NiftiHeader) (axes: int64 list) : float list * Geometry =
        let rank = axes.Length
        let column (rows: float list list) (at: int) = rows |> List.map (fun row -> row[at])

        let length (values: float list) =
            values |> List.sumBy (fun value -> value * value) |> sqrt

        let sizes =
            header.PixelSizes
            |> List.mapi (fun at size ->
                match header.Affine with
                | _ when size > 0.0 -> size
                | Some rows -> length (column rows at)
                | None -> 1.0)

        let rows =
            match header.Affine with
            | Some rows -> rows
            | None ->
                // nibabel's base affine: x runs to the left.
                let middle (at: int) =
                    if at < rank then
                        float (axes[at] - 1L) / 2.0 * sizes[at]
                    else
                        0.0

                [
                    [ -sizes[0]; 0.0; 0.0; middle 0 ]
                    [ 0.0; sizes[1]; 0.0; -(middle 1) ]
                    [ 0.0; 0.0; sizes[2]; -(middle 2) ]
                ]

        // From RAS to LPS.
        let turned = [ List.map (~-) rows[0]; List.map (~-) rows[1]; rows[2] ]
        let within (at: int) = column turned at |> List.truncate rank
        let sides = List.init rank within

        let geometry =
            if rank = 2 && sides |> List.exists (fun side -> length side < 1e-6) then
                // A plane that stands upright in space has no place among planes.
                Geometry.standard 2
            else
                ImageFile.geometry (within 3) sides

        List.truncate rank sizes, geometry

    let private skip (count: int64) (stream: Stream) : unit =
        let part = Array.zeroCreate<byte> 65536
        let mutable left = count

        while left > 0L do
            match stream.Read(part, 0, int (min left (int64 part.Length))) with
            | 0 -> refuse "it is truncated before its voxels"
            | read -> left <- left - int64 read

    // `promised` is what a compressed stream says that it unpacks to.
    let private voxels (promised: int64 option) (size: int64) (stream: Stream) : ImageFile =
        let header, length = NiftiHeader.read stream
        let axes, channels = layout header.Dimensions
        let kind, samples = element header.DataType

        if samples > 1 && channels > 1L then
            refuse $"its voxels are colours along an axis of %d{channels}; one or the other is served"

        let extent = ImageFile.extent (List.rev axes)
        let total = Elements.count (channels :: int64 samples :: axes)

        if header.VoxelOffset < int64 length then
            refuse $"its header puts the voxels at byte %d{header.VoxelOffset}, inside the header"

        let supply =
            match promised with
            | Some promised -> Supply.Packed(size, promised)
            | None -> Supply.Plain(size - header.VoxelOffset)

        skip (header.VoxelOffset - int64 length) stream

        let values =
            Elements.read kind header.BigEndian supply total stream
            |> Elements.rearrange (Elements.transpose samples)

        if promised.IsSome then
            // The check sum comes with the end.
            stream.ReadByte() |> ignore

        let isScaled =
            samples = 1
            && Double.IsFinite header.Slope
            && header.Slope <> 0.0
            && Double.IsFinite header.Intercept
            && not (header.Slope = 1.0 && header.Intercept = 0.0)

        let sizes, geometry = place header axes

        {
            Channels = int channels * samples
            Extent = extent
            Spacing = ImageFile.spacing (List.rev sizes)
            Geometry = geometry
            Values =
                if isScaled then
                    VoxelValues.scaled header.Slope header.Intercept values
                else
                    values
        }

    // Work on a stream that is inflated where its first bytes say so, with what a compressed one says that it unpacks to.
    let private opened (stream: Stream) (work: int64 option -> int64 -> Stream -> 'T) : 'T =
        let size = stream.Length - stream.Position

        if size = 0L then
            refuse "the file is empty"

        let start = stream.Position
        let first, second = stream.ReadByte(), stream.ReadByte()
        stream.Position <- start

        if first = 0x1F && second = 0x8B then
            let promised = Elements.promised stream
            use unzipped = new GZipStream(stream, CompressionMode.Decompress, true)
            work (Some promised) size (unzipped :> Stream)
        else
            work None size stream

    /// How many voxels of space the header declares; the rest of the file is not read. An error is one reason.
    let declared (stream: Stream) : Result<int64, string> =
        Elements.guard (fun () ->
            opened stream (fun _ _ stream ->
                let header, _ = NiftiHeader.read stream
                header.Dimensions |> layout |> fst |> Elements.count |> int64))

    /// What a .nii or .nii.gz file holds; which of both it is, its first bytes tell. Whole numbers of 8 to 64 bits, floats
    /// of 32 and 64, RGB and RGBA, either byte order, scaled where the header says so; the fourth axis is the channels. An
    /// error is one reason that follows "cannot be read"; no more memory is taken than twice what arrives.
    let decode (stream: Stream) : Result<ImageFile, string> =
        Elements.guard (fun () -> opened stream voxels)

    // Rows of the matrix from voxel to RAS.
    let private affine (file: ImageFile) : float list list =
        let rank = file.Extent.Rank
        let steps = List.rev file.Spacing.Values
        let signs = [ -1.0; -1.0; 1.0 ]

        List.init 3 (fun row ->
            List.init 4 (fun column ->
                let value =
                    if row >= rank || (column >= rank && column < 3) then
                        if row = column then 1.0 else 0.0
                    elif column = 3 then
                        file.Geometry.Origin[row]
                    else
                        file.Geometry.Direction[row * rank + column] * steps[column]

                // Not -0.
                signs[row] * value + 0.0))

    let private header (file: ImageFile) (dimensions: int list) : byte[] =
        let bytes = Array.zeroCreate<byte> 352

        let put (start: int) (part: byte[]) =
            Array.blit part 0 bytes start part.Length

        let int16 (start: int) (value: int) =
            put start (BitConverter.GetBytes(int16 value))

        let single (start: int) (value: float) =
            put start (BitConverter.GetBytes(float32 value))

        let kind = Elements.kind file.Values
        let rows = affine file
        let steps = List.rev file.Spacing.Values

        let axes =
            List.init 3 (fun column ->
                let step = if column < steps.Length then steps[column] else 1.0
                rows |> List.map (fun row -> row[column] / step))

        let dot (left: float list) (right: float list) =
            List.fold2 (fun sum a b -> sum + a * b) 0.0 left right

        let isOrthonormal =
            List.allPairs [ 0..2 ] [ 0..2 ]
            |> List.forall (fun (i, j) -> abs (dot axes[i] axes[j] - (if i = j then 1.0 else 0.0)) < 1e-4)

        let cross =
            [
                axes[0][1] * axes[1][2] - axes[0][2] * axes[1][1]
                axes[0][2] * axes[1][0] - axes[0][0] * axes[1][2]
                axes[0][0] * axes[1][1] - axes[0][1] * axes[1][0]
            ]

        let factor = if dot cross axes[2] < 0.0 then -1.0 else 1.0
        put 0 (BitConverter.GetBytes 348)
        int16 40 dimensions.Length

        for at in 0..6 do
            int16 (42 + 2 * at) (if at < dimensions.Length then dimensions[at] else 1)

        int16 70 (codeOf kind)
        int16 72 (8 * Elements.size kind)
        single 76 factor

        for at in 0..6 do
            single (80 + 4 * at) (if at < steps.Length then steps[at] else 1.0)

        single 108 352.0
        single 112 1.0
        // Millimetres.
        bytes[123] <- 2uy
        int16 252 (if isOrthonormal then 1 else 0)
        int16 254 1

        if isOrthonormal then
            let turned =
                List.transpose [ axes[0]; axes[1]; List.map (fun value -> factor * value) axes[2] ]

            NiftiHeader.quaternion turned
            |> List.iteri (fun at value -> single (256 + 4 * at) value)

        rows |> List.iteri (fun row values -> single (268 + 4 * row) values[3])

        rows |> List.concat |> List.iteri (fun at value -> single (280 + 4 * at) value)

        put 344 (Encoding.ASCII.GetBytes "n+1")
        bytes

    /// Writes NIfTI-1, little-endian, with the geometry as sform and, where its axes are orthogonal, as qform; spacing and
    /// geometry are rounded to 32 bits, as the format has them. Channels become the fourth axis. Throws ArgumentException for
    /// axes above 32767, and for planes of several channels, whose files hold one channel each.
    let encode (gzip: bool) (file: ImageFile) (stream: Stream) : unit =
        if file.Extent.Rank = 2 && file.Channels > 1 then
            invalidArg
                (nameof file)
                $"A NIfTI file holds one channel of a plane; got %d{file.Channels}: write a file each."

        let dimensions =
            List.rev file.Extent.Shape
            @ (if file.Channels > 1 then [ file.Channels ] else [])

        if dimensions |> List.exists (fun axis -> axis > int Int16.MaxValue) then
            invalidArg (nameof file) $"A NIfTI-1 file has axes of at most %d{Int16.MaxValue}; got %A{dimensions}."

        let header = header file dimensions

        let write (target: Stream) : unit =
            target.Write(header, 0, header.Length)
            Elements.write target file.Values

        if gzip then
            use zipped = new GZipStream(stream, CompressionLevel.Optimal, true)
            write zipped
        else
            write stream
