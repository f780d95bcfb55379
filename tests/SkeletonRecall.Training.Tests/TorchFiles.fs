/// Files as torch.save writes them, honest and hostile, made from parts.
module SkeletonRecall.Tests.TorchFiles

open System
open System.IO
open System.IO.Compression
open System.Text

/// A zip archive of these files.
let zip (level: CompressionLevel) (files: (string * byte[]) list) : byte[] =
    use stream = new MemoryStream()

    do
        use archive = new ZipArchive(stream, ZipArchiveMode.Create, true)

        for name, bytes in files do
            use entry = archive.CreateEntry(name, level).Open()
            entry.Write(bytes, 0, bytes.Length)

    stream.ToArray()

/// The files of a zip archive.
let unzip (bytes: byte[]) : (string * byte[]) list =
    use archive = new ZipArchive(new MemoryStream(bytes), ZipArchiveMode.Read)

    [
        for entry in archive.Entries do
            use copy = new MemoryStream()
            use stream = entry.Open()
            stream.CopyTo copy
            entry.FullName, copy.ToArray()
    ]

let private ascii (text: string) : byte[] = Encoding.ASCII.GetBytes text

/// Parts of pickles.
module Pickles =
    let raw (text: string) : byte[] = Encoding.Latin1.GetBytes text

    let text (value: string) : byte[] =
        let bytes = Encoding.UTF8.GetBytes value
        Array.concat [ ascii "X"; BitConverter.GetBytes bytes.Length; bytes ]

    let whole (value: int) : byte[] =
        Array.append (ascii "J") (BitConverter.GetBytes value)

    let name (moduleName: string) (name: string) : byte[] = ascii $"c%s{moduleName}\n%s{name}\n"

    let tuple (items: byte[] list) : byte[] =
        Array.concat (ascii "(" :: items @ [ ascii "t" ])

    let call (callee: byte[]) (arguments: byte[] list) : byte[] =
        Array.concat [ callee; tuple arguments; ascii "R" ]

    let dictionary (entries: (string * byte[]) list) : byte[] =
        [ for key, value in entries -> Array.append (text key) value ]
        |> fun entries -> Array.concat (ascii "}(" :: entries @ [ ascii "u" ])

    /// A tensor of 32-bit floats.
    let tensor (key: string) (count: int) (offset: int) (shape: int list) (strides: int list) : byte[] =
        let storage =
            [
                text "storage"
                name "torch" "FloatStorage"
                text key
                text "cpu"
                whole count
            ]

        call
            (name "torch._utils" "_rebuild_tensor_v2")
            [
                Array.append (tuple storage) (ascii "Q")
                whole offset
                tuple (List.map whole shape)
                tuple (List.map whole strides)
                raw "\u0089"
                call (name "collections" "OrderedDict") []
            ]

    let file (value: byte[]) : byte[] =
        Array.concat [ raw "\u0080\u0002"; value; ascii "." ]

/// A file of torch with this pickle and these storages.
let torchFile (pickle: byte[]) (storages: (string * byte[]) list) : byte[] =
    [
        "model/data.pkl", pickle
        "model/byteorder", ascii "little"
        for key, bytes in storages do
            $"model/data/%s{key}", bytes
        "model/version", ascii "3\n"
    ]
    |> zip CompressionLevel.NoCompression

/// The bytes of 32-bit floats.
let floats (values: float32[]) : byte[] =
    let bytes = Array.zeroCreate<byte>(4 * values.Length)
    Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length)
    bytes

/// A checkpoint with these weights.
let checkpoint (weights: byte[]) (storages: (string * byte[]) list) : byte[] =
    torchFile (Pickles.file (Pickles.dictionary [ "network_weights", weights ])) storages
