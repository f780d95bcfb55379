module SkeletonRecall.Tests.InferenceTests

open System
open Expecto
open Expecto.ExpectoFsCheck
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

// Logits x and -x of the first channel: whatever is done by tiles must give the image back.
let private echo (tiles: Tiles) : float32[] =
    let count = tiles.Extent.Count

    Array.init tiles.Count (fun tile ->
        let first = Array.sub tiles.Data (tile * tiles.Channels * count) count
        Array.append first (Array.map (~-) first))
    |> Array.concat

let private image (channels: int) (extent: Extent) : Image =
    let rng = Seed.rng (Seed.ofInt 3)
    Image.create channels extent (Array.init (channels * extent.Count) (fun _ -> float32 (rng.Gaussian())))

let private close (got: float32[]) (wanted: float32[]) (message: string) : unit =
    Expect.equal got.Length wanted.Length message

    let largest = Array.map2 (fun (a: float32) b -> abs (a - b)) got wanted |> Array.max
    Expect.isLessThan largest 1e-4f message

let private architecture: Architecture =
    {
        Blocks = Plain
        FeaturesPerStage = [ 2; 4 ]
        KernelSizes = [ [ 3; 3 ]; [ 3; 3 ] ]
        Strides = [ [ 1; 1 ]; [ 2; 2 ] ]
        ConvsPerStage = [ 1; 1 ]
        ConvsPerStageDecoder = [ 1 ]
    }

[<Tests>]
let tests =
    testList
        "Inference"
        [
            test "tiles lie where nnU-Net's lie" {
                Expect.equal (Tiling.positions 0.5 64 110) [ 0; 23; 46 ] "110 by 64"
                Expect.equal (Tiling.positions 0.5 64 65) [ 0; 1 ] "65 by 64"
                Expect.equal (Tiling.positions 0.5 128 300) [ 0; 57; 115; 172 ] "300 by 128"
                Expect.equal (Tiling.positions 0.5 128 257) [ 0; 43; 86; 129 ] "257 by 128"
                Expect.equal (Tiling.positions 0.5 64 64) [ 0 ] "one tile"
                Expect.throwsT<ArgumentException> (fun () -> Tiling.positions 0.5 64 63 |> ignore) "too short"
                Expect.throwsT<ArgumentException> (fun () -> Tiling.positions 0.0 64 70 |> ignore) "no step"
            }

            testProperty "tiles cover the axis without gaps"
            <| fun (patch: byte) (more: byte) ->
                let patch = int patch + 1
                let size = patch + int more
                let starts = Tiling.positions 0.5 patch size

                let gaps =
                    List.pairwise starts
                    |> List.forall (fun (a, b) -> b > a && 2 * (b - a) <= patch + 1)

                starts.Head = 0 && List.last starts = size - patch && (patch = 1 || gaps)

            test "the Gaussian is nnU-Net's" {
                let map = Tiling.importance (Extent.plane 16 16)
                let row = Array.sub map (8 * 16) 9

                let wanted =
                    [|
                        0.0034f
                        0.0219f
                        0.1111f
                        0.4395f
                        1.3535f
                        3.2461f
                        6.0664f
                        8.8281f
                        10.0f
                    |]

                for got, wanted in Array.zip row wanted do
                    Expect.isLessThan (abs (got - wanted)) 6e-5f "centre row"

                Expect.isLessThan (abs (map[0] - 1.13e-6f)) 5e-9f "corner"
                let cube = Tiling.importance (Extent.space 128 128 128)
                Expect.isLessThan (abs (Array.min cube - 5.96e-8f)) 1e-10f "smallest in a cube"
                Expect.equal (Array.max cube) 10.0f "peak"
            }

            test "an engine that echoes gives the image back, whatever the sizes" {
                let check (patch: Extent) (extent: Extent) (options: InferenceOptions) =
                    let image = image 2 extent
                    let got = Inference.logits options patch 2 echo image
                    let first = Array.sub image.Data 0 extent.Count
                    close got (Array.append first (Array.map (~-) first)) $"%O{extent} by %O{patch}"

                let many =
                    { Inference.standard with
                        TilesAtOnce = 3
                        MirrorAxes = [ 0; 1 ]
                    }

                check (Extent.plane 8 8) (Extent.plane 8 8) Inference.standard
                check (Extent.plane 8 12) (Extent.plane 21 17) Inference.standard
                check (Extent.plane 8 12) (Extent.plane 21 17) many
                check (Extent.plane 16 16) (Extent.plane 5 23) many
                check (Extent.space 4 6 8) (Extent.space 7 5 13) many
                // Slice by slice.
                check (Extent.plane 8 8) (Extent.space 3 9 10) many
            }

            test "tiles that overlap are weighed by the Gaussian" {
                // Each tile answers with its number; where two overlap the result lies between.
                let mutable number = 0.0f

                let numbers (tiles: Tiles) =
                    number <- number + 1.0f
                    Array.create (tiles.Count * tiles.Extent.Count) number

                let options =
                    { Inference.standard with
                        TilesAtOnce = 1
                    }

                let patch = Extent.plane 4 16
                let got = Inference.logits options patch 1 numbers (image 1 (Extent.plane 4 24))
                let weight = Tiling.importance patch

                let wanted (column: int) =
                    if column < 8 then
                        1.0f
                    elif column >= 16 then
                        2.0f
                    else
                        let a = weight[32 + column]
                        let b = weight[32 + column - 8]
                        (a + 2.0f * b) / (a + b)

                close (Array.sub got 48 24) (Array.init 24 wanted) "third row"
            }

            test "mirrored answers are turned back and averaged" {
                // The engine answers with the column's number, wherever the image is turned to.
                let columns (tiles: Tiles) =
                    Array.init (tiles.Count * tiles.Extent.Count) (fun index -> float32 (index % tiles.Extent.Width))

                let options =
                    { Inference.standard with
                        MirrorAxes = [ 1 ]
                    }

                let got =
                    Inference.logits options (Extent.plane 4 6) 1 columns (image 1 (Extent.plane 4 6))

                close got (Array.create 24 2.5f) "mean of column and its mirror"
            }

            test "several engines are averaged" {
                let constant (value: float32) (tiles: Tiles) =
                    Array.create (tiles.Count * tiles.Extent.Count) value

                let plane = image 1 (Extent.plane 4 9)
                let engine = Engine.average [ constant 1.0f; constant 2.0f; constant 6.0f ]

                close
                    (Inference.logits Inference.standard (Extent.plane 4 4) 1 engine plane)
                    (Array.create 36 3.0f)
                    "mean"

                let run engine () =
                    Inference.logits Inference.standard (Extent.plane 4 4) 1 engine plane |> ignore

                Expect.throwsT<ArgumentException> (run (Engine.average [])) "none"

                let other (tiles: Tiles) =
                    Array.zeroCreate<float32>(2 * tiles.Count * tiles.Extent.Count)

                Expect.throwsT<ArgumentException> (run (Engine.average [ constant 1.0f; other ])) "they differ"
            }

            test "labels on another grid are those of the logits resampled whole" {
                let check (extent: Extent) (size: Extent) (spacing: float list) (target: float list) =
                    let source =
                        { image 1 extent with
                            Spacing = Spacing.ofList spacing
                        }

                    let patch = Extent.ofShape (extent.Shape |> List.map (fun length -> min length 6))

                    let grid =
                        {
                            Resampling = Resampling.standard
                            Extent = size
                            Spacing = Spacing.ofList target
                        }

                    let whole =
                        { source with
                            Channels = 2
                            Data = Inference.logits Inference.standard patch 2 echo source
                        }
                        |> Resample.probabilities grid.Resampling grid.Spacing size

                    let labels, shares =
                        Inference.probabilitiesAt Inference.standard Outputs.Classes grid patch 2 echo source

                    let decided =
                        Inference.labelsAt Inference.standard Outputs.Classes grid patch 2 echo source

                    close shares (Inference.softmax size whole.Data) $"%O{extent} to %O{size}"
                    Expect.equal labels.Data decided.Data "labels"
                    Expect.equal decided.Spacing grid.Spacing "spacing"

                    let differing =
                        Array.map2
                            (fun label (logit: float32) ->
                                if abs logit > 1e-4f && (label = 1s) <> (logit < 0.0f) then
                                    1
                                else
                                    0)
                            decided.Data
                            (Array.sub whole.Data 0 size.Count)
                        |> Array.sum

                    Expect.equal differing 0 "labels where the logits are clear"

                check (Extent.plane 9 7) (Extent.plane 5 13) [ 1.0; 1.0 ] [ 1.8; 0.54 ]
                check (Extent.space 6 8 7) (Extent.space 11 5 13) [ 1.0; 1.0; 1.0 ] [ 0.55; 1.6; 0.54 ]
                check (Extent.space 9 8 7) (Extent.space 4 8 7) [ 1.0; 1.0; 1.0 ] [ 2.25; 1.0; 1.0 ]
                // Thick slices: nearest along their axis.
                check (Extent.space 5 8 7) (Extent.space 9 10 9) [ 4.0; 1.0; 1.0 ] [ 2.2; 0.8; 0.78 ]
                check (Extent.space 1 8 7) (Extent.space 1 16 7) [ 1.0; 1.0; 1.0 ] [ 1.0; 0.5; 1.0 ]
            }

            test "regions are painted one over the other" {
                let extent = Extent.plane 1 4
                // Two regions; the second one is painted over the first.
                let logits = [| 1.0f; 1.0f; -1.0f; -1.0f; -1.0f; 2.0f; 2.0f; -2.0f |]
                Expect.equal (Inference.paintRegions [ 1; 2 ] extent logits).Data [| 1s; 2s; 2s; 0s |] "painted"
                Expect.equal (Inference.paintRegions [ 2; 1 ] extent logits).Data [| 2s; 1s; 1s; 0s |] "other colours"

                let says (_: Tiles) = logits

                let grid =
                    {
                        Resampling = Resampling.standard
                        Extent = extent
                        Spacing = Spacing.unit 2
                    }

                let labels, shares =
                    Inference.probabilitiesAt
                        Inference.standard
                        (Outputs.Regions [ 1; 2 ])
                        grid
                        extent
                        2
                        says
                        (image 1 extent)

                Expect.equal labels.Data [| 1s; 2s; 2s; 0s |] "predicted"
                Expect.floatClose Accuracy.medium (float shares[5]) (1.0 / (1.0 + exp -2.0)) "sigmoid"

                Expect.throwsT<ArgumentException>
                    (fun () -> Inference.paintRegions [ 1 ] extent logits |> ignore)
                    "a label per region"
            }

            test "bad engines and options are refused" {
                let patch = Extent.plane 4 4
                let planes = image 1 (Extent.plane 6 6)

                let run options patch engine image () =
                    Inference.logits options patch 2 engine image |> ignore

                Expect.throwsT<ArgumentException> (run Inference.standard patch (fun _ -> [||]) planes) "no logits"

                Expect.throwsT<ArgumentException>
                    (run
                        { Inference.standard with
                            MirrorAxes = [ 2 ]
                        }
                        patch
                        echo
                        planes)
                    "no such axis"

                Expect.throwsT<ArgumentException>
                    (run Inference.standard (Extent.space 2 2 2) echo planes)
                    "a plane has no depth"
            }

            test "the likeliest class, the lowest among equals; probabilities sum to 1" {
                let extent = Extent.plane 1 3
                let logits = [| 1.0f; 0.0f; 5.0f; 1.0f; 2.0f; 5.0f; 0.0f; 3.0f; 6.0f |]
                Expect.equal (Inference.argmax extent logits).Data [| 0s; 2s; 2s |] "argmax"
                let shares = Inference.softmax extent logits

                for voxel in 0..2 do
                    let total = shares[voxel] + shares[voxel + 3] + shares[voxel + 6]
                    Expect.isLessThan (abs (total - 1.0f)) 1e-6f "sum"

                Expect.isLessThan (abs (shares[0] / shares[6] - exp 1.0f)) 1e-5f "ratio"
            }

            testSequenced (
                test "a network as an engine says what the network says, and leaves no tensor behind" {
                    let network = Network.create architecture 1 2 (Seed.ofInt 1)
                    use _module = network.Module
                    let plane = image 1 (Extent.plane 8 8)
                    let options = Inference.standard
                    let patch = plane.Extent

                    let once () =
                        Inference.logits options patch 2 (Inference.ofNetwork network) plane

                    let got = once ()
                    let before = Tensors.liveCount ()

                    for _ in 1..3 do
                        once () |> ignore

                    Expect.equal (Tensors.liveCount ()) before "live tensors"
                    use _scope = Toy.scope ()
                    let input = Tensors.ofArray [ 1L; 1L; 8L; 8L ] plane.Data
                    close got (Tensors.toArray<float32>(Network.evaluate network input)) "one tile"
                }
            )
        ]
