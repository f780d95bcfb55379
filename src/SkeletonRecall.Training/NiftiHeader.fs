namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO

/// What `Nifti` needs of a header of version 1 or 2 (nifti.nimh.nih.gov: nifti1.h, nifti2.h).
type internal NiftiHeader =
    {
        BigEndian: bool
        /// The axes in use, x first.
        Dimensions: int64 list
        DataType: int
        /// Of the axes x, y and z, in mm; 0 where the file says nothing useful.
        PixelSizes: float list
        VoxelOffset: int64
        Slope: float
        Intercept: float
        /// The rows of the matrix from voxel (x, y, z, 1) to RAS in mm, if the header has one.
        Affine: float list list option
    }

/// Reading and writing headers.
[<RequireQualifiedAccess>]
module internal NiftiHeader =

    let private refuse (reason: string) : 'T = Elements.refuse reason

    // The matrix of a unit quaternion, row by row.
    let private rotation (b: float) (c: float) (d: float) : float list list =
        let a = sqrt (max 0.0 (1.0 - b * b - c * c - d * d))

        [
            [ a * a + b * b - c * c - d * d; 2.0 * (b * c - a * d); 2.0 * (b * d + a * c) ]
            [ 2.0 * (b * c + a * d); a * a + c * c - b * b - d * d; 2.0 * (c * d - a * b) ]
            [ 2.0 * (b * d - a * c); 2.0 * (c * d + a * b); a * a + d * d - b * b - c * c ]
        ]

    /// The quaternion (b, c, d) of a rotation, row by row.
    let quaternion (r: float list list) : float list =
        let m (row: int) (column: int) = r[row][column]
        let trace = m 0 0 + m 1 1 + m 2 2

        if trace > 0.0 then
            let s = 2.0 * sqrt (trace + 1.0)
            [ (m 2 1 - m 1 2) / s; (m 0 2 - m 2 0) / s; (m 1 0 - m 0 1) / s ]
        else
            // The largest of b, c and d, then the others from it, with the sign that makes a >= 0.
            let i =
                if m 0 0 >= m 1 1 && m 0 0 >= m 2 2 then 0
                elif m 1 1 >= m 2 2 then 1
                else 2

            let j, k = (i + 1) % 3, (i + 2) % 3
            let s = 2.0 * sqrt (max 1e-300 (1.0 + m i i - m j j - m k k))
            let a = (m k j - m j k) / s
            let sign = if a < 0.0 then -1.0 else 1.0
            let values = Array.zeroCreate<float> 3
            values[i] <- sign * s / 4.0
            values[j] <- sign * (m j i + m i j) / s
            values[k] <- sign * (m k i + m i k) / s
            List.ofArray values

    // Units of space are the three lowest bits: metres 1, millimetres 2, micrometres 3.
    let private millimetres (units: int) : float =
        match units &&& 7 with
        | 1 -> 1000.0
        | 3 -> 0.001
        | _ -> 1.0

    type private Fields =
        {
            Int16: int -> int
            Int32: int -> int
            Int64: int -> int64
            Single: int -> float
            Double: int -> float
        }

    let private fields (bigEndian: bool) (bytes: byte[]) : Fields =
        let at (start: int) (length: int) : byte[] =
            let part = Array.sub bytes start length
            if bigEndian then Array.rev part else part

        {
            Int16 = fun start -> int (BitConverter.ToInt16(at start 2, 0))
            Int32 = fun start -> BitConverter.ToInt32(at start 4, 0)
            Int64 = fun start -> BitConverter.ToInt64(at start 8, 0)
            Single = fun start -> float (BitConverter.ToSingle(at start 4, 0))
            Double = fun start -> BitConverter.ToDouble(at start 8, 0)
        }

    let private affine
        (unit: float)
        (sizes: float list)
        (factor: float)
        (codes: int * int)
        (quaternion: float list)
        (offset: float list)
        (rows: float list list)
        : float list list option =
        let finite (values: float list) = List.forall Double.IsFinite values

        let usable (rows: float list list) =
            List.forall finite rows
            && [ 0..2 ]
               |> List.forall (fun column -> rows |> List.exists (fun row -> abs row[column] > 1e-12))

        match codes, quaternion with
        | (_, sform), _ when sform > 0 && usable rows -> Some(rows |> List.map (List.map (fun value -> value * unit)))
        | (qform, _), [ b; c; d ] when qform > 0 && finite (quaternion @ offset) ->
            let sizes =
                sizes
                |> List.mapi (fun at size -> (if size > 0.0 then size else 1.0) * (if at = 2 then factor else 1.0))

            List.map2 (fun row place -> List.map2 (*) row sizes @ [ place * unit ]) (rotation b c d) offset
            |> Some
        | _ -> None

    // `number` is the reader of the version's floats, which are `step` bytes apart.
    let private assemble
        (bigEndian: bool)
        (number: int -> float)
        (step: int)
        (places:
            {|
                Pixels: int
                Quaternion: int
                Rows: int
            |})
        (dimensions: int64 list)
        (dataType: int)
        (offset: int64)
        (slope: float)
        (intercept: float)
        (units: int)
        (codes: int * int)
        : NiftiHeader =
        let several (start: int) (count: int) : float list =
            List.init count (fun at -> number (start + at * step))

        let unit = millimetres units

        let sizes =
            several (places.Pixels + step) 3
            |> List.map (fun size -> if Double.IsFinite size then abs size * unit else 0.0)

        let factor = if number places.Pixels < 0.0 then -1.0 else 1.0
        let quaternion = several places.Quaternion 3
        let origin = several (places.Quaternion + 3 * step) 3
        let rows = List.init 3 (fun row -> several (places.Rows + 4 * row * step) 4)

        {
            BigEndian = bigEndian
            Dimensions = dimensions
            DataType = dataType
            PixelSizes = sizes
            VoxelOffset = offset
            Slope = slope
            Intercept = intercept
            Affine = affine unit sizes factor codes quaternion origin rows
        }

    let private dimensions (count: int64) (axis: int -> int64) : int64 list =
        if count < 1L || count > 7L then
            refuse $"its header declares %d{count} dimensions; a NIfTI file has 1 to 7"

        List.init (int count) (fun at -> axis (at + 1))

    let private version1 (bigEndian: bool) (bytes: byte[]) : NiftiHeader =
        let fields = fields bigEndian bytes

        match Text.Encoding.ASCII.GetString(bytes, 344, 3) with
        | "n+1" -> ()
        | "ni1" -> refuse "it is the header of a pair of files (.hdr and .img); convert them into one .nii.gz file"
        | _ -> refuse "it is not a NIfTI file: the mark n+1 is missing; an Analyze file must be converted first"

        let offset = fields.Single 108

        if not (offset >= 0.0 && offset < 1e15) then
            refuse $"its header puts the voxels at byte %g{offset}"

        assemble
            bigEndian
            fields.Single
            4
            {|
                Pixels = 76
                Quaternion = 256
                Rows = 280
            |}
            (dimensions (int64 (fields.Int16 40)) (fun at -> int64 (fields.Int16(40 + 2 * at))))
            (fields.Int16 70)
            (if offset = 0.0 then 352L else int64 offset)
            (fields.Single 112)
            (fields.Single 116)
            (int bytes[123])
            (fields.Int16 252, fields.Int16 254)

    let private version2 (bigEndian: bool) (bytes: byte[]) : NiftiHeader =
        let fields = fields bigEndian bytes

        if Text.Encoding.ASCII.GetString(bytes, 4, 3) <> "n+2" then
            refuse "it is not a NIfTI file: the mark n+2 is missing"

        let offset = fields.Int64 168

        assemble
            bigEndian
            fields.Double
            8
            {|
                Pixels = 104
                Quaternion = 352
                Rows = 400
            |}
            (dimensions (fields.Int64 16) (fun at -> fields.Int64(16 + 8 * at)))
            (fields.Int16 12)
            (if offset = 0L then 544L else offset)
            (fields.Double 176)
            (fields.Double 184)
            (fields.Int32 500)
            (fields.Int32 344, fields.Int32 348)

    let private filled (stream: Stream) (bytes: byte[]) (start: int) (length: int) : unit =
        if stream.ReadAtLeast(Span(bytes, start, length), length, false) < length then
            refuse "it is truncated in its header"

    /// The header at a stream's place, and its length in bytes.
    let read (stream: Stream) : NiftiHeader * int =
        let bytes = Array.zeroCreate<byte> 540
        filled stream bytes 0 348
        let little = BinaryPrimitives.ReadInt32LittleEndian(ReadOnlySpan bytes)
        let big = BinaryPrimitives.ReadInt32BigEndian(ReadOnlySpan bytes)

        match little, big with
        | 348, _ -> version1 false bytes, 348
        | _, 348 -> version1 true bytes, 348
        | 540, _
        | _, 540 ->
            filled stream bytes 348 192
            version2 (big = 540) bytes, 540
        | _ -> refuse "it is not a NIfTI file"
