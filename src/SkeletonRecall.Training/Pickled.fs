namespace SkeletonRecall.Training

/// Numbers that a torch file keeps apart from its pickle, in a file of their own.
type internal TorchStorage =
    {
        /// The name of the file in the archive's folder `data`.
        Key: string
        Type: ElementType
        /// How many there are.
        Count: int64
    }

/// A tensor as a torch file describes it: a view on a storage. Its elements lie in the storage; see `PickleNames`.
type internal TorchTensor =
    {
        Storage: TorchStorage
        /// The place of its first element, counted in elements.
        Offset: int64
        Shape: int list
        /// Elements from one to the next along each axis.
        Strides: int64 list
    }

/// numpy's type of an element: f, i, u or b, and its bytes.
[<Sealed; AllowNullLiteral>]
type internal NumpyType(kind: char, size: int) =
    member _.Kind = kind
    member _.Size = size
    member val BigEndian = false with get, set

/// What names a pickle may call, and what each makes; see `PickleNames`.
[<RequireQualifiedAccess>]
type internal Maker =
    | Dictionary
    | Set
    | Tensor
    | Parameter
    | Size
    | Device
    | Storage of ElementType
    | Bytes
    | NumpyType
    | NumpyScalar
    | NumpyArray
    /// Handed to another one and never called.
    | Nothing

/// Whatever a pickle can hold here: plain values and descriptions of tensors. Nothing else can be built.
[<RequireQualifiedAccess; ReferenceEquality>]
type internal Pickled =
    | Nothing
    | Truth of bool
    | Whole of int64
    | Real of float
    | Text of string
    | Bytes of byte[]
    /// A list or a set.
    | Items of ResizeArray<Pickled>
    | Tuple of Pickled[]
    /// A dictionary, later entries over earlier ones of the same key.
    | Entries of ResizeArray<struct (Pickled * Pickled)>
    | Maker of Maker
    | Storage of TorchStorage
    | Tensor of TorchTensor
    | NumpyType of NumpyType
    /// A numpy array, whose values nothing here needs.
    | NumpyArray

/// Looking into what was read.
[<RequireQualifiedAccess; CompilationRepresentation(CompilationRepresentationFlags.ModuleSuffix)>]
module internal Pickled =

    /// What a value is, for messages.
    let describe (value: Pickled) : string =
        match value with
        | Pickled.Nothing -> "None"
        | Pickled.Truth _ -> "a truth value"
        | Pickled.Whole _
        | Pickled.Real _ -> "a number"
        | Pickled.Text _ -> "a text"
        | Pickled.Bytes _ -> "bytes"
        | Pickled.Items _ -> "a list"
        | Pickled.Tuple _ -> "a tuple"
        | Pickled.Entries _ -> "a dictionary"
        | Pickled.Maker _ -> "a function or class"
        | Pickled.Storage _ -> "a storage"
        | Pickled.Tensor _ -> "a tensor"
        | Pickled.NumpyType _ -> "a type of numpy's"
        | Pickled.NumpyArray -> "an array of numpy's"

    /// The entries of a dictionary whose keys are texts, in order; none of anything else.
    let entries (value: Pickled) : (string * Pickled) list =
        match value with
        | Pickled.Entries found ->
            [
                for struct (key, value) in found do
                    match key with
                    | Pickled.Text key -> key, value
                    | _ -> ()
            ]
        | _ -> []

    /// A dictionary's value, where the key is there.
    let tryFind (key: string) (value: Pickled) : Pickled option =
        entries value
        |> List.tryFindBack (fun (found, _) -> found = key)
        |> Option.map snd
