namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.Numerics

/// The names that a pickle may hold, and what is made in their place. No name is ever looked up in a program: what stands
/// here is all there is.
[<RequireQualifiedAccess>]
module internal PickleNames =

    let private storages: (string * ElementType) list =
        [
            "Double", ElementType.Float64
            "Float", ElementType.Float32
            "Half", ElementType.Float16
            "BFloat16", ElementType.BFloat16
            "Long", ElementType.Int64
            "Int", ElementType.Int32
            "Short", ElementType.Int16
            "Char", ElementType.Int8
            "Byte", ElementType.UInt8
            "Bool", ElementType.Boolean
        ]

    let private numberTypes =
        [
            "float64"
            "float32"
            "float16"
            "bfloat16"
            "int64"
            "int32"
            "int16"
            "int8"
            "uint8"
            "bool"
        ]

    let private known: Map<string * string, Pickled> =
        let maker (names: (string * string) list) (maker: Maker) =
            names |> List.map (fun name -> name, Pickled.Maker maker)

        let ofNumpy (name: string) =
            [ "numpy.core.multiarray", name; "numpy._core.multiarray", name ]

        [
            yield! maker [ "collections", "OrderedDict" ] Maker.Dictionary
            yield! maker [ "builtins", "set"; "__builtin__", "set"; "builtins", "frozenset" ] Maker.Set
            yield! maker [ "torch._utils", "_rebuild_tensor_v2"; "torch._utils", "_rebuild_tensor" ] Maker.Tensor
            yield! maker [ "torch._utils", "_rebuild_parameter" ] Maker.Parameter
            yield! maker [ "torch", "Size" ] Maker.Size
            yield! maker [ "torch", "device" ] Maker.Device
            yield! maker [ "_codecs", "encode" ] Maker.Bytes
            yield! maker [ "numpy", "dtype" ] Maker.NumpyType
            yield! maker [ "numpy", "ndarray" ] Maker.Nothing
            yield! maker (ofNumpy "scalar") Maker.NumpyScalar
            yield! maker (ofNumpy "_reconstruct") Maker.NumpyArray

            for name, element in storages do
                yield! maker [ "torch", name + "Storage" ] (Maker.Storage element)

            for name in numberTypes do
                ("torch", name), Pickled.Text name
        ]
        |> Map.ofList

    /// What stands in a name's place; any name that is not on the list is refused, by its name.
    let find (moduleName: string) (name: string) : Pickled =
        match known.TryFind((moduleName, name)) with
        | Some found -> found
        | None ->
            let whole = $"%s{moduleName}.%s{name}"

            let shown =
                if whole.Length > 120 then
                    whole.Substring(0, 120) + "..."
                else
                    whole

            Elements.refuse $"it asks for %s{shown}, which no checkpoint of nnU-Net needs; nothing of it was run"

    let private wrong (what: string) (got: Pickled) : 'T =
        Elements.refuse $"its pickle has %s{Pickled.describe got} where %s{what} is wanted"

    let private wholes (what: string) (value: Pickled) : int64 list =
        match value with
        // No tensor of torch's has more axes.
        | Pickled.Tuple items when items.Length <= 64 ->
            [
                for item in items ->
                    match item with
                    | Pickled.Whole number when number >= 0L -> number
                    | other -> wrong $"a count of %s{what}" other
            ]
        | other -> wrong what other

    // A view on a storage whose elements all lie in it, and that shows no more elements than it has.
    let private tensor (storage: TorchStorage) (offset: int64) (shape: Pickled) (strides: Pickled) : Pickled =
        let shape, strides =
            wholes "a tensor's shape" shape, wholes "a tensor's strides" strides

        if shape.Length <> strides.Length then
            Elements.refuse $"it has a tensor of %d{shape.Length} axes with %d{strides.Length} strides"

        let shown = shape |> List.fold (fun all axis -> all * bigint axis) 1I

        let last =
            List.fold2
                (fun (at: bigint) (axis: int64) (stride: int64) -> at + bigint (axis - 1L) * bigint stride)
                (bigint offset)
                shape
                strides

        if
            offset < 0L
            || shown > bigint storage.Count
            || (shown > 0I && last >= bigint storage.Count)
        then
            Elements.refuse
                $"it has a tensor that reaches beyond the %d{storage.Count} numbers of its storage %s{storage.Key}"

        if shown > bigint Array.MaxLength then
            Elements.refuse $"it has a tensor of %O{shown} numbers, more than one array holds"

        Pickled.Tensor
            {
                Storage = storage
                Offset = offset
                // Each axis is below the product, unless that is 0.
                Shape = shape |> List.map (fun axis -> int (min axis (int64 Int32.MaxValue)))
                Strides = strides
            }

    let private bytes (text: string) : Pickled =
        if text |> Seq.exists (fun letter -> letter > '\u00ff') then
            Elements.refuse "its pickle has bytes that are none"

        Pickled.Bytes(Array.init text.Length (fun at -> byte text[at]))

    let private numpyType (name: string) : Pickled =
        match name with
        | "?" -> Pickled.NumpyType(NumpyType('b', 1))
        | "f2"
        | "f4"
        | "f8"
        | "i1"
        | "i2"
        | "i4"
        | "i8"
        | "u1"
        | "u2"
        | "u4"
        | "u8"
        | "b1" -> Pickled.NumpyType(NumpyType(name[0], int name[1] - int '0'))
        | other -> Elements.refuse $"it has numbers of numpy's type '%s{other}', which is not read"

    let private numpyScalar (kind: NumpyType) (bytes: byte[]) : Pickled =
        if bytes.Length <> kind.Size then
            Elements.refuse $"it has a number of numpy's of %d{kind.Size} bytes with %d{bytes.Length} bytes"

        let bytes = if kind.BigEndian then Array.rev bytes else bytes
        let all = ReadOnlySpan bytes

        match kind.Kind, kind.Size with
        | 'f', 8 -> Pickled.Real(BinaryPrimitives.ReadDoubleLittleEndian all)
        | 'f', 4 -> Pickled.Real(float (BinaryPrimitives.ReadSingleLittleEndian all))
        | 'f', _ -> Pickled.Real(float (BinaryPrimitives.ReadHalfLittleEndian all))
        | 'b', _ -> Pickled.Truth(bytes[0] <> 0uy)
        | kind, _ ->
            let number = BigInteger(all, isUnsigned = (kind = 'u'))

            if number > BigInteger Int64.MaxValue then
                Pickled.Real(float number)
            else
                Pickled.Whole(int64 number)

    let private pair (value: Pickled) : struct (Pickled * Pickled) =
        match value with
        | Pickled.Tuple [| key; item |] -> struct (key, item)
        | Pickled.Items items when items.Count = 2 -> struct (items[0], items[1])
        | other -> wrong "an entry of a dictionary" other

    /// What a name's call makes of its arguments; `charge` is told of memory that it takes.
    let call (charge: int -> unit) (maker: Maker) (arguments: Pickled[]) : Pickled =
        match maker, List.ofArray arguments with
        | Maker.Dictionary, [] -> Pickled.Entries(ResizeArray())
        | Maker.Dictionary, [ Pickled.Items items ] ->
            charge (32 * items.Count)
            Pickled.Entries(ResizeArray(Seq.map pair items))
        | Maker.Set, [] -> Pickled.Items(ResizeArray())
        | Maker.Set, [ Pickled.Items items ] -> Pickled.Items items
        | Maker.Tensor, Pickled.Storage storage :: Pickled.Whole offset :: shape :: strides :: _ ->
            charge 400
            tensor storage offset shape strides
        | Maker.Parameter, (Pickled.Tensor _ as tensor) :: _ -> tensor
        | Maker.Size, [ Pickled.Tuple _ as axes ] -> axes
        | Maker.Device, (Pickled.Text _ as name) :: _ -> name
        | Maker.Bytes, [ Pickled.Text text; Pickled.Text("latin1" | "latin-1" | "iso-8859-1") ] ->
            charge text.Length
            bytes text
        | Maker.NumpyType, Pickled.Text name :: _ -> numpyType name
        | Maker.NumpyScalar, [ Pickled.NumpyType kind; Pickled.Bytes bytes ] -> numpyScalar kind bytes
        | Maker.NumpyArray, _ -> Pickled.NumpyArray
        | _ ->
            let got =
                arguments
                |> Array.truncate 5
                |> Array.map Pickled.describe
                |> String.concat ", "

            Elements.refuse $"its pickle asks for %A{maker} of (%s{got}), which cannot be"

    /// The storage of a persistent id: `("storage", class, key, device, count)`.
    let storage (id: Pickled) : Pickled =
        match id with
        | Pickled.Tuple [| Pickled.Text "storage"
                           Pickled.Maker(Maker.Storage element)
                           Pickled.Text key
                           Pickled.Text _
                           Pickled.Whole count |] when count >= 0L ->
            Pickled.Storage
                {
                    Key = key
                    Type = element
                    Count = count
                }
        | other -> wrong "a storage" other

    /// Sets the inner state of what a name made: numpy's byte order; all else is left alone, as are the attributes of a
    /// dictionary (the version numbers that torch adds to weights).
    let setState (target: Pickled) (state: Pickled) : unit =
        match target, state with
        | Pickled.NumpyType kind, Pickled.Tuple items when items.Length >= 2 ->
            match items[1] with
            | Pickled.Text ">" -> kind.BigEndian <- true
            | _ -> ()
        | Pickled.NumpyArray, _
        | Pickled.Entries _, _ -> ()
        | other, _ -> Elements.refuse $"its pickle sets the inner state of %s{Pickled.describe other}"
