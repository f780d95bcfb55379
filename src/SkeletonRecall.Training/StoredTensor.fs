namespace SkeletonRecall.Training

open System.IO

/// Element types of the safetensors format that are read and written here.
type ElementType =
    | Float64
    | Float32
    | Float16
    | BFloat16
    | Int64
    | Int32
    | Int16
    | Int8
    | UInt8
    | Boolean

/// One tensor of a file: little-endian values, row-major.
type StoredTensor =
    {
        Name: string
        Type: ElementType
        Shape: int list
        Bytes: byte[]
    }

/// A tensor that is written as it is made, without an array of all its bytes.
type TensorSource =
    {
        Name: string
        Type: ElementType
        Shape: int list
        /// Writes the little-endian values, row-major.
        Write: Stream -> unit
    }

/// Where a tensor lies in its file.
type TensorPlace =
    {
        Name: string
        Type: ElementType
        Shape: int list
        /// Its first byte, counted from the beginning of the file.
        First: int64
        /// The number of its bytes.
        Length: int64
    }

/// Types and sizes of stored tensors.
[<RequireQualifiedAccess>]
module internal StoredTensor =

    /// Each type with its name in the format and its bytes.
    let types: (ElementType * (string * int)) list =
        [
            Float64, ("F64", 8)
            Float32, ("F32", 4)
            Float16, ("F16", 2)
            BFloat16, ("BF16", 2)
            Int64, ("I64", 8)
            Int32, ("I32", 4)
            Int16, ("I16", 2)
            Int8, ("I8", 1)
            UInt8, ("U8", 1)
            Boolean, ("BOOL", 1)
        ]

    let nameAndSize (element: ElementType) : string * int =
        types |> List.find (fun (known, _) -> known = element) |> snd

    /// The bytes of a tensor of this type and shape. Throws OverflowException where 64 bits do not count them.
    let expectedBytes (element: ElementType) (shape: int list) : int64 =
        let size = snd (nameAndSize element)

        shape
        |> List.fold (fun total axis -> Checked.(*) total (int64 axis)) (int64 size)
