namespace SkeletonRecall

open System
open TorchSharp

/// What the focal loss may be told.
type FocalOptions =
    {
        /// How strongly what is already right counts less; finite, at least 0, 2 by default; 0 is cross-entropy.
        Gamma: float
        /// The weight of foreground, in 0..1, where background has 1 less this; none by default: both count in full.
        Alpha: float option
    }

/// The focal loss: -(1 - p)^gamma log p of the probability p of what is true, the mean over what counts (T.-Y. Lin et al.,
/// "Focal Loss for Dense Object Detection", ICCV 2017).
[<RequireQualifiedAccess>]
module Focal =

    /// The paper's gamma of 2; no weights of foreground and background.
    let standard: FocalOptions = { Gamma = 2.0; Alpha = None }

    /// Throws ArgumentException for options out of range.
    let internal requireOptions (options: FocalOptions) : unit =
        if not (Double.IsFinite options.Gamma && options.Gamma >= 0.0) then
            invalidArg (nameof options) $"Gamma is a finite number of at least 0; got %g{options.Gamma}."

        match options.Alpha with
        | Some alpha when not (alpha >= 0.0 && alpha <= 1.0) ->
            invalidArg (nameof options) $"Alpha lies in 0..1; got %g{alpha}."
        | _ -> ()

    /// The log of the probability of what is true, and where that is foreground: of classes one channel, of regions all.
    let private truthful (scores: Tensor) (target: Target) : struct (Tensor * Tensor) =
        match target.Truth with
        | Classes ids ->
            let logs = scores.log_softmax 1L
            struct (logs.gather (1L, ids.``to`` torch.int64), ids.ne (KeptScalar.Of 0))
        | Regions channels ->
            let inside = channels.ne (KeptScalar.Of 0)
            let towards = torch.where (inside, scores, scores.neg ())
            struct (torch.nn.functional.logsigmoid towards, inside)

    /// The focal loss of logits (B, C, spatial...): against classes the mean over the voxels that count (target.Valid),
    /// against regions over those voxels and all regions; at least 0, computed in float32 for half precision; 0 with a
    /// zero gradient where none counts. Throws ArgumentException for options out of range, shapes, ids and channels that
    /// do not fit, and logits of which NaN or infinity makes the loss NaN.
    let loss (options: FocalOptions) (logits: Tensor) (target: Target) : Tensor =
        requireOptions options
        Target.require logits target

        Tensors.scoped (fun () ->
            let scores = Tensors.atLeastSingle logits
            let struct (logs, foreground) = truthful scores target

            let focused =
                if options.Gamma = 0.0 then
                    logs.neg ()
                else
                    // 1 - p without cancellation; bounded, for a power below 1 has no slope at 0.
                    let wrong = logs.expm1().neg().clamp_min(KeptScalar.Of 1e-12)
                    wrong.pow(KeptScalar.Of options.Gamma).mul(logs).neg()

            let each =
                match options.Alpha with
                | None -> focused
                | Some alpha ->
                    let share = foreground.``to`` scores.dtype

                    focused
                    * KeptScalar.Sum(share * KeptScalar.Of(2.0 * alpha - 1.0), KeptScalar.Of(1.0 - alpha))

            let result =
                match Target.counts scores.dtype target with
                | None -> each.mean ()
                | Some valid ->
                    let number = valid.sum().mul(KeptScalar.Of each.shape[1])
                    (each * valid).sum() / number.clamp_min (KeptScalar.Of 1.0)

            Target.requireFinite logits result
            result)
