module SkeletonRecall.Tests.NetworkReferenceTests

open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

// The same network from its parameters' names and torch's own building blocks, all outputs kept.
let private reference (stages: int) (convs: int) (network: Network) (input: Tensor) : Tensor list =
    let parameter =
        let all = Network.parameters network |> Map.ofList
        fun (name: string) -> all[name] :> Tensor

    let block (prefix: string) (stride: int64) (x: Tensor) =
        let convolved =
            torch.nn.functional.conv2d (
                x,
                parameter $"%s{prefix}.conv.weight",
                parameter $"%s{prefix}.conv.bias",
                strides = [| stride; stride |],
                padding = [| 1L; 1L |]
            )

        let normalized =
            torch.nn.functional.instance_norm (
                convolved,
                weight = parameter $"%s{prefix}.norm.weight",
                bias = parameter $"%s{prefix}.norm.bias",
                eps = 1e-5
            )

        torch.nn.functional.leaky_relu (normalized, 0.01)

    let chain (prefix: string) (stride: int64) (x: Tensor) =
        (x, [ 0 .. convs - 1 ])
        ||> List.fold (fun x index -> block $"%s{prefix}.convs.%d{index}" (if index = 0 then stride else 1L) x)

    let skips =
        (input, [ 0 .. stages - 1 ])
        ||> List.scan (fun x stage -> chain $"encoder.stages.%d{stage}.0" (if stage = 0 then 1L else 2L) x)
        |> List.tail

    let step (below: Tensor, heads: Tensor list) (level: int) =
        let up =
            torch.nn.functional.conv_transpose2d (
                below,
                parameter $"decoder.transpconvs.%d{level}.weight",
                parameter $"decoder.transpconvs.%d{level}.bias",
                strides = [| 2L; 2L |]
            )

        let joined = torch.cat (ResizeArray [ up; skips[stages - 2 - level] ], 1L)
        let mixed = chain $"decoder.stages.%d{level}" 1L joined

        let head =
            torch.nn.functional.conv2d (
                mixed,
                parameter $"decoder.seg_layers.%d{level}.weight",
                parameter $"decoder.seg_layers.%d{level}.bias"
            )

        mixed, head :: heads

    List.fold step (List.last skips, []) [ 0 .. stages - 2 ] |> snd

let private largestDifference (left: Tensor) (right: Tensor) : float =
    Tensors.item ((left - right).abs().max())

[<Tests>]
let tests =
    testSequenced
    <| testList
        "NetworkReference"
        [
            test "a plain network computes what its building blocks compute" {
                use _scope = Toy.scope ()
                let network = Network.create (Toy.architecture [ 4; 8; 8 ] 2 2) 2 3 (Seed.ofInt 1)
                let input = Toy.gaussian [ 2L; 2L; 16L; 24L ]

                // Weights off their starting values, so that norms and biases matter.
                do
                    use _off = torch.no_grad ()

                    for index, (_, parameter) in List.indexed (Network.parameters network) do
                        parameter.add_ ((0.01 * float (index % 5)).ToScalar()) |> ignore

                for ours, theirs in List.zip (network.Forward input) (reference 3 2 network input) do
                    Expect.isLessThan (largestDifference ours theirs) 1e-4 "head"
            }

            test "a residual network computes what its building blocks compute, and begins as its shortcuts" {
                use _scope = Toy.scope ()

                let architecture =
                    { Toy.architecture [ 4; 6 ] 2 1 with
                        Blocks = Residual
                        ConvsPerStage = [ 1; 2 ]
                    }

                let network = Network.create architecture 1 2 (Seed.ofInt 2)
                let all = Network.parameters network |> Map.ofList
                let parameter (name: string) = all[name] :> Tensor
                let input = Toy.gaussian [ 2L; 1L; 8L; 12L ]

                let block (prefix: string) (stride: int64) (x: Tensor) =
                    let weight = parameter $"%s{prefix}.conv.weight"
                    let padding = (weight.shape[2] - 1L) / 2L

                    let bias =
                        match all.TryFind $"%s{prefix}.conv.bias" with
                        | Some bias -> bias :> Tensor
                        | None -> torch.zeros weight.shape[0]

                    torch.nn.functional.instance_norm (
                        torch.nn.functional.conv2d (
                            x,
                            weight,
                            bias,
                            strides = [| stride; stride |],
                            padding = [| padding; padding |]
                        ),
                        weight = parameter $"%s{prefix}.norm.weight",
                        bias = parameter $"%s{prefix}.norm.bias",
                        eps = 1e-5
                    )

                let act (x: Tensor) =
                    torch.nn.functional.leaky_relu (x, 0.01)

                let residual (prefix: string) (stride: int64) (shortcut: Tensor) (x: Tensor) =
                    act (
                        block $"%s{prefix}.conv2" 1L (act (block $"%s{prefix}.conv1" stride x))
                        + shortcut
                    )

                let expected () =
                    let stem = act (block "encoder.stem.convs.0" 1L input)
                    let top = residual "encoder.stages.0.blocks.0" 1L stem stem
                    let pooled = torch.nn.functional.avg_pool2d (top, 2L)
                    let below = "encoder.stages.1.blocks"
                    let first = residual $"%s{below}.0" 2L (block $"%s{below}.0.skip.1" 1L pooled) top
                    let second = residual $"%s{below}.1" 1L first first

                    let up =
                        torch.nn.functional.conv_transpose2d (
                            second,
                            parameter "decoder.transpconvs.0.weight",
                            parameter "decoder.transpconvs.0.bias",
                            strides = [| 2L; 2L |]
                        )

                    let mixed =
                        act (block "decoder.stages.0.convs.0" 1L (torch.cat (ResizeArray [ up; top ], 1L)))

                    torch.nn.functional.conv2d (
                        mixed,
                        parameter "decoder.seg_layers.0.weight",
                        parameter "decoder.seg_layers.0.bias"
                    )

                Expect.isLessThan (largestDifference (network.Forward input).Head (expected ())) 1e-5 "at the start"

                for name in all.Keys do
                    if name.Contains "conv2.norm" then
                        Expect.equal (Tensors.item (all[name].abs().max())) 0.0 name

                do
                    use _off = torch.no_grad ()

                    for index, name in List.indexed (List.ofSeq all.Keys) do
                        all[name].add_((0.01 * float (1 + index % 5)).ToScalar()) |> ignore

                Expect.isLessThan (largestDifference (network.Forward input).Head (expected ())) 1e-4 "later"
            }
        ]
