// dotnet build -c Release && dotnet fsi scripts/tour/03-own-loss.fsx
#load "../init.fsx"

// # A loss of one's own
//
// A loss is any function from logits and target to a scalar, so one's own needs no registration: write it, check it,
// train with it.

open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

LibTorch.ensure ()

// Focal loss (Lin et al., 2017), with gamma = 2, for two classes: cross-entropy that cares less for what is easy.

let focal (logits: Tensor) (target: Target) : Tensor =
    Tensors.scoped (fun () ->
        let ids = (Target.classIds logits target).``to`` torch.int64
        let logProbability = torch.nn.functional.log_softmax(logits, 1L).gather(1L, ids)
        -((1.0.ToScalar() - logProbability.exp ()).square() * logProbability).mean())

// `Loss.check` compares its gradient with finite differences in double precision, and counts the tensors left alive.

let random = Seed.rng (Seed.ofInt 3)
let shape = [ 2L; 2L; 6L; 7L ]

let logits =
    Tensors.ofArray shape (Array.init (2 * 2 * 6 * 7) (fun _ -> float32 (random.Gaussian())))

let ids =
    Tensors.ofInt16 [ 2L; 1L; 6L; 7L ] (Array.init (2 * 6 * 7) (fun _ -> int16 (random.NextInt 2)))

let check = Loss.check focal logits (Target.ofClasses ids)

printfn
    $"focal loss %.4f{check.Value}: largest gradient %.3g{check.LargestGradient}, off by at most %.1g{check.LargestDifference}, tensors left alive: %d{check.LeftAlive}"

if not check.Passed then
    eprintfn "the gradient is wrong, or a tensor is left alive"
    exit 1

// Losses are summed and weighted like numbers, and stand on every head of the network by deep supervision.

let mine: Loss =
    Loss.sum
        [
            focal
            SoftDice.loss SoftDice.standard
            Loss.weighted 0.5 (SoftRecall.loss SoftRecall.standard)
        ]

// Fifty steps on generated vessels.

let cases =
    [
        for number in 0..3 ->
            Synthetic.vessels
                { Synthetic.standard with
                    Extent = Extent.plane 128 128
                }
                (Seed.ofInt number)
    ]

let dataset: Dataset =
    Dataset.create "Vessels" [ "grey" ] [ ("background", 0); ("vessel", 1) ] ".png" cases.Length

let configuration =
    let options =
        { Planner.standard with
            BaseFeatures = 16
            MaxFeatures = 32
            PatchSize = Some [ 64; 64 ]
            BatchSize = Some 4
        }

    (Planner.plan2d options dataset (cases |> List.map (fun case -> case.Image.Extent))
     |> Problem.orThrow)
        .Configurations["2d"]

let heads =
    Batch.headExtents configuration.Architecture.Strides (Extent.ofShape configuration.PatchSize)

let loss: HeadLoss =
    Loss.deepSupervision (Loss.headWeights heads.Length |> List.map (fun weight -> weight, mine))

let source =
    let prepare (case: Case) =
        Sampler.prepare
            None
            { case with
                Image = Normalize.image configuration.Normalization case.Image
            }

    let batch: BatchOptions =
        {
            Tube = Some Tube.standard
            CoarseTube = Some MaxPooled
            HeadExtents = heads
            Regions = []
            Ignore = None
        }

    cases
    |> List.map prepare
    |> List.toArray
    |> Loader.training Augment.options 0.33 batch configuration

let network = Network.create configuration.Architecture 1 2 (Seed.ofInt 5)

let optimizer =
    Optimizer.create
        { Optimizer.standard with
            Momentum = 0.9
        }
        network

let losses =
    [
        for number in 0..49 ->
            Trainer.step 0.01 network optimizer loss (Loader.draw source (Seed.child number (Seed.ofInt 6)))
    ]

let first = losses |> List.take 10 |> List.average
let last = losses |> List.skip 40 |> List.average
printfn $"mean loss of the first ten steps %.3f{first}, of the last ten %.3f{last}"

if not (last < first) then
    eprintfn "fifty steps did not lower the loss"
    exit 1
