module SkeletonRecall.Tests.LoaderTests

open System
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private seed = Seed.ofInt 9

let private options (workers: int) : LoaderOptions =
    { Loader.standard with
        Workers = workers
        Ahead = 3
    }

/// The first numbers of the items' seeds, made more slowly the smaller they are, so that items get ready out of order.
let private bits (seed: Seed) : uint64 =
    let value = (Seed.rng seed).NextBits()
    Thread.Sleep(int (value % 4UL))
    value

let private configuration: Configuration =
    Planner.plane
        { Planner.standard with
            PatchSize = Some [ 32; 32 ]
            BatchSize = Some 2
            BaseFeatures = 4
        }
        2
        [ ZScore ]
        [ 1.0; 1.0 ]
        [ 64.0; 64.0 ]
        1e6

let private cases =
    lazy (Array.init 3 (fun number -> Sampler.prepare None (Toy.vessels 64 number)))

let private batchOptions: BatchOptions =
    {
        Tube = Some Tube.standard
        CoarseTube = Some MaxPooled
        HeadExtents = Batch.headExtents configuration.Architecture.Strides (Extent.ofShape configuration.PatchSize)
        Regions = []
        Ignore = None
    }

[<Tests>]
let tests =
    testList
        "Loader"
        [
            for name, patch, cases in
                [
                    "plane", [ 32; 30 ], (fun number -> Toy.vessels 64 number)
                    "volume", [ 20; 22; 24 ], (fun number -> Toy.rod (20 + number) 30 32)
                    "flat volume", [ 4; 24; 20 ], (fun number -> Toy.rod (9 + number) 30 32)
                    "slices of a volume", [ 24; 20 ], (fun number -> Toy.rod (9 + number) 30 32)
                ] do
                for cached in [ false; true ] do
                    test
                        $"patches made in place are those that are cut and augmented (%s{name}, skeletons of cases: %b{cached})" {
                        let extent = Extent.ofShape patch

                        let always =
                            { Augment.options with
                                Rotation = 0.6
                                Scaling = 0.6
                                Noise = 0.5
                                Blur = 0.5
                                Brightness = 0.5
                                Contrast = 0.5
                                LowResolution = 0.5
                                InvertedGamma = 0.5
                                Gamma = 0.5
                            }

                        let prepare (case: Case) =
                            if cached then
                                Case.skeletonize Tube.standard None patch.Length case
                            else
                                case
                            |> Sampler.prepare None

                        let source =
                            Loader.training
                                always
                                0.5
                                { batchOptions with
                                    HeadExtents = [ extent ]
                                }
                                { configuration with PatchSize = patch }
                                (Array.init 2 (cases >> prepare))

                        Expect.isSome source.InPlace "in place"

                        for number in 0..14 do
                            let inPlace = Loader.draw source (Seed.ofInt number)
                            let plain = Loader.draw { source with InPlace = None } (Seed.ofInt number)
                            Expect.equal inPlace.Images plain.Images $"images of batch %d{number}"
                            Expect.equal inPlace.Heads plain.Heads $"heads of batch %d{number}"
                    }

            test "a batch in the arrays of another one is the batch that it would be" {
                let source =
                    Loader.training Augment.options 0.33 batchOptions configuration cases.Value

                let wanted =
                    List.init 4 (fun number -> Loader.draw source (Seed.ofInt (60 + number)))

                for _ in 1..3 do
                    Loader.draw source (Seed.ofInt 70) |> Batch.recycle

                for number, batch in List.indexed wanted do
                    let again = Loader.draw source (Seed.ofInt (60 + number))
                    Expect.equal again.Images batch.Images "images"
                    Expect.equal again.Heads batch.Heads "heads"
                    Batch.recycle again
            }

            test "heads of one size share an array, which goes to one batch alone" {
                let extent = Extent.ofShape configuration.PatchSize

                let source =
                    Loader.training
                        Augment.options
                        0.33
                        { batchOptions with
                            HeadExtents = [ extent; extent ]
                            CoarseTube = Some Nearest
                        }
                        configuration
                        cases.Value

                Loader.draw source (Seed.ofInt 1) |> Batch.recycle
                let one = Loader.draw source (Seed.ofInt 2)
                let other = Loader.draw source (Seed.ofInt 3)

                Expect.isFalse (obj.ReferenceEquals(one.Heads.Head.Labels, other.Heads.Head.Labels)) "labels"
                Expect.isFalse (obj.ReferenceEquals(one.Images, other.Images)) "images"
            }

            for workers in [ 0; 1; 3 ] do
                test $"%d{workers} workers hand items out in order, each by its own seed" {
                    use loader = Loader.create (options workers) bits seed
                    let got = List.init 20 (fun _ -> Loader.next loader)
                    Expect.equal got (List.init 20 (fun i -> bits (Seed.child i seed))) "items"
                }

                test $"a resumed loader goes on with the item it is told to (%d{workers} workers)" {
                    use loader = Loader.create { options workers with First = 7 } bits seed
                    Expect.equal (Loader.next loader) (bits (Seed.child 7 seed)) "item 7"
                    Expect.equal (Loader.next loader) (bits (Seed.child 8 seed)) "item 8"
                }

                test $"a failure surfaces at its item, with its cause, and stays (%d{workers} workers)" {
                    let third = Seed.child 2 seed

                    let make (item: Seed) =
                        if item = third then
                            raise (NotSupportedException "no third item")
                        else
                            bits item

                    use loader = Loader.create (options workers) make seed
                    Expect.equal (Loader.next loader) (bits (Seed.child 0 seed)) "first"
                    Loader.next loader |> ignore

                    for _ in 1..2 do
                        let error =
                            try
                                Loader.next loader |> ignore
                                None
                            with :? InvalidOperationException as error ->
                                Some error

                        let error = Expect.wantSome error "an exception"
                        Expect.stringContains error.Message "item 2" "which item"
                        Expect.stringContains error.Message "no third item" "what happened"
                        Expect.isTrue (error.InnerException :? NotSupportedException) "the cause"
                }

                test $"a disposed loader gives nothing (%d{workers} workers)" {
                    let loader = Loader.create (options workers) bits seed
                    (loader :> IDisposable).Dispose()
                    (loader :> IDisposable).Dispose()

                    Expect.throwsT<ObjectDisposedException> (fun () -> Loader.next loader |> ignore) "disposed"
                }

            test "no more items are made than may wait" {
                let mutable made = 0

                let make (item: Seed) =
                    Interlocked.Increment &made |> ignore
                    item

                let loader = Loader.create (options 2) make seed
                Loader.next loader |> ignore
                Thread.Sleep 30
                (loader :> IDisposable).Dispose()
                Expect.isLessThanOrEqual made 4 "one taken and three ahead"
            }

            test "impossible numbers are refused" {
                for wrong in
                    [
                        { Loader.standard with Workers = -1 }
                        { Loader.standard with Ahead = 0 }
                        { Loader.standard with First = -1 }
                    ] do
                    Expect.throwsT<ArgumentException> (fun () -> Loader.create wrong bits seed |> ignore) "refused"
            }

            test "batches do not depend on the number of workers" {
                let source =
                    Loader.training Augment.options 0.33 batchOptions configuration cases.Value

                let take (workers: int) =
                    use loader = Loader.batches (options workers) source seed
                    List.init 6 (fun _ -> Loader.next loader)

                let one = take 1
                Expect.equal (take 3) one "1 and 3 workers"
                Expect.equal (take 0) one "1 worker and none"
                Expect.equal (List.distinct one).Length 6 "all different"
            }

            test "training batches have the configuration's sizes and show foreground" {
                let source =
                    Loader.training Augment.options 0.33 batchOptions configuration cases.Value

                Expect.equal source.InitialSize [ 37; 37 ] "initial size"
                let batch = Loader.draw source (Seed.ofInt 3)
                Expect.equal (batch.Size, batch.Extent) (2, Extent.plane 32 32) "size"
                Expect.equal (batch.Heads |> List.map (fun head -> head.Extent)) batchOptions.HeadExtents "heads"
                let second = batch.Heads.Head.Labels[1024..]
                Expect.exists second (fun label -> label > 0s) "the last patch shows foreground"
            }

            test "skeletons of whole cases change the tubes and no random number" {
                let skeletonized =
                    Array.init 3 (Toy.vessels 64)
                    |> Array.map (Case.skeletonize Tube.standard None 2 >> Sampler.prepare None)

                let drawn (cases: Prepared[]) =
                    let source = Loader.training Augment.options 0.33 batchOptions configuration cases
                    List.init 8 (fun number -> Loader.draw source (Seed.ofInt number))

                let patch, cached = drawn cases.Value, drawn skeletonized

                let without (batch: Batch) =
                    { batch with
                        Heads = batch.Heads |> List.map (fun head -> { head with Skeleton = None })
                    }

                Expect.equal (List.map without cached) (List.map without patch) "images and labels"

                let tubes (batches: Batch list) =
                    batches
                    |> List.map (fun batch -> Expect.wantSome batch.Heads.Head.Skeleton "tube")

                Expect.notEqual (tubes cached) (tubes patch) "tubes"

                for cached, patch in List.zip (tubes cached) (tubes patch) do
                    let both =
                        Array.map2 (fun left right -> if left > 0s && right > 0s then 2 else 0) cached patch

                    let all =
                        Array.map2
                            (fun left right -> (if left > 0s then 1 else 0) + (if right > 0s then 1 else 0))
                            cached
                            patch

                    Expect.isGreaterThan (float (Array.sum both) / float (Array.sum all)) 0.8 "Dice of the tubes"
            }

            test "validation batches are cut at their final size, unchanged" {
                let source = Loader.validation 0.33 batchOptions configuration cases.Value
                Expect.equal source.InitialSize [ 32; 32 ] "initial size"
                let batch = Loader.draw source (Seed.ofInt 4)

                let values =
                    Array.init 3 (Toy.vessels 64)
                    |> Array.collect (fun case -> case.Image.Data)
                    |> Set.ofArray

                Expect.all batch.Images (fun value -> value = 0f || values.Contains value) "values of the cases"
            }

            test "no cases are refused" {
                Expect.throwsT<ArgumentException>
                    (fun () -> Loader.validation 0.33 batchOptions configuration [||] |> ignore)
                    "refused"
            }
        ]
