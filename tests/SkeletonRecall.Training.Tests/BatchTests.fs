module SkeletonRecall.Tests.BatchTests

open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

let private extent = Extent.plane 12 16

let private heads =
    Batch.headExtents [ [ 1; 1 ]; [ 2; 2 ]; [ 2; 2 ]; [ 2; 2 ] ] extent

/// Bars of label 1 and 2 side by side, moved by `shift` columns; label 3 in the last column.
let private patchOf (shift: int) : Patch =
    let label (i: int) =
        match i % 16 with
        | 15 -> 3s
        | column when column >= 2 + shift && column < 6 + shift -> 1s
        | column when column >= 6 + shift && column < 9 + shift -> 2s
        | _ -> 0s

    Patch.create
        (Image.create 2 extent (Array.init (2 * extent.Count) (fun i -> float32 (1000 * shift + i))))
        (Volume.create extent (Array.init extent.Count label))

let private options: BatchOptions =
    {
        Tube = Some Tube.standard
        CoarseTube = None
        HeadExtents = heads
        Regions = []
        Ignore = None
    }

let private skeletonOf (head: HeadTarget) : int16[] =
    Expect.wantSome head.Skeleton "a skeleton"

[<Tests>]
let tests =
    testList
        "Batch"
        [
            test "every stage but the last has a head, smaller by the strides so far" {
                Expect.equal (heads |> List.map (fun head -> head.Shape)) [ [ 12; 16 ]; [ 6; 8 ]; [ 3; 4 ] ] "plane"

                let space =
                    Batch.headExtents [ [ 1; 1; 1 ]; [ 1; 2; 2 ]; [ 2; 2; 2 ]; [ 1; 2; 2 ] ] (Extent.space 4 16 8)

                Expect.equal
                    (space |> List.map (fun head -> head.Shape))
                    [ [ 4; 16; 8 ]; [ 4; 8; 4 ]; [ 2; 4; 2 ] ]
                    "space"

                Expect.equal (Batch.headExtents [ [ 1; 1 ] ] extent) [ extent ] "a single stage"
            }

            test "nearest-exact indices by hand" {
                Expect.equal (List.init 4 (Batch.nearestExact 8 4)) [ 1; 3; 5; 7 ] "8 to 4"
                Expect.equal (List.init 3 (Batch.nearestExact 7 3)) [ 1; 3; 5 ] "7 to 3: 1.17, 3.5, 5.83"
                Expect.equal (List.init 5 (Batch.nearestExact 3 5)) [ 0; 0; 1; 2; 2 ] "3 to 5"
                Expect.equal (List.init 4 (Batch.nearestExact 4 4)) [ 0; 1; 2; 3 ] "no change"
            }

            test "images and labels stand patch after patch" {
                let batch = Batch.create options [ patchOf 0; patchOf 1 ]
                Expect.equal (batch.Size, batch.Channels) (2, 2) "size and channels"
                Expect.equal batch.Images (Array.append (patchOf 0).Image.Data (patchOf 1).Image.Data) "images"

                Expect.equal
                    batch.Heads.Head.Labels
                    (Array.append (patchOf 0).Labels.Data (patchOf 1).Labels.Data)
                    "labels"

                Expect.isNone batch.Heads.Head.Valid "every voxel counts"
            }

            test "the finest head has the tube of each patch, the others none" {
                let batch = Batch.create options [ patchOf 0; patchOf 1 ]

                let tubes =
                    [ patchOf 0; patchOf 1 ]
                    |> List.map (fun patch -> (Tube.ofLabels Tube.standard patch.Labels).Data)

                Expect.equal (skeletonOf batch.Heads.Head) (Array.concat tubes) "tubes"
                Expect.all batch.Heads.Tail (fun head -> head.Skeleton.IsNone) "the others"
            }

            test "on all heads the tube is reduced as the labels are" {
                let all =
                    { options with
                        CoarseTube = Some Nearest
                    }

                let batch = Batch.create all [ patchOf 0; patchOf 1 ]

                let reduce (head: HeadTarget) (finest: int16[]) =
                    Array.init (2 * head.Extent.Count) (fun i ->
                        let inside = i % head.Extent.Count
                        let row = Batch.nearestExact 12 head.Extent.Height (inside / head.Extent.Width)
                        let column = Batch.nearestExact 16 head.Extent.Width (inside % head.Extent.Width)
                        finest[i / head.Extent.Count * extent.Count + row * 16 + column])

                for head in batch.Heads do
                    Expect.equal head.Labels (reduce head batch.Heads.Head.Labels) "labels"
                    Expect.equal (skeletonOf head) (reduce head (skeletonOf batch.Heads.Head)) "skeleton"
            }

            test "a pooled tube is where any voxel under it is, of the class that most have" {
                let ids = [| 0s; 2s; 0s; 0s; 2s; 1s; 0s; 0s; 3s; 0s; 0s; 0s; 1s; 0s; 0s; 4s |]
                Expect.equal (Batch.poolTube (Extent.plane 4 4) (Extent.plane 2 2) ids) [| 2s; 0s; 1s; 4s |] "even"

                // Three voxels over four: the second and the third share voxels with their neighbours.
                Expect.equal
                    (Batch.poolTube (Extent.plane 1 4) (Extent.plane 1 3) [| 0s; 5s; 0s; 0s |])
                    [| 5s; 5s; 0s |]
                    "shared"

                let slices =
                    Batch.poolTube (Extent.space 2 2 2) (Extent.space 1 2 1) [| 0s; 1s; 0s; 0s; 0s; 0s; 0s; 7s |]

                Expect.equal slices [| 1s; 7s |] "a volume"
            }

            testProperty "a pooled tube has no more pieces than the tube; the nearest one may have" (fun (seed: int) ->
                let random = System.Random seed
                let plane = Extent.plane 40 50
                // A walk of steps to any of 8 neighbours: one piece.
                let ids = Array.zeroCreate<int16> plane.Count
                let mutable row, column = 20, 25

                for _ in 1..120 do
                    ids[row * 50 + column] <- 1s
                    row <- max 0 (min 39 (row + random.Next(-1, 2)))
                    column <- max 0 (min 49 (column + random.Next(-1, 2)))

                for height, width in [ 20, 25; 10, 13; 7, 9; 40, 25 ] do
                    let coarse = Extent.plane height width
                    let pooled = Batch.poolTube plane coarse ids

                    let pieces =
                        Topology.betti (ConnectivityPair.standard 2) (Tube.binarize (Volume.create coarse pooled))

                    Expect.equal pieces.B0 1 $"%d{height} x %d{width}")

            test "all heads: pooled tubes; all heads by the nearest voxel; else the finest alone" {
                let reductions =
                    [ RecallAtFull; FullResolution; AllHeads; AllHeadsNearest ]
                    |> List.map Batch.coarseTube

                Expect.equal reductions [ None; None; Some MaxPooled; Some Nearest ] "reductions"

                let batch =
                    Batch.create
                        { options with
                            CoarseTube = Some MaxPooled
                        }
                        [ patchOf 0; patchOf 1 ]

                let finest = skeletonOf batch.Heads.Head

                for head in batch.Heads do
                    Expect.equal (skeletonOf head) (Batch.poolTube extent head.Extent finest) "skeleton"
            }

            test "no tube, no skeleton" {
                let batch =
                    Batch.create
                        { options with
                            Tube = None
                            CoarseTube = Some Nearest
                        }
                        [ patchOf 0 ]

                Expect.all batch.Heads (fun head -> head.Skeleton.IsNone) "no skeleton"
            }

            test "ignored voxels are background, not valid, and not skeletonized" {
                let batch = Batch.create { options with Ignore = Some 3 } [ patchOf 0 ]

                for head in batch.Heads do
                    Expect.isFalse (Array.contains 3s head.Labels) "labels"
                    let valid = Expect.wantSome head.Valid "a mask"
                    Expect.equal valid.Length head.Extent.Count "size"

                let finest = batch.Heads.Head
                let wanted = Array.init extent.Count (fun i -> if i % 16 = 15 then 0uy else 1uy)
                Expect.equal (Expect.wantSome finest.Valid "a mask") wanted "the last column does not count"
                Expect.isFalse (Array.contains 3s (skeletonOf finest)) "skeleton"
            }

            test "volumes make batches too" {
                let case = Toy.rod 8 12 12
                let labels = Expect.wantSome case.Labels "labels"
                let extent = case.Image.Extent

                let batch =
                    Batch.create
                        { options with
                            HeadExtents = Batch.headExtents [ [ 1; 1; 1 ]; [ 2; 2; 2 ]; [ 2; 2; 2 ] ] extent
                        }
                        [ Patch.create case.Image labels ]

                Expect.equal (skeletonOf batch.Heads.Head) (Tube.ofLabels Tube.standard labels).Data "tube"
                Expect.equal batch.Heads[1].Labels.Length (4 * 6 * 6) "the second head"
            }

            test "regions are channels of labels and of tubes, on every head" {
                use _scope = Toy.scope ()
                let case = Toy.rod 8 12 12
                let labels = Expect.wantSome case.Labels "labels"
                let regions = [ [ 1s; 2s ]; [ 2s ] ]

                let batch =
                    Batch.create
                        { options with
                            HeadExtents = Batch.headExtents [ [ 1; 1; 1 ]; [ 2; 2; 2 ]; [ 2; 2; 2 ] ] labels.Extent
                            CoarseTube = Some MaxPooled
                            Regions = regions
                        }
                        [ Patch.create case.Image labels; Patch.create case.Image labels ]

                let _, targets = Batch.toTensors torch.CPU batch

                for target, head in List.zip targets batch.Heads do
                    let shape = [ 2L; 2L ] @ List.map int64 head.Extent.Shape

                    match target.Truth with
                    | Classes _ -> failtest "classes"
                    | Regions channels ->
                        Expect.equal (List.ofArray channels.shape) shape "truth"

                        let isMember (members: int16 list) =
                            Array.sub head.Labels 0 head.Extent.Count
                            |> Array.map (fun label -> if List.contains label members then 1uy else 0uy)

                        let once = regions |> List.map isMember |> Array.concat
                        Expect.equal (Tensors.toArray<byte> channels) (Array.append once once) "members"

                    Expect.equal
                        (target.Skeleton |> Option.map (fun tube -> List.ofArray tube.shape))
                        (Some shape)
                        "a tube per region"

                let wanted = Batch.regionTubes Tube.standard regions labels |> Array.map int16

                Expect.equal (skeletonOf batch.Heads.Head) (Array.append wanted wanted) "tubes"
            }

            test "tubes follow their options, in mm of the patch" {
                let case = Toy.rod 8 12 12

                let labels =
                    Expect.wantSome case.Labels "labels"
                    |> Volume.withSpacing (Spacing.ofList [ 1.0; 0.5; 0.5 ])

                let tube =
                    { Tube.standard with
                        Radius = TubeRadius.Ball 0.6
                        SkeletonOf = SkeletonOf.EachClass
                        Guard = true
                    }

                let batch =
                    Batch.create
                        { options with
                            Tube = Some tube
                            HeadExtents = [ labels.Extent ]
                        }
                        [
                            { Patch.create case.Image labels with
                                Labels = labels
                            }
                        ]

                Expect.equal (skeletonOf batch.Heads.Head) (Tube.ofLabels tube labels).Data "in mm"

                let regions = [ [ 1s ]; [ 1s; 2s ] ]
                let channels = Batch.regionTubes tube regions labels
                Expect.equal channels.Length (2 * labels.Extent.Count) "a channel for each region"

                let wanted =
                    Tube.ofRegions tube regions labels
                    |> List.map (fun mask -> (Mask.toVolume mask).Data)

                Expect.equal (List.ofArray (Array.splitInto 2 channels)) wanted "region after region"
            }

            test "no patches, no heads and patches that differ are refused" {
                let refused (options: BatchOptions) (patches: Patch list) =
                    Expect.throwsT<System.ArgumentException>
                        (fun () -> Batch.create options patches |> ignore)
                        "refused"

                refused options []
                refused { options with HeadExtents = [] } [ patchOf 0 ]
                refused options [ patchOf 0; Patch.centreCrop (Extent.plane 8 8) (patchOf 0) ]
            }

            test "tensors of a batch lie in libtorch's memory, and leave no copy of its arrays behind" {
                use _scope = Tensors.scope ()
                let large = Extent.plane 512 512

                let batch =
                    {
                        Size = 1
                        Channels = 1
                        Extent = large
                        Images = Array.zeroCreate large.Count
                        Regions = []
                        Heads =
                            [
                                {
                                    Extent = large
                                    Labels = Array.zeroCreate large.Count
                                    Skeleton = Some(Array.zeroCreate large.Count)
                                    Valid = Some(Array.zeroCreate large.Count)
                                }
                            ]
                    }

                Batch.toTensors torch.CPU batch |> ignore
                let before = System.GC.GetAllocatedBytesForCurrentThread()
                Batch.toTensors torch.CPU batch |> ignore
                let made = System.GC.GetAllocatedBytesForCurrentThread() - before
                Expect.isLessThan made (int64 large.Count) "bytes of new objects"
            }

            test "tensors have a batch's shapes, types and values" {
                use _scope = Tensors.scope ()
                let batch = Batch.create { options with Ignore = Some 3 } [ patchOf 0; patchOf 1 ]
                let images, targets = Batch.toTensors torch.CPU batch
                Expect.equal images.shape [| 2L; 2L; 12L; 16L |] "images"
                Expect.equal (Tensors.toArray<float32> images) batch.Images "image values"
                Expect.equal targets.Length 3 "targets"

                List.iter2
                    (fun (target: Target) (head: HeadTarget) ->
                        let shape = [| 2L; 1L; int64 head.Extent.Height; int64 head.Extent.Width |]

                        match target.Truth with
                        | Classes ids ->
                            Expect.equal ids.shape shape "labels"
                            Expect.equal (Tensors.toArray<int16> ids) head.Labels "label values"
                        | Regions _ -> failtest "classes are wanted"

                        Expect.equal
                            (target.Skeleton |> Option.map Tensors.toArray<int16>)
                            head.Skeleton
                            "skeleton values"

                        Expect.equal (target.Valid |> Option.map Tensors.toArray<byte>) head.Valid "validity")
                    targets
                    batch.Heads
            }
        ]
