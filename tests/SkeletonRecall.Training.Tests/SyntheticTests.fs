module SkeletonRecall.Tests.SyntheticTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private small =
    { Synthetic.standard with
        Extent = Extent.plane 96 80
    }

let private mean (values: float32 seq) : float = values |> Seq.averageBy float

[<Tests>]
let tests =
    testList
        "Synthetic"
        [
            test "the same seed gives the same case, another seed another" {
                let draw (seed: int) =
                    Synthetic.vessels small (Seed.ofInt seed)

                Expect.equal (draw 1).Image (draw 1).Image "image"
                Expect.equal (draw 1).Labels.Value.Data (draw 1).Labels.Value.Data "labels"
                Expect.notEqual (draw 1).Labels.Value.Data (draw 2).Labels.Value.Data "another seed"
            }

            test "grey levels are whole, labels are 0 and 1, vessels are darker" {
                for seed in 1..5 do
                    let case = Synthetic.vessels small (Seed.ofInt seed)
                    let labels = case.Labels.Value.Data
                    Expect.equal (case.Image.Channels, case.Image.Extent) (1, small.Extent) "shape"

                    let isGrey (value: float32) =
                        value >= 0.0f && value <= 255.0f && System.MathF.Round value = value

                    Expect.isTrue (Array.forall isGrey case.Image.Data) "grey"
                    Expect.equal (labels |> Array.distinct |> Array.sort) [| 0s; 1s |] "labels"
                    let share = float (Array.sumBy int labels) / float labels.Length
                    Expect.isTrue (share > 0.03 && share < 0.35) $"share %g{share}"

                    let of' (label: int16) =
                        Array.zip labels case.Image.Data
                        |> Seq.filter (fun (found, _) -> found = label)
                        |> Seq.map snd

                    Expect.isLessThan (mean (of' 1s)) (mean (of' 0s) - 10.0) "darker"
            }

            test "without noise, blur and spots the labels are exact" {
                let clean =
                    { small with
                        Blur = 0.0
                        Noise = 0.0
                        Blobs = 0
                        Unevenness = 0.0
                        Faintness = 1.0
                    }

                let case = Synthetic.vessels clean (Seed.ofInt 4)

                Array.zip case.Labels.Value.Data case.Image.Data
                |> Array.iter (fun (label, grey) ->
                    // A pixel outside may be darkened by at most half its area.
                    if label = 1s then
                        Expect.isLessThan grey 145.0f "a vessel is dark"
                    else
                        Expect.isGreaterThan grey 80.0f "the ground is not")
            }

            // The pixel nearest to a disc's centre is at most sqrt 0.5 away, which is less than any radius, and the next disc's
            // is a neighbour of it: a branch never falls apart, except where it leaves the image and comes back.
            test "labels hang together" {
                for seed in 1..6 do
                    let labels = (Synthetic.vessels Synthetic.standard (Seed.ofInt seed)).Labels.Value
                    let betti = Topology.betti (ConnectivityPair.standard 2) (Tube.binarize labels)
                    Expect.isLessThanOrEqual betti.B0 (Synthetic.standard.Trees + 2) $"seed %d{seed}"
            }

            test "options outside their range are refused" {
                let refuses (options: VesselOptions) (text: string) =
                    Expect.throwsT<System.ArgumentException>
                        (fun () -> Synthetic.vessels options (Seed.ofInt 1) |> ignore)
                        text

                refuses { small with Trees = 0 } "no tree"
                refuses { small with TipRadius = 0.5 } "thin"
                refuses { small with RootRadius = 0.76 } "thick ends"

                refuses
                    { small with
                        Extent = Extent.space 2 3 4
                    }
                    "volume"
            }

            test "a data set in nnU-Net's layout is written and read" {
                Toy.inFolder (fun root ->
                    let folder = Path.Combine(root, "Dataset001_Vessels")

                    let tiny =
                        { small with
                            Extent = Extent.plane 40 32
                        }

                    let made = Synthetic.writeDataset tiny (Seed.ofInt 3) 3 2 folder |> Problem.orThrow
                    Expect.equal made.Name "Dataset001_Vessels" "name"
                    Expect.equal (Store.readDataset folder) (Ok made) "dataset.json"
                    let ids = Store.trainingIds folder made |> Problem.orThrow
                    let case, _ = Store.readTrainingCase folder made ids[1] |> Problem.orThrow
                    let drawn = Synthetic.vessels tiny (Seed.child 1 (Seed.ofInt 3))
                    Expect.equal case.Image drawn.Image "image"

                    let files (name: string) =
                        Directory.GetFiles(Path.Combine(folder, name))
                        |> Array.choose (fun path -> Path.GetFileName path |> Option.ofObj)
                        |> Array.sort

                    Expect.equal (files "imagesTs") [| "vessels_003_0000.png"; "vessels_004_0000.png" |] "imagesTs"
                    Expect.equal (files "labelsTs") [| "vessels_003.png"; "vessels_004.png" |] "labelsTs")
            }
        ]
