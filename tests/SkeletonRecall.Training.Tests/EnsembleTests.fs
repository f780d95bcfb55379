module SkeletonRecall.Tests.EnsembleTests

open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private shares (channels: int) (extent: Extent) (data: float32 list) : Probabilities =
    {
        Channels = channels
        Extent = extent
        Spacing = Spacing.ofList (List.replicate extent.Rank 0.5)
        Geometry = Geometry.standard extent.Rank
        Data = Array.ofList data
    }

[<Tests>]
let tests =
    testList
        "Ensemble"
        [
            test "probabilities are averaged and decided" {
                let extent = Extent.plane 1 2
                let first = shares 2 extent [ 0.6f; 0.6f; 0.4f; 0.4f ]
                let second = shares 2 extent [ 0.1f; 0.45f; 0.9f; 0.55f ]
                let mean = Ensemble.average [ "a", first; "b", second ] |> Problem.orThrow

                for found, wanted in Array.zip mean.Data [| 0.35f; 0.525f; 0.65f; 0.475f |] do
                    Expect.isLessThan (abs (found - wanted)) 1e-6f "mean"

                // Either alone says otherwise of one voxel.
                Expect.equal (Ensemble.decide Outputs.Classes mean).Data [| 1s; 0s |] "classes"
                // Regions: the first everywhere above a half, painted over by the second where that is.
                let regions = shares 2 extent [ 0.6f; 0.7f; 0.4f; 0.6f ]
                Expect.equal (Ensemble.decide (Outputs.Regions [ 1; 2 ]) regions).Data [| 1s; 2s |] "regions"
                let other = shares 1 extent [ 0.5f; 0.5f ]
                Expect.isError (Ensemble.average [ "a", first; "b", other ]) "other channels"
            }

            test "probabilities are kept in nnU-Net's files" {
                Toy.inFolder (fun folder ->
                    let path = Path.Combine(folder, "case.npz")

                    for extent in [ Extent.plane 2 3; Extent.space 1 2 3; Extent.space 2 2 3 ] do
                        let kept = shares 2 extent (List.init (2 * extent.Count) float32)
                        ProbabilityFile.save path kept |> Problem.orThrow
                        let read = ProbabilityFile.load path |> Problem.orThrow
                        Expect.equal read kept $"%O{extent}"
                        use stream = File.OpenRead path
                        let arrays = Npz.decode stream |> Result.defaultWith failtest |> Map.ofList

                        Expect.equal
                            arrays["probabilities"].Shape
                            [ 2; extent.Depth; extent.Height; extent.Width ]
                            "nnU-Net's shape"

                    File.WriteAllText(path, "nothing")
                    Expect.isError (ProbabilityFile.load path) "damaged")
            }
        ]
