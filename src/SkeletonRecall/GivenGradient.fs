namespace SkeletonRecall

#nowarn "9" // Kernels get the memory of tensors.

open System
open System.Collections.Generic
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open Microsoft.FSharp.NativeInterop
open TorchSharp

/// A gradient that goes to the engine as it is, and refuses to be differentiated.
type internal RefusedGradient = { Loss: string; Gradient: Tensor }

/// The gradient as a function of the scores that cannot be differentiated. Its arguments: `GivenState.Edge`, and a
/// `RefusedGradient`.
[<Sealed>]
type internal RefusingFunction() =
    inherit torch.autograd.SingleTensorFunction<RefusingFunction>()

    override _.Name = "SkeletonRecall.RefusingFunction"

    override _.forward(context: torch.autograd.AutogradContext, arguments: obj[]) : Tensor =
        let state = arguments[1] :?> RefusedGradient
        context.save_data ("loss", state.Loss)
        state.Gradient.clone ()

    override _.backward(context: torch.autograd.AutogradContext, slope: Tensor) : List<Tensor> =
        let loss = string (context.get_data "loss")

        let sentence =
            $"The gradient of %s{loss} is written by hand and can be differentiated once: second derivatives are not offered."

        let result =
            GradientCallback.run (Some sentence) (fun () ->
                use slope = slope
                // Should the error ever be lost, nothing that looks like a derivative is left.
                torch.tensor (nan, dtype = slope.dtype, device = slope.device))

        List<Tensor> [ result; Unchecked.defaultof<Tensor> ]

/// A gradient that is zero but at some places of each sample.
type internal ScatteredGradient =
    {
        /// (channels, places of all samples).
        Values: Tensor
        /// Places within a sample and channel, sample after sample, int32.
        Places: Tensor
        /// Where each sample's places begin; one more than samples.
        Starts: int[]
    }

/// Scattered gradients as dense ones.
[<RequireQualifiedAccess>]
module internal ScatteredGradient =

    let private write<'T when 'T: unmanaged>
        (channels: int)
        (starts: int[])
        (values: nativeint)
        (places: nativeint)
        (count: int)
        (dense: nativeint)
        : unit =
        let total = starts[starts.Length - 1]

        for sample in 0 .. starts.Length - 2 do
            let start, length = starts[sample], starts[sample + 1] - starts[sample]
            let here = TensorMemory.span<int> places (int64 start) length

            for channel in 0 .. channels - 1 do
                let row =
                    TensorMemory.span<'T> dense (int64 (sample * channels + channel) * int64 count) count

                let from =
                    TensorMemory.span<'T> values (int64 channel * int64 total + int64 start) length

                for at in 0 .. length - 1 do
                    row[here[at]] <- from[at]

    /// The gradient of the given shape, zero but for the values at their places.
    let spread (shape: int64[]) (starts: int[]) (values: Tensor) (places: Tensor) : Tensor =
        let dense = torch.zeros (shape, dtype = values.dtype)
        let samples, channels = int shape[0], int shape[1]

        if starts[samples] > 0 then
            let count = int (dense.numel () / int64 samples / int64 channels)

            let write =
                if values.dtype = torch.float32 then
                    write<float32>
                else
                    write<float>

            write
                channels
                starts
                (TensorMemory.address values)
                (TensorMemory.address places)
                count
                (TensorMemory.address dense)

        dense

/// A gradient by scores.
[<RequireQualifiedAccess>]
type internal GivenValues =
    /// Of the scores' shape.
    | Dense of Tensor
    | Scattered of ScatteredGradient

/// A value and its gradient.
type internal GivenState =
    {
        Loss: string
        Value: Tensor
        Gradient: GivenValues
        /// Of the scores.
        Shape: int64[]
        /// A zero that depends on the scores, for the gradient to depend on them.
        Edge: Tensor
    }

/// What a backward must know beside tensors.
type internal GivenLayout =
    {
        Loss: string
        Shape: int64[]
        /// Of a scattered gradient.
        Starts: int[] option
    }

/// A value with a given gradient. Its arguments: scores and a `GivenState`.
[<Sealed>]
type internal GivenFunction() =
    inherit torch.autograd.SingleTensorFunction<GivenFunction>()

    override _.Name = "SkeletonRecall.GivenGradient"

    override _.forward(context: torch.autograd.AutogradContext, arguments: obj[]) : Tensor =
        let state = arguments[1] :?> GivenState

        let tensors, starts =
            match state.Gradient with
            | GivenValues.Dense gradient -> [ gradient ], None
            | GivenValues.Scattered gradient -> [ gradient.Values; gradient.Places ], Some gradient.Starts

        context.save_for_backward (List<Tensor>(state.Edge :: tensors))

        context.save_data (
            "layout",
            {
                Loss = state.Loss
                Shape = state.Shape
                Starts = starts
            }
        )

        state.Value.clone ()

    override _.backward(context: torch.autograd.AutogradContext, slope: Tensor) : List<Tensor> =
        let result =
            GradientCallback.run None (fun () ->
                use slope = slope
                let layout = context.get_data "layout" :?> GivenLayout
                let saved = context.get_saved_variables ()
                let factor = Tensors.item slope

                let scaled =
                    if factor = 1.0 then
                        saved[1]
                    else
                        use number: Scalar = Scalar.op_Implicit factor
                        saved[1] * number

                let gradient =
                    match layout.Starts with
                    | None -> scaled
                    | Some starts -> ScatteredGradient.spread layout.Shape starts scaled saved[2]

                if torch.is_grad_enabled () then
                    RefusingFunction.apply (
                        box saved[0],
                        box
                            {
                                Loss = layout.Loss
                                Gradient = gradient
                            }
                    )
                else
                    gradient)

        List<Tensor> [ result; Unchecked.defaultof<Tensor> ]

/// Scalars whose gradient was computed by hand.
[<RequireQualifiedAccess>]
module internal GivenGradient =

    /// A scalar of the given value whose gradient by the scores (of any shape) is the given one. It refuses to be
    /// differentiated twice, in the name of the loss.
    let attach (loss: string) (value: Tensor) (scores: Tensor) (gradient: GivenValues) : Tensor =
        Tensors.scoped (fun () ->
            GivenFunction.apply (
                box scores,
                box
                    {
                        Loss = loss
                        Value = value
                        Gradient = gradient
                        Shape = scores.shape
                        Edge = scores.flatten().narrow(0L, 0L, 0L).sum()
                    }
            ))
