namespace SkeletonRecall.Benchmarks

open SkeletonRecall
open SkeletonRecall.Training

/// The case, the network and the batches that training is measured with.
[<RequireQualifiedAccess>]
module TrainData =

    let architecture (features: int list) (rank: int) (convs: int) : Architecture =
        let stages = features.Length
        let axes (value: int) = List.replicate rank value

        {
            Blocks = Plain
            FeaturesPerStage = features
            KernelSizes = List.replicate stages (axes 3)
            Strides = List.init stages (fun stage -> axes (if stage = 0 then 1 else 2))
            ConvsPerStage = List.replicate stages convs
            ConvsPerStageDecoder = List.replicate (stages - 1) convs
        }

    let configuration (patch: int list) (batch: int) (channels: int) (network: Architecture) : Configuration =
        {
            DataIdentifier = ""
            PatchSize = patch
            MedianSize = List.map float patch
            BatchSize = batch
            Spacing = List.map (fun _ -> 1.0) patch
            Normalization = List.replicate channels ZScore
            Resampling = Resampling.standard
            BatchDice = false
            Architecture = network
            InheritsFrom = None
            PreviousStage = None
            NextStages = []
        }

    // Vessels with as many channels of noise added.
    let case (extent: Extent) (channels: int) : Case =
        let made =
            if extent.Rank = 3 then
                Sample.case SampleKind.VesselTrees extent.Width (Seed.ofInt 3)
            else
                Synthetic.vessels
                    { Synthetic.standard with
                        Extent = extent
                        Trees = 6
                    }
                    (Seed.ofInt 3)

        let rng = Seed.rng (Seed.ofInt 4)

        let data =
            Array.init (channels * extent.Count) (fun i ->
                made.Image.Data[i % extent.Count] / 64.0f + float32 (0.1 * rng.Gaussian()))

        Case.create made.Id (Image.create channels extent data) made.Labels

    let source (augment: AugmentOptions) (tube: bool) (configuration: Configuration) (case: Case) : BatchSource =
        let patch = Extent.ofShape configuration.PatchSize

        Loader.training
            augment
            0.33
            {
                Tube = if tube then Some Tube.standard else None
                CoarseTube = None
                HeadExtents = Batch.headExtents configuration.Architecture.Strides patch
                Regions = []
                Ignore = None
            }
            configuration
            [| Sampler.prepare None case |]
