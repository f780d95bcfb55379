namespace SkeletonRecall.Training

open System
open System.Runtime.InteropServices

/// The numbers of image files as values of images and as labels.
[<RequireQualifiedAccess>]
module internal VoxelValues =

    let inline private converted ([<InlineIfLambda>] convert: 'T -> float32) (data: 'T[]) : float32[] =
        let result = GC.AllocateUninitializedArray<float32> data.Length

        for at in 0 .. data.Length - 1 do
            result[at] <- convert data[at]

        result

    /// The numbers as an image's; those that are float32 already are not copied.
    let toFloats (values: NpyValues) : float32[] =
        match values with
        | Bools data -> data |> converted (fun value -> if value then 1.0f else 0.0f)
        | Int8s data -> data |> converted float32
        | UInt8s data -> data |> converted float32
        | Int16s data -> data |> converted float32
        | UInt16s data -> data |> converted float32
        | Int32s data -> data |> converted float32
        | UInt32s data -> data |> converted float32
        | Int64s data -> data |> converted float32
        | UInt64s data -> data |> converted float32
        | Float32s data -> data
        | Float64s data -> data |> converted float32

    /// slope * value + intercept, of whole numbers reckoned in double precision.
    let scaled (slope: float) (intercept: float) (values: NpyValues) : NpyValues =
        let inline scale (data: ^T[]) : NpyValues =
            data
            |> converted (fun value -> float32 (slope * float value + intercept))
            |> Float32s

        match values with
        | Bools data -> data |> Array.map (fun value -> if value then 1uy else 0uy) |> scale
        | Int8s data -> scale data
        | UInt8s data -> scale data
        | Int16s data -> scale data
        | UInt16s data -> scale data
        | Int32s data -> scale data
        | UInt32s data -> scale data
        | Int64s data -> scale data
        | UInt64s data -> scale data
        | Float32s data -> scale data
        | Float64s data -> scale data

    let inline private whole ([<InlineIfLambda>] toWhole: 'T -> int64) (data: 'T[]) : uint16[] =
        let result = GC.AllocateUninitializedArray<uint16> data.Length

        for at in 0 .. data.Length - 1 do
            let value = toWhole data[at]

            if uint64 value > 65535UL then
                Elements.refuse $"it holds the value %d{value}; labels are whole numbers in 0..%d{Int16.MaxValue}"

            result[at] <- uint16 value

        result

    let private ofFloat (value: float) : int64 =
        if Double.IsInteger value && abs value < 1e15 then
            int64 value
        else
            Elements.refuse $"it holds the value %g{value}; labels are whole numbers: round or threshold them"

    /// The numbers as labels, 0..65535; refused where one is negative, larger or no whole number.
    let toLabels (values: NpyValues) : uint16[] =
        match values with
        | Bools data -> data |> whole (fun value -> if value then 1L else 0L)
        | Int8s data -> data |> whole int64
        | UInt8s data -> data |> whole int64
        | Int16s data -> data |> whole int64
        | UInt16s data -> data
        | Int32s data -> data |> whole int64
        | UInt32s data -> data |> whole int64
        | Int64s data -> data |> whole id
        | UInt64s data -> data |> whole (fun value -> int64 (min value (uint64 Int64.MaxValue)))
        | Float32s data -> data |> whole (fun value -> ofFloat (float value))
        | Float64s data -> data |> whole ofFloat

    /// How many numbers are NaN or infinite.
    let strange (data: float32[]) : int =
        // One sum tells whether any is: 0 * infinity and 0 * NaN are NaN.
        let vectors =
            MemoryMarshal.Cast<float32, Numerics.Vector<float32>>(ReadOnlySpan data)

        let mutable sum = Numerics.Vector<float32>.Zero

        for at in 0 .. vectors.Length - 1 do
            sum <- sum + vectors[at] * Numerics.Vector<float32>.Zero

        let mutable found = 0

        if Single.IsNaN(Numerics.Vector.Sum sum) then
            for value in data do
                if not (Single.IsFinite value) then
                    found <- found + 1
        else
            for at in vectors.Length * Numerics.Vector<float32>.Count .. data.Length - 1 do
                if not (Single.IsFinite data[at]) then
                    found <- found + 1

        found
