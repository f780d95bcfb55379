namespace SkeletonRecall.Training

/// The names and shapes of a network's parameters, without the network: what stored weights are compared with before memory is
/// taken for them.
[<RequireQualifiedAccess>]
module ParameterShapes =

    type private Shapes = (string * int list) seq

    let private weighted (name: string) (outputs: int) (inputs: int) (kernel: int list) (withBias: bool) : Shapes =
        seq {
            $"%s{name}.weight", outputs :: inputs :: kernel

            if withBias then
                $"%s{name}.bias", [ outputs ]
        }

    let private block (name: string) (outputs: int) (inputs: int) (kernel: int list) (withBias: bool) : Shapes =
        seq {
            yield! weighted $"%s{name}.conv" outputs inputs kernel withBias
            $"%s{name}.norm.weight", [ outputs ]
            $"%s{name}.norm.bias", [ outputs ]
        }

    let private blocks (name: string) (count: int) (outputs: int) (inputs: int) (kernel: int list) : Shapes =
        seq {
            for index in 0 .. count - 1 do
                yield! block $"%s{name}.convs.%d{index}" outputs (if index = 0 then inputs else outputs) kernel true
        }

    let private residuals
        (name: string)
        (count: int)
        (outputs: int)
        (inputs: int)
        (kernel: int list)
        (stride: int list)
        : Shapes =
        seq {
            for index in 0 .. count - 1 do
                let inputs = if index = 0 then inputs else outputs
                let name = $"%s{name}.blocks.%d{index}"
                yield! block $"%s{name}.conv1" outputs inputs kernel true
                yield! block $"%s{name}.conv2" outputs outputs kernel true

                if inputs <> outputs then
                    // The pool, where there is one, is the shortcut's layer 0.
                    let number = if index = 0 && List.exists ((<>) 1) stride then 1 else 0
                    yield! block $"%s{name}.skip.%d{number}" outputs inputs (List.map (fun _ -> 1) kernel) false
        }

    /// The parameters of `Network.create` for images of `channels` channels and `outputs` outputs, in the order in which
    /// `Network.parameters` has them. Made as it is looked at, so that an architecture of absurd size costs nothing. The lists
    /// of the architecture must fit each other.
    let ofArchitecture (architecture: Architecture) (channels: int) (outputs: int) : (string * int list) seq =
        let features = List.toArray architecture.FeaturesPerStage
        let kernels = List.toArray architecture.KernelSizes
        let strides = List.toArray architecture.Strides
        let levels = List.indexed architecture.ConvsPerStageDecoder
        let skip (level: int) = features.Length - 2 - level

        seq {
            if architecture.Blocks = Residual then
                yield! blocks "encoder.stem" 1 features[0] channels kernels[0]

            for stage, count in List.indexed architecture.ConvsPerStage do
                match architecture.Blocks with
                | Plain ->
                    let inputs = if stage = 0 then channels else features[stage - 1]
                    yield! blocks $"encoder.stages.%d{stage}.0" count features[stage] inputs kernels[stage]
                | Residual ->
                    let inputs = features[max 0 (stage - 1)]

                    yield!
                        residuals $"encoder.stages.%d{stage}" count features[stage] inputs kernels[stage] strides[stage]

            for level, count in levels do
                let at = skip level
                yield! blocks $"decoder.stages.%d{level}" count features[at] (2 * features[at]) kernels[at]

            for level, _ in levels do
                let at = skip level
                // Transposed: inputs first.
                let name = $"decoder.transpconvs.%d{level}"
                $"%s{name}.weight", features[at + 1] :: features[at] :: strides[at + 1]
                $"%s{name}.bias", [ features[at] ]

            for level, _ in levels do
                let at = skip level
                let point = kernels[at] |> List.map (fun _ -> 1)
                yield! weighted $"decoder.seg_layers.%d{level}" outputs features[at] point true
        }
