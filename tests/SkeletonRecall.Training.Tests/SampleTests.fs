module SkeletonRecall.Tests.SampleTests

open System
open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private smallest (kind: SampleKind) : int = fst (Sample.sizes kind)

[<Tests>]
let tests =
    testList
        "Sample"
        [
            for name, kind in Sample.kinds do
                test $"%s{name}: a seed gives one case, another seed another" {
                    let case (seed: int) =
                        Sample.case kind (smallest kind) (Seed.ofInt seed)

                    let one, again, other = case 1, case 1, case 2
                    Expect.equal one.Image.Data again.Image.Data "image"
                    Expect.isTrue (Volume.equal one.Labels.Value again.Labels.Value) "labels"
                    Expect.notEqual one.Image.Data other.Image.Data "another seed"
                    Expect.isFalse (Volume.equal one.Labels.Value other.Labels.Value) "another seed's labels"
                }

                test $"%s{name}: thin tubes that the image shows, and a data set that verify passes" {
                    Toy.inFolder (fun root ->
                        let folder = Path.Combine(root, "Dataset001_Sample")
                        let size = max 64 (2 * smallest kind)

                        let dataset =
                            Sample.writeDataset kind size (Seed.ofInt 5) 2 1 (fun _ _ -> ()) folder
                            |> Problem.orThrow

                        let verified =
                            Verification.run 1 CancellationToken.None (fun _ _ -> ()) folder
                            |> Problem.orThrow

                        Expect.isTrue (Verification.passed verified) $"%A{verified.Findings}"
                        Expect.equal verified.Dataset dataset "dataset.json"

                        Expect.equal
                            (Store.listImages (Store.testImages folder) dataset.FileEnding |> Problem.orThrow).Length
                            1
                            "held out"

                        for id in Store.trainingIds folder dataset |> Problem.orThrow do
                            let case, _ = Store.readTrainingCase folder dataset id |> Problem.orThrow
                            let labels = case.Labels.Value
                            let inside = labels.Data |> Array.filter (fun label -> label > 0s)
                            let share = float inside.Length / float labels.Data.Length
                            Expect.isTrue (share > 0.0005 && share < 0.3) $"%g{share} of the voxels"

                            let mask = labels |> Mask.ofVolume (fun label -> label > 0s)
                            Expect.isFalse (Mask.isEmpty (Skeleton.thin mask)) "skeleton"

                            let mean (test: int16 -> bool) =
                                Array.zip labels.Data (Array.truncate labels.Data.Length case.Image.Data)
                                |> Array.filter (fst >> test)
                                |> Array.averageBy (snd >> float)

                            let contrast = abs (mean (fun label -> label > 0s) - mean (fun label -> label = 0s))
                            Expect.isGreaterThan contrast 10.0 "contrast")
                }

            test "more cases leave the first ones as they were, and nothing is overwritten" {
                Toy.inFolder (fun root ->
                    let write (cases: int) (name: string) =
                        let folder = Path.Combine(root, name)

                        Sample.writeDataset SampleKind.Cracks 48 (Seed.ofInt 5) cases 0 (fun _ _ -> ()) folder
                        |> Result.map (fun _ ->
                            File.ReadAllBytes(Path.Combine(folder, "imagesTr", "cracks_000_0000.png")))

                    let one, three = write 1 "Dataset001_A", write 3 "Dataset002_B"
                    Expect.isOk one "one"
                    Expect.equal one three "the first case"

                    match write 1 "Dataset001_A" with
                    | Error problem -> Expect.stringContains (Problem.message problem) "there already" "message"
                    | Ok _ -> failtest "it was overwritten"

                    Expect.equal (Directory.GetDirectories root).Length 2 "nothing is left beside")
            }

            test "the circle of Willis has its arteries, right ones on the right" {
                let seen =
                    [
                        for seed in 1..6 ->
                            let labels = (Sample.case SampleKind.Willis 48 (Seed.ofInt seed)).Labels.Value
                            let columns = Array.zeroCreate<float> 14
                            let counts = Array.zeroCreate<int> 14

                            labels.Data
                            |> Array.iteri (fun at label ->
                                counts[int label] <- counts[int label] + 1
                                columns[int label] <- columns[int label] + float (at % 48))

                            // ICA, MCA and PCA of both sides; x grows to the patient's left.
                            for right, left in [ 4, 6; 5, 7; 2, 3 ] do
                                Expect.isLessThan
                                    (columns[right] / float counts[right])
                                    (columns[left] / float counts[left])
                                    $"%d{right} and %d{left}"

                            Set.ofList
                                [
                                    for label in 1..13 do
                                        if counts[label] > 0 then
                                            label
                                ]
                    ]

                Expect.equal (Set.unionMany seen) (Set.ofList [ 1..13 ]) "all arteries occur"

                Expect.isTrue
                    (seen |> List.exists (fun labels -> not (labels.Contains 13)))
                    "a third A2 is not always there"
            }

            test "sides that cannot be drawn are refused" {
                for kind, size in [ SampleKind.Roads, 47; SampleKind.Canal, 513 ] do
                    Expect.throwsT<ArgumentException> (fun () -> Sample.case kind size (Seed.ofInt 1) |> ignore) "side"
            }
        ]
