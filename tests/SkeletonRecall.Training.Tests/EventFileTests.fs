module SkeletonRecall.Tests.EventFileTests

open System
open System.IO
open System.Text
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private report (epoch: int) : EpochReport =
    {
        Epoch = epoch
        LearningRate = 0.01
        TrainLoss = 0.5 - 0.01 * float epoch
        ValidationLoss = nan
        Terms = [ "dice", -0.25 ]
        PseudoDice = [ 0.5; 0.75 ]
        Measures = [ Measure.ClDice, 0.625 ]
        Seconds = 2.0
    }

let private history (epochs: int) : EpochReport list = List.init epochs report

// The events as TensorFlow's own classes read them, which TorchSharp brings along.
let private parsed (file: byte[]) : Tensorboard.Event list =
    EventFile.events file |> List.map Tensorboard.Event.Parser.ParseFrom

let private steps (file: byte[]) : int64 list =
    parsed file |> List.tail |> List.map (fun event -> event.Step)

[<Tests>]
let tests =
    testList
        "EventFile"
        [
            test "checksums are those of RFC 3720" {
                for bytes, wanted in
                    [
                        Encoding.ASCII.GetBytes "123456789", 0xE3069283u
                        Array.zeroCreate<byte> 32, 0x8A9136AAu
                        Array.create 32 255uy, 0x62A8AB43u
                        Array.init 32 byte, 0x46DD794Eu
                        Array.init 32 (fun place -> byte (31 - place)), 0x113FDB5Cu
                    ] do
                    Expect.equal (EventFile.crc32c bytes) wanted "CRC-32C"
            }

            test "records are framed as TorchSharp frames them" {
                Toy.inFolder (fun folder ->
                    LibTorch.ensure ()

                    do
                        let writer = TorchSharp.torch.utils.tensorboard.SummaryWriter folder
                        writer.add_scalar ("loss", 0.25f, 3, walltime = Nullable 5L)

                    let file = Directory.GetFiles(folder, "*tfevents*") |> Array.exactlyOne

                    // It is written by a thread of its own.
                    let deadline = DateTime.UtcNow.AddSeconds 20.0

                    let rec read () =
                        use stream =
                            new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite)

                        use copy = new MemoryStream()
                        stream.CopyTo copy
                        let events = EventFile.events (copy.ToArray())

                        if events.Length < 2 && DateTime.UtcNow < deadline then
                            Threading.Thread.Sleep 50
                            read ()
                        else
                            copy.ToArray(), events

                    let bytes, events = read ()
                    Expect.isGreaterThanOrEqual events.Length 2 "its records are read"

                    Expect.equal
                        (events |> List.map EventFile.record |> Array.concat)
                        bytes
                        "and written again to the byte")
            }

            test "an event says what TensorFlow's classes say" {
                let event = EventFile.scalars 12.5 300 [ "loss/train", 0.25; "b", nan ]
                let read = Tensorboard.Event.Parser.ParseFrom event
                Expect.equal (read.WallTime, read.Step) (12.5, 300L) "time and step"

                Expect.equal
                    [ for value in read.Summary.Value -> value.Tag, value.SimpleValue ].Head
                    ("loss/train", 0.25f)
                    "scalar"

                Expect.isTrue (Single.IsNaN read.Summary.Value[1].SimpleValue) "no number"
                Expect.equal (Google.Protobuf.MessageExtensions.ToByteArray read) event "the same bytes again"
                let version = Tensorboard.Event.Parser.ParseFrom(EventFile.version 1.0)
                Expect.equal version.FileVersion "brain.Event:2" "version"
            }

            test "each epoch adds one event behind the others" {
                let grown =
                    (Array.empty, [ 1..130 ])
                    ||> List.fold (fun file epochs ->
                        let next = EventFile.extend (float epochs) (history epochs) file
                        Expect.isTrue (next.AsSpan().StartsWith(ReadOnlySpan<byte> file)) "nothing before it changes"
                        next)

                Expect.equal (steps grown) [ 0L .. 129L ] "each once"

                Expect.equal
                    [ for event in (parsed grown).Tail -> event.WallTime ]
                    [ 1.0 .. 130.0 ]
                    "at the times at which they came"

                let tags = [ for value in (parsed grown |> List.item 1).Summary.Value -> value.Tag ]

                for tag in
                    [
                        "loss/train"
                        "pseudo_dice/mean"
                        "pseudo_dice/class 2"
                        "terms/dice"
                        "whole_cases/clDice"
                    ] do
                    Expect.contains tags tag "a curve"
            }

            test "a run that goes on shows no epoch twice" {
                let whole = EventFile.extend 100.0 (history 8) Array.empty

                Expect.equal
                    [ for event in (parsed whole).Tail -> event.WallTime ]
                    [ 86.0; 88.0; 90.0; 92.0; 94.0; 96.0; 98.0; 100.0 ]
                    "epochs of before lie behind one another"

                // Killed after epoch 7 was told, it goes on from a checkpoint after epoch 4.
                let again = EventFile.extend 200.0 (history 6) whole
                Expect.equal (steps again) [ 0L .. 5L ] "each once"
                Expect.equal (List.last (parsed again)).WallTime 200.0 "the new one"
                Expect.equal (parsed again |> List.item 1).WallTime 86.0 "the old ones"

                // Cut short or damaged, it is made whole.
                for damaged in
                    [
                        Array.sub whole 0 (whole.Length - 3)
                        Array.sub whole 0 200
                        Array.create 99 7uy
                    ] do
                    Expect.equal (steps (EventFile.extend 300.0 (history 9) damaged)) [ 0L .. 8L ] "each once"

                // Another run begins.
                Expect.equal (steps (EventFile.extend 400.0 (history 1) whole)) [ 0L ] "the first alone"
            }

            test "a run leaves the file, also when it was stopped and goes on" {
                Toy.inFolder (fun folder ->
                    let options = TinyRun.options 3
                    use source = new Threading.CancellationTokenSource()

                    let report (progress: Progress) =
                        match progress with
                        | Step(2, 0, _) -> source.Cancel()
                        | _ -> ()

                    Expect.throwsT<OperationCanceledException>
                        (fun () -> TinyRun.run options folder None source.Token report |> ignore)
                        "stopped"

                    let resume = RunFolder.tryResume folder |> Problem.orThrow

                    TinyRun.run options folder resume Threading.CancellationToken.None ignore
                    |> Problem.orThrow
                    |> ignore

                    Expect.equal
                        (steps (File.ReadAllBytes(Path.Combine(folder, RunFolder.events))))
                        [ 0L; 1L; 2L ]
                        "each epoch once")
            }
        ]
