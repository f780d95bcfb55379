namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.Runtime.InteropServices
open System.Text

/// A file of `torch.save` (torch 1.6 and later) that is open for reading: what its pickle holds. The tensors' numbers are still
/// in the archive.
type internal TorchFile =
    {
        Archive: Archive
        /// The folder in the archive that all its files lie in, with its `/`.
        Folder: string
        Root: Pickled
    }

/// Reading what `torch.save` wrote, without torch. What is wrong is refused, as `Elements.refuse` does.
[<RequireQualifiedAccess>]
module internal TorchTensors =

    /// What a pickle's values may take beside what the file takes; a list of 8000 epochs needs some of it.
    let private mostValues = 64L <<< 20

    // What torch before 1.6 began its files with: a pickle of the number 0x1950a86a20f9469cfc6c.
    let private oldMagic =
        [| 0x80uy; 0x02uy; 0x8auy; 0x0auy; 0x6cuy; 0xfcuy; 0x9cuy; 0x46uy |]

    let private refuseOther (stream: Stream) : unit =
        let first = Array.zeroCreate<byte> 8
        stream.Position <- 0L
        let read = stream.ReadAtLeast(Span first, 8, false)

        if read = 0 then
            Elements.refuse "the file is empty"
        elif read = 8 && first = oldMagic then
            Elements.refuse
                "it has the form that torch wrote before 1.6; load it and save it again with a later torch: torch.save(torch.load(FILE), FILE)"
        elif first[0] = 0x80uy then
            Elements.refuse "it is a pickle by itself, not a checkpoint that torch.save wrote"
        else
            Elements.refuse "it is no checkpoint that torch.save wrote, which would be a zip archive"

    // The folder of the only data.pkl.
    let private folder (archive: Archive) : string =
        let names = archive.Entries.Keys |> List.ofSeq

        if
            names
            |> List.exists (fun name -> name.EndsWith("/constants.pkl", StringComparison.Ordinal))
        then
            Elements.refuse "it is a TorchScript program, not a checkpoint"

        match
            names
            |> List.filter (fun name -> ("/" + name).EndsWith("/data.pkl", StringComparison.Ordinal))
        with
        | [ only ] -> only.Substring(0, only.Length - "data.pkl".Length)
        | [] -> Elements.refuse "it is a zip archive without data.pkl, so no checkpoint of torch"
        | _ -> Elements.refuse "it holds data.pkl more than once"

    /// Reads the pickle of a file. The stream must outlive the result.
    let openFile (stream: Stream) : TorchFile =
        if not (Archive.isArchive stream) then
            refuseOther stream

        let archive = Archive.read stream
        let folder = folder archive

        match archive.Entries.TryFind(folder + "byteorder") with
        | Some entry when Encoding.ASCII.GetString(Archive.bytes 64L archive entry) <> "little" ->
            Elements.refuse "its numbers have their highest byte first (big-endian), which is not read"
        | _ -> ()

        let pickle = archive.Entries[folder + "data.pkl"]
        let bytes = Archive.bytes (1L <<< 30) archive pickle

        {
            Archive = archive
            Folder = folder
            Root = Pickle.read (mostValues + stream.Length) bytes
        }

    // Little-endian numbers as floats.
    let private convert
        (name: string)
        (element: ElementType)
        (source: byte[])
        (from: int)
        (target: Span<float32>)
        : unit =
        let bytes =
            ReadOnlySpan(source, from, target.Length * snd (StoredTensor.nameAndSize element))

        match element with
        | Float32 -> MemoryMarshal.Cast<byte, float32>(bytes).CopyTo target
        | Float64 ->
            for index in 0 .. target.Length - 1 do
                target[index] <- float32 (BinaryPrimitives.ReadDoubleLittleEndian(bytes.Slice(8 * index)))
        | Float16 ->
            for index in 0 .. target.Length - 1 do
                target[index] <- float32 (BinaryPrimitives.ReadHalfLittleEndian(bytes.Slice(2 * index)))
        | BFloat16 ->
            for index in 0 .. target.Length - 1 do
                let high = BinaryPrimitives.ReadUInt16LittleEndian(bytes.Slice(2 * index))
                target[index] <- BitConverter.UInt32BitsToSingle(uint32 high <<< 16)
        | Int64
        | Int32
        | Int16
        | Int8
        | UInt8
        | Boolean -> Elements.refuse $"%s{name} holds no floating-point numbers"

    let private count (tensor: TorchTensor) : int = List.fold (*) 1 tensor.Shape

    let private isContiguous (tensor: TorchTensor) : bool =
        let wanted =
            List.scanBack (fun (axis: int) (stride: int64) -> int64 axis * stride) tensor.Shape 1L
            |> List.tail

        List.forall2
            (fun axis (stride, wanted) -> axis = 1 || stride = wanted)
            tensor.Shape
            (List.zip tensor.Strides wanted)

    // The numbers of a tensor that lie one after the other, as they arrive.
    let private straight (file: TorchFile) (entry: ArchiveEntry) (name: string, tensor: TorchTensor) : NamedArray =
        let size = int64 (snd (StoredTensor.nameAndSize tensor.Storage.Type))
        let values = Array.zeroCreate<float32>(count tensor)
        let first = tensor.Offset * size
        let last = first + int64 values.Length * size

        Archive.inParts file.Archive entry (fun at part held ->
            let from, finish = max first at, min last (at + int64 held)

            if finish > from then
                convert
                    name
                    tensor.Storage.Type
                    part
                    (int (from - at))
                    (Span(values, int ((from - first) / size), int ((finish - from) / size))))

        {
            Name = name
            Shape = tensor.Shape
            Values = values
        }

    // The numbers of a tensor anywhere in its storage.
    let private gathered (bytes: byte[]) (name: string, tensor: TorchTensor) : NamedArray =
        let size = int64 (snd (StoredTensor.nameAndSize tensor.Storage.Type))
        let values = Array.zeroCreate<float32>(count tensor)
        let shape, strides = Array.ofList tensor.Shape, Array.ofList tensor.Strides
        let position = Array.zeroCreate<int> shape.Length
        let mutable place = tensor.Offset

        for index in 0 .. values.Length - 1 do
            convert name tensor.Storage.Type bytes (int (place * size)) (Span(values, index, 1))
            let mutable axis = shape.Length - 1
            let mutable carried = axis >= 0

            while carried do
                position[axis] <- position[axis] + 1
                place <- place + strides[axis]

                if position[axis] = shape[axis] then
                    place <- place - int64 shape[axis] * strides[axis]
                    position[axis] <- 0
                    axis <- axis - 1
                    carried <- axis >= 0
                else
                    carried <- false

        {
            Name = name
            Shape = tensor.Shape
            Values = values
        }

    /// The numbers of tensors by name, each storage read once, in the order in which they lie in the file. Refused where
    /// they are more than the file can hold, or a storage has another size than its tensors say.
    let floats (file: TorchFile) (tensors: (string * TorchTensor) list) : NamedArray list =
        let bytesOf (element: ElementType) (numbers: int64) =
            bigint numbers * bigint (snd (StoredTensor.nameAndSize element))

        let wanted =
            tensors
            |> List.sumBy (fun (_, tensor) -> bytesOf tensor.Storage.Type (int64 (count tensor)))

        if wanted > bigint file.Archive.Stream.Length then
            Elements.refuse $"its tensors show %O{wanted} bytes of numbers, more than the file has"

        let place (storage: TorchStorage) : ArchiveEntry =
            match file.Archive.Entries.TryFind $"%s{file.Folder}data/%s{storage.Key}" with
            | None -> Elements.refuse $"it lacks the numbers of its storage %s{storage.Key}"
            | Some entry when bigint entry.Length <> bytesOf storage.Type storage.Count ->
                Elements.refuse
                    $"its storage %s{storage.Key} has %d{entry.Length} bytes where %d{storage.Count} numbers take %O{bytesOf storage.Type storage.Count}"
            | Some entry -> entry

        let read (entry: ArchiveEntry, views: (string * TorchTensor) list) : NamedArray list =
            match views with
            | [ view ] when isContiguous (snd view) -> [ straight file entry view ]
            | _ ->
                let bytes = Archive.bytes (int64 Array.MaxLength) file.Archive entry
                List.map (gathered bytes) views

        let found =
            tensors
            |> List.groupBy (fun (_, tensor) -> tensor.Storage)
            |> List.map (fun (storage, views) -> place storage, views)
            |> List.sortBy (fun (entry, _) -> entry.Header)
            |> List.collect read
            |> List.map (fun array -> array.Name, array)
            |> Map.ofList

        tensors |> List.map (fun (name, _) -> found[name])
