module SkeletonRecall.Tests.WeightFinderTests

open TorchSharp
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private voxels = 64
let private tube = 16

/// A 1 x 1 convolution of one channel to two classes, all weights 0: logits 0, so that both classes have probability 1/2.
let private linear () : Network =
    let layer = torch.nn.Conv2d(1L, 2L, 1L, bias = false)
    use _noGradient = torch.no_grad ()
    layer.weight.zero_ () |> ignore

    {
        Module = layer
        Forward = fun input -> [ layer.forward input ]
        Finest = layer.forward
    }

/// Images of 1 everywhere; the first quarter is class 1, and all of it is tube.
let private batch: Batch =
    let extent = Extent.plane 8 8
    let labels = Array.init voxels (fun index -> if index < tube then 1s else 0s)

    {
        Size = 1
        Channels = 1
        Extent = extent
        Images = Array.create voxels 1.0f
        Regions = []
        Heads =
            [
                {
                    Extent = extent
                    Labels = labels
                    Skeleton = Some labels
                    Valid = None
                }
            ]
    }

let private objective (text: string) : Objective =
    match Objective.parse text with
    | Ok objective -> objective
    | Error reason -> failtest reason

let private measure (ratio: float) (text: string) : WeightReport =
    use _scope = Toy.scope ()
    let network = linear ()
    use _parameters = network.Module
    WeightFinder.measure ratio [ 1.0 ] (objective text) network [ batch; batch ]

let private near (wanted: float) (got: float) (what: string) : unit =
    Expect.isLessThan (abs (got - wanted)) 1e-6 $"%s{what}: got %g{got}, wanted %g{wanted}"

let private n, k = float voxels, float tube

// Cross-entropy's gradient is (p - y) / n, here 1/(2n) at every logit; recall's is p (1 - p) / k, here 1/(4k), at the
// 2k logits of the tube.
let private entropyAtLogits = sqrt (2.0 * n) * 0.5 / n
let private recallAtLogits = sqrt (2.0 * k) * 0.25 / k
// A weight's gradient is the sum over voxels, for the input is 1: 1/2 - k/n, and 1/4.
let private entropyAtWeights = sqrt 2.0 * (0.5 - k / n)
let private recallAtWeights = sqrt 2.0 * 0.25

[<Tests>]
let tests =
    testList
        "WeightFinder"
        [
            test "norms of a linear network, by hand" {
                let report = measure 1.0 "ce + 1.0*skeleton-recall(smooth=0)"
                Expect.equal (report.Terms |> List.map _.Name) [ "ce"; "skeleton-recall" ] "names"
                let entropy, recall = report.Terms[0], report.Terms[1]
                near (log 2.0) entropy.Value "ce"
                near -0.5 recall.Value "recall"
                near entropyAtLogits entropy.LogitsNorm "ce at logits"
                near recallAtLogits recall.LogitsNorm "recall at logits"
                near entropyAtWeights entropy.WeightsNorm "ce at weights"
                near recallAtWeights recall.WeightsNorm "recall at weights"
                near entropyAtLogits recall.RestLogitsNorm "the rest of recall is ce"
                near recallAtWeights entropy.RestWeightsNorm "the rest of ce is recall"
            }

            test "the weight makes the ratio, whatever the weight was" {
                for weight in [ 0.25; 1.0; 8.0 ] do
                    let report = measure 0.5 $"ce + %g{weight}*skeleton-recall(smooth=0)"
                    let recall = report.Terms[1]
                    let atLogits = WeightFinder.atLogits report recall |> Option.defaultValue nan
                    let atWeights = WeightFinder.atWeights report recall |> Option.defaultValue nan
                    near (0.5 * entropyAtLogits / recallAtLogits) atLogits "by logits"
                    near (0.5 * entropyAtWeights / recallAtWeights) atWeights "by weights"
                    near weight recall.Weight "its own weight"
            }

            test "others count with their weights" {
                let report = measure 1.0 "3.0*ce + 1.0*skeleton-recall(smooth=0)"
                near (3.0 * entropyAtLogits) report.Terms[1].RestLogitsNorm "rest"
                near entropyAtLogits report.Terms[0].LogitsNorm "own, without its weight"
            }

            test "the suggestion has two digits and changes the recall alone" {
                let text = "ce + 1.0*skeleton-recall(smooth=0) + dice"
                let report = measure 1.0 text

                let suggested =
                    WeightFinder.suggest (objective text) report
                    |> Option.map Objective.print
                    |> Option.defaultValue "none"

                let weight = WeightFinder.atLogits report report.Terms[1] |> Option.defaultValue nan

                let rounded = suggested.Split([| '+'; '*' |])[1] |> float
                Expect.isLessThan (abs (rounded - weight)) (0.05 * weight) $"%s{suggested} for %g{weight}"
                Expect.equal (suggested.Replace($"%g{rounded}*", "1.0*")) text "the rest stays"
            }

            test "a term alone, and one without structures, have no weight" {
                let alone = measure 1.0 "ce"
                Expect.isNone (WeightFinder.atLogits alone alone.Terms[0]) "alone"
                Expect.isNone (WeightFinder.suggest (objective "ce") alone) "nothing to suggest"
                use _scope = Toy.scope ()
                let network = linear ()
                use _parameters = network.Module

                let empty =
                    { batch with
                        Heads =
                            batch.Heads
                            |> List.map (fun head ->
                                { head with
                                    Skeleton = Some(Array.zeroCreate voxels)
                                })
                    }

                let report =
                    WeightFinder.measure 1.0 [ 1.0 ] (objective "ce + 1.0*skeleton-recall") network [ empty ]

                Expect.equal report.Terms[1].LogitsNorm 0.0 "no pull"
                Expect.isNone (WeightFinder.atLogits report report.Terms[1]) "no weight"
            }

            test "the network stays as it is" {
                use _scope = Toy.scope ()
                let network = linear ()
                use _parameters = network.Module
                let before = Tensors.liveCount ()

                WeightFinder.measure 1.0 [ 1.0 ] Objective.skeletonRecall network [ batch ]
                |> ignore

                let weights =
                    Network.weights network |> List.collect (fun array -> List.ofArray array.Values)

                Expect.equal weights [ 0.0f; 0.0f ] "weights"
                Expect.isTrue (isNull (box (snd (Network.parameters network).Head).grad)) "no gradient is left"
                Expect.isLessThanOrEqual (Tensors.liveCount ()) (before + 1L) "tensors"
            }

            test "a ratio out of range and no batch are refused" {
                let refused (ratio: float) (batches: Batch list) (part: string) =
                    use _scope = Toy.scope ()
                    let network = linear ()
                    use _parameters = network.Module

                    let message =
                        try
                            WeightFinder.measure ratio [ 1.0 ] Objective.nnunet network batches |> ignore
                            "nothing thrown"
                        with :? System.ArgumentException as error ->
                            error.Message

                    Expect.stringContains message part "message"

                refused 0.0 [ batch ] "got 0"
                refused nan [ batch ] "got NaN"
                refused 1.0 [] "got none"
            }
        ]
