namespace SkeletonRecall.Training

open System
open System.Collections.Generic
open TorchSharp
open SkeletonRecall

/// How stochastic gradient descent steps.
type OptimizerOptions =
    {
        /// Share of the previous direction that is kept; 0 switches momentum off.
        Momentum: float
        /// Weight decay (L2), added to the gradient of every parameter, biases and norms included.
        WeightDecay: float
        /// The longest gradient (L2 over all parameters) that is used as it is; longer ones are shortened to it.
        Clip: float
    }

/// Parameters with the momentum that they have gathered. A parameter that never had a gradient has none.
[<Sealed>]
type Optimizer internal (options: OptimizerOptions, parameters: (string * Modules.Parameter) list) =
    let momenta = Dictionary<string, Tensor>()

    /// How it steps.
    member _.Options: OptimizerOptions = options
    member internal _.Parameters: (string * Modules.Parameter) list = parameters
    member internal _.Momenta: Dictionary<string, Tensor> = momenta

    interface IDisposable with
        /// Frees the momentum; the parameters belong to the network.
        member _.Dispose() : unit =
            for tensor in momenta.Values do
                tensor.Dispose()

            momenta.Clear()

/// Stochastic gradient descent with Nesterov momentum, as torch.optim.SGD computes it (dampening 0). Its own, because
/// TorchSharp's keeps its momentum to itself and a run could not be resumed from it.
[<RequireQualifiedAccess>]
module Optimizer =

    /// nnU-Net's: momentum 0.99, weight decay 3e-5, gradients no longer than 12.
    let standard: OptimizerOptions =
        {
            Momentum = 0.99
            WeightDecay = 3e-5
            Clip = 12.0
        }

    /// An optimizer without momentum yet for all parameters of the network.
    let create (options: OptimizerOptions) (network: Network) : Optimizer =
        new Optimizer(options, Network.parameters network)

    /// Forgets all gradients, so that the next backward pass starts from nothing.
    let clear (optimizer: Optimizer) : unit =
        for _, parameter in optimizer.Parameters do
            match parameter.grad with
            | null -> ()
            | gradient ->
                gradient.Dispose()
                parameter.grad <- null

    /// Multiplies all gradients by a factor: after a loss that was scaled.
    let internal shrink (factor: float) (optimizer: Optimizer) : unit =
        use _off = torch.no_grad ()
        use scalar = factor.ToScalar()

        for _, parameter in optimizer.Parameters do
            match parameter.grad with
            | null -> ()
            | gradient -> gradient.mul_ (scalar) |> ignore

    // The L2 norm of all gradients together.
    let private length (gradients: Tensor list) : float =
        use _scope = torch.NewDisposeScope()

        match gradients with
        | [] -> 0.0
        | _ ->
            let norms = gradients |> List.map (fun gradient -> gradient.norm ())
            float ((torch.stack (ResizeArray norms)).norm().ToSingle())

    // The scalars of one step. They are bound by `use` for the whole of it: libtorch reads them by their address, and the
    // garbage collector frees a scalar that nobody holds, even while it is read.
    let private update
        (one: Scalar)
        (decay: Scalar)
        (keep: Scalar option)
        (back: Scalar)
        (momenta: Dictionary<string, Tensor>)
        (name: string, parameter: Modules.Parameter, gradient: Tensor)
        : unit =
        let direction = gradient.add_ (parameter, alpha = decay)

        match keep with
        | None -> ()
        | Some keep ->
            match momenta.TryGetValue name with
            | true, momentum ->
                momentum.mul_(keep).add_(direction, alpha = one) |> ignore
                direction.add_ (momentum, alpha = keep) |> ignore
            | _ ->
                // The first direction is the momentum.
                let momentum = direction.clone().DetachFromDisposeScope()
                momenta[name] <- momentum
                direction.add_ (momentum, alpha = keep) |> ignore

        parameter.add_ (direction, alpha = back) |> ignore

    /// Shortens the gradients to the longest allowed and takes one step with them; they are used up by it. Returns
    /// their length before. When that is not finite nothing is changed, so that the weights stay good.
    let step (learningRate: float) (optimizer: Optimizer) : float =
        use _scope = torch.NewDisposeScope()
        use _off = torch.no_grad ()

        let active =
            optimizer.Parameters
            |> List.choose (fun (name, parameter) ->
                match parameter.grad with
                | null -> None
                | gradient -> Some(name, parameter, gradient))

        let length = length (active |> List.map (fun (_, _, gradient) -> gradient))

        if Double.IsFinite length then
            let options = optimizer.Options
            let factor = options.Clip / (length + 1e-6)
            use shortened = factor.ToScalar()
            use one = (1.0).ToScalar()
            use decay = options.WeightDecay.ToScalar()
            use keep = options.Momentum.ToScalar()
            use back = (-learningRate).ToScalar()

            for _, _, gradient in active do
                if factor < 1.0 then
                    gradient.mul_ shortened |> ignore

            for part in active do
                update one decay (if options.Momentum = 0.0 then None else Some keep) back optimizer.Momenta part

        length

    /// Copies of the momentum, under the names of the parameters that have it.
    let state (optimizer: Optimizer) : NamedArray list =
        [
            for name, _ in optimizer.Parameters do
                match optimizer.Momenta.TryGetValue name with
                | true, momentum ->
                    {
                        Name = name
                        Shape = momentum.shape |> Array.map int |> Array.toList
                        Values = Network.values momentum
                    }
                | _ -> ()
        ]

    /// Puts stored momentum back. An error names the parameter, what came and what was wanted, as
    /// (parameter, got, wanted); the optimizer has no momentum then.
    let load (stored: NamedArray list) (optimizer: Optimizer) : Result<unit, string * string * string> =
        use _off = torch.no_grad ()
        let wanted = stored |> List.map (fun array -> array.Name) |> Set.ofList

        for tensor in optimizer.Momenta.Values do
            tensor.Dispose()

        optimizer.Momenta.Clear()

        for name, parameter in optimizer.Parameters do
            if wanted.Contains name then
                optimizer.Momenta[name] <- (torch.zeros_like parameter).DetachFromDisposeScope()

        let targets =
            [
                for name, _ in optimizer.Parameters do
                    match optimizer.Momenta.TryGetValue name with
                    | true, momentum -> name, momentum
                    | _ -> ()
            ]

        match Network.assign targets stored with
        | Ok() -> Ok()
        | Error problem ->
            (optimizer :> IDisposable).Dispose()
            Error problem
