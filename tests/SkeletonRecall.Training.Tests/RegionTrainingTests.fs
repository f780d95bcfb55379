module SkeletonRecall.Tests.RegionTrainingTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

/// Label 2 lies within the region of labels 1 and 2: regions overlap. Label 3 is to be ignored.
let private regions: int16 list list = [ [ 1s; 2s ]; [ 2s ] ]

/// A cross of label 1 with a thin column of label 2 in it, and a corner that nobody labelled.
let private case: Case =
    Toy.case "regions" 32 32 (fun row column -> if row / 2 = 8 || column / 2 = 8 then 2.0f else 0.0f) (fun row column ->
        if row < 4 && column < 4 then 3s
        elif column / 2 = 8 then 2s
        elif row / 2 = 8 then 1s
        else 0s)

let private architecture: Architecture = Toy.architecture [ 4; 8; 8 ] 2 2

let private batch (objective: Objective) : Batch =
    let extent = Extent.plane 32 32

    [ Patch.create case.Image case.Labels.Value ]
    |> Batch.create
        {
            Tube = (Objective.needs objective).Tube
            CoarseTube = Batch.coarseTube objective.Supervision
            HeadExtents = Batch.headExtents architecture.Strides extent
            Regions = regions
            Ignore = Some 3
        }

let private objective (text: string) : Objective =
    match Objective.parse text with
    | Ok objective -> objective
    | Error reason -> failtest reason

/// The losses of some steps on one batch.
let private train (steps: int) (text: string) : float list =
    use _scope = Toy.scope ()
    let objective = objective text
    let batch = batch objective
    let network = Network.create architecture 1 regions.Length (Seed.ofInt 1)
    use _parameters = network.Module
    use optimizer = Optimizer.create Optimizer.standard network
    let loss = Objective.loss objective (Loss.headWeights batch.Heads.Length)
    [ for _ in 1..steps -> Trainer.step 0.01 network optimizer loss batch ]

[<Tests>]
let tests =
    testList
        "RegionTraining"
        [
            testList
                "regions that overlap, with an ignore label, are learned"
                [
                    // nnU-Net trains regions with Dice + binary cross-entropy, which `ce` is for regions.
                    for text in
                        [
                            "nnunet"
                            "skeleton-recall"
                            "skeleton-recall on all-heads"
                            "skeleton-recall on full-resolution"
                            "skeleton-recall-per-class"
                            "scnp-skeleton-recall"
                            "tversky"
                            "clce"
                        ] do
                        test text {
                            let losses = train 15 text
                            Expect.all losses System.Double.IsFinite "numbers"
                            Expect.isLessThan (List.last losses) losses.Head $"%A{losses}"
                        }
                ]

            test "the ignored corner changes nothing" {
                use _scope = Toy.scope ()
                let objective = objective "skeleton-recall on all-heads"
                let batch = batch objective
                let images, targets = Batch.toTensors TorchSharp.torch.CPU batch
                let network = Network.create architecture 1 regions.Length (Seed.ofInt 1)
                use _parameters = network.Module
                let logits = network.Forward images
                let loss = Objective.loss objective (Loss.headWeights logits.Length)
                let value = Tensors.item (loss logits targets)

                use fifty: TorchSharp.Scalar = TorchSharp.Scalar.op_Implicit 50.0

                let moved =
                    logits
                    |> List.map (fun head ->
                        let changed = head.detach().clone()
                        let size = changed.shape[2] / 8L
                        changed.narrow(2L, 0L, size).narrow(3L, 0L, size).fill_(fifty) |> ignore
                        changed)

                Expect.equal (Tensors.item (loss moved targets)) value "loss"
            }
        ]
