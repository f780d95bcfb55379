namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.IO
open System.Numerics
open System.Text
open SkeletonRecall

/// Curves of a run as TensorBoard's event file. It is a row of records: length (8 bytes, little-endian), masked CRC-32C of the
/// length, an `Event` of TensorFlow's event.proto, masked CRC-32C of that (tensorflow/core/lib/io/record_writer.h). TorchSharp's
/// own writer begins a new file with every run, so that a run that goes on after it was killed would show epochs twice.
[<RequireQualifiedAccess>]
module EventFile =

    /// CRC-32C (Castagnoli) of bytes.
    let crc32c (bytes: byte[]) : uint32 =
        let mutable crc = UInt32.MaxValue

        for value in bytes do
            crc <- BitOperations.Crc32C(crc, value)

        ~~~crc

    // A checksum of data that holds checksums is of little use, so that they are stored turned.
    let private masked (bytes: byte[]) : byte[] =
        let crc = crc32c bytes
        let result = Array.zeroCreate<byte> 4
        BinaryPrimitives.WriteUInt32LittleEndian(result, BitOperations.RotateRight(crc, 15) + 0xa282ead8u)
        result

    /// An event's bytes as a record.
    let record (event: byte[]) : byte[] =
        let length = Array.zeroCreate<byte> 8
        BinaryPrimitives.WriteUInt64LittleEndian(length, uint64 event.Length)
        Array.concat [ length; masked length; event; masked event ]

    /// The events that a file begins with; the first broken record, and what follows it, is left out.
    let events (file: byte[]) : byte[] list =
        let rec read (at: int) : byte[] list =
            if file.Length - at < 16 then
                []
            else
                let length = Array.sub file at 8
                let size = BinaryPrimitives.ReadUInt64LittleEndian length

                if
                    Array.sub file (at + 8) 4 <> masked length
                    || size > uint64 (file.Length - at - 16)
                then
                    []
                else
                    let event = Array.sub file (at + 12) (int size)

                    if Array.sub file (at + 12 + event.Length) 4 = masked event then
                        event :: read (at + 16 + event.Length)
                    else
                        []

        read 0

    let rec private varint (value: uint64) : byte list =
        if value < 128UL then
            [ byte value ]
        else
            byte (value ||| 128UL) :: varint (value >>> 7)

    // A field of protobuf: its number and how it is stored (0 varint, 1 eight bytes, 2 a length and so many bytes, 5 four bytes).
    let private field (number: int) (kind: int) (content: byte[]) : byte[] =
        let size = if kind = 2 then varint (uint64 content.Length) else []

        Array.concat [ [| byte (number <<< 3 ||| kind) |]; Array.ofList size; content ]

    let private text (number: int) (value: string) : byte[] =
        field number 2 (Encoding.UTF8.GetBytes value)

    let private wallTime (seconds: float) : byte[] =
        let bytes = Array.zeroCreate<byte> 8
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, seconds)
        field 1 1 bytes

    // A step of 0 is not stored, as protobuf does with what is 0.
    let private stepField (step: int) : byte[] =
        if step = 0 then
            [||]
        else
            field 2 0 (Array.ofList (varint (uint64 step)))

    /// The event that a file begins with, at a time in seconds since 1970.
    let version (time: float) : byte[] =
        Array.append (wallTime time) (text 3 "brain.Event:2")

    /// The event of scalars by their tags at one step.
    let scalars (time: float) (step: int) (values: (string * float) list) : byte[] =
        let value (tag: string, number: float) : byte[] =
            let bytes = Array.zeroCreate<byte> 4
            BinaryPrimitives.WriteSingleLittleEndian(bytes, float32 number)
            field 1 2 (Array.append (text 1 tag) (field 2 5 bytes))

        Array.concat
            [
                wallTime time
                stepField step
                values |> List.map value |> Array.concat |> field 5 2
            ]

    // The step of an event that `scalars` made.
    let private stepOf (event: byte[]) : int =
        let rec number (at: int) (shift: int) : int =
            let value = int (event[at] &&& 127uy) <<< shift

            if event[at] < 128uy || shift > 21 || at + 1 >= event.Length then
                value
            else
                value ||| number (at + 1) (shift + 7)

        if event.Length > 10 && event[9] = 16uy then number 10 0
        elif event.Length > 9 && event[9] = 42uy then 0
        else -1

    /// What an epoch shows, by tag.
    let values (moving: float) (report: EpochReport) : (string * float) list =
        [
            "loss/train", report.TrainLoss
            "loss/validation", report.ValidationLoss
            "learning_rate", report.LearningRate
            "pseudo_dice/mean", EpochReport.meanDice report
            "pseudo_dice/moving", moving
            if report.PseudoDice.Length > 1 then
                for number, dice in List.indexed report.PseudoDice do
                    $"pseudo_dice/class %d{number + 1}", dice
            for name, value in report.Terms do
                $"terms/%s{name}", value
            for measure, value in report.Measures do
                $"whole_cases/%s{Measure.print measure}", value
            "seconds", report.Seconds
        ]

    /// The file after the newest epoch of a history, at a time in seconds since 1970: what it said of earlier epochs stays as it
    /// is, what it says of this one and later ones goes, and epochs that it lacks are set at the times that follow from their
    /// lengths. Each epoch is there once, whatever the file was.
    let extend (now: float) (history: EpochReport list) (file: byte[]) : byte[] =
        let newest = history.Length - 1

        let kept =
            match events file with
            | [] -> []
            | _ :: epochs ->
                List.indexed epochs
                |> List.takeWhile (fun (epoch, event) -> epoch < newest && stepOf event = epoch)
                |> List.map snd

        let first =
            if kept.IsEmpty then
                version (now - List.sumBy _.Seconds history)
            else
                List.head (events file)

        let after (epoch: int) : float =
            history |> List.skip (epoch + 1) |> List.sumBy _.Seconds

        let added =
            List.zip history (EpochReport.movingDice history)
            |> List.indexed
            |> List.skip kept.Length
            |> List.map (fun (epoch, (report, moving)) ->
                scalars (now - after epoch) report.Epoch (values moving report))

        first :: kept @ added |> List.map record |> Array.concat

    /// Brings the file of a run up to its history. Where nothing but new epochs is to be written they are written behind the rest,
    /// so that a TensorBoard that looks at the file sees them.
    let write (path: string) (history: EpochReport list) : Result<unit, Problem> =
        try
            let file = if File.Exists path then File.ReadAllBytes path else [||]

            let now = float (DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()) / 1000.0
            let whole = extend now history file

            if file.Length > 0 && whole.AsSpan().StartsWith(ReadOnlySpan<byte> file) then
                use stream =
                    new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite)

                stream.Write(whole, file.Length, whole.Length - file.Length)
                Ok()
            else
                Files.writeAtomically path (fun stream -> stream.Write(whole, 0, whole.Length))
        with
        | :? UnauthorizedAccessException -> Error(Unwritable(path, "there is no permission to write there"))
        | :? IOException as error -> Error(Unwritable(path, error.Message.TrimEnd '.'))
