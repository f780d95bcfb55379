module SkeletonRecall.Tests.SkeletonStoreTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private case = Toy.vessels 48 3
let private labels = Expect.wantSome case.Labels "labels"

let private attach (folder: string) (options: TubeOptions) (ignore: int option) (case: Case) : CaseSkeleton =
    let made =
        SkeletonStore.attach (fun key -> Path.Combine(folder, $"case.%s{key}.safetensors")) options ignore 2 case
        |> Problem.orThrow

    Expect.wantSome made.Skeleton "a skeleton"

[<Tests>]
let tests =
    testList
        "SkeletonStore"
        [
            test "what is written is read" {
                Toy.inFolder (fun folder ->
                    let made = attach folder Tube.standard None case
                    let file = Directory.GetFiles folder |> Array.exactlyOne
                    let written = File.GetLastWriteTimeUtc file
                    Expect.equal made (CaseSkeleton.ofLabels Tube.standard false labels) "as made"
                    let key = SkeletonStore.key Tube.standard None 2 labels
                    Expect.equal (SkeletonStore.tryLoad file key labels.Extent) (Some made) "read"
                    Expect.equal (attach folder Tube.standard None case) made "attached from the file"
                    Expect.equal (File.GetLastWriteTimeUtc file) written "and not written again")
            }

            test "other options, labels and axes have other keys; the radius has not" {
                let other =
                    Volume.create
                        labels.Extent
                        (labels.Data |> Array.mapi (fun at label -> if at = 0 then 1s else label))

                let keys =
                    [
                        SkeletonStore.key Tube.standard None 2 labels
                        SkeletonStore.key { Tube.standard with Prune = 2.5 } None 2 labels
                        SkeletonStore.key { Tube.standard with Guard = true } None 2 labels
                        SkeletonStore.key { Tube.standard with Ignore = Some 3s } None 2 labels
                        SkeletonStore.key
                            { Tube.standard with
                                SkeletonOf = SkeletonOf.EachClass
                            }
                            None
                            2
                            labels
                        SkeletonStore.key
                            { Tube.standard with
                                Thinning = Some Thinning.Lee
                            }
                            None
                            2
                            labels
                        SkeletonStore.key Tube.standard (Some 3) 2 labels
                        SkeletonStore.key Tube.standard None 3 labels
                        SkeletonStore.key Tube.standard None 2 other
                        SkeletonStore.key Tube.standard None 2 (Volume.withSpacing (Spacing.ofList [ 1.0; 2.0 ]) labels)
                    ]

                Expect.equal (List.distinct keys) keys "all different"

                Expect.equal
                    (SkeletonStore.key
                        { Tube.standard with
                            Radius = TubeRadius.Steps 5
                        }
                        None
                        2
                        labels)
                    keys.Head
                    "radius"
            }

            test "a damaged file or one of something else is made again" {
                Toy.inFolder (fun folder ->
                    let made = attach folder Tube.standard None case
                    let file = Directory.GetFiles folder |> Array.exactlyOne
                    let whole = File.ReadAllBytes file
                    let key = SkeletonStore.key Tube.standard None 2 labels

                    Expect.isNone (SkeletonStore.tryLoad file "0123456789abcdef" labels.Extent) "another key"

                    for content in [ [||]; whole[.. whole.Length - 5]; Array.create 300 1uy ] do
                        File.WriteAllBytes(file, content)
                        Expect.isNone (SkeletonStore.tryLoad file key labels.Extent) "damaged"
                        Expect.equal (attach folder Tube.standard None case) made "made again"
                        Expect.equal (File.ReadAllBytes file) whole "and written")
            }

            test "the ignore label of the data set is background" {
                Toy.inFolder (fun folder ->
                    let some =
                        Volume.create
                            labels.Extent
                            (labels.Data
                             |> Array.mapi (fun at label -> if label > 0s && at % 48 < 24 then 9s else label))

                    let known = some |> Volume.map (fun label -> if label = 9s then 0s else label)

                    Expect.equal
                        (attach folder Tube.standard (Some 9) { case with Labels = Some some })
                        (CaseSkeleton.ofLabels Tube.standard false known)
                        "skeleton")
            }
        ]
