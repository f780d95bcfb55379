namespace SkeletonRecall

open System
open TorchSharp

/// Maps that are made of masks on the CPU, such as distances, for every channel of a batch. Lengths are in voxels.
[<RequireQualifiedAccess>]
module internal ChannelMaps =

    /// Of channels of 0 and others, (B, C, spatial...) of planes or volumes, what `transform` makes of each channel's mask:
    /// as many values as voxels. The maps have the shape, type and device of `like`, which has the same shape, and no
    /// gradient.
    let map (transform: Mask -> float[]) (like: Tensor) (channels: Tensor) : Tensor =
        let shape = channels.shape

        if shape.Length <> 4 && shape.Length <> 5 then
            invalidArg "logits" $"Distances are of 2 or 3 spatial axes; the shape is %s{Tensors.shapeText shape}."

        let extent =
            shape |> Array.skip 2 |> Array.map int |> List.ofArray |> Extent.ofShape

        let bits =
            Tensors.measured (fun () ->
                Tensors.toArray<byte>((channels.detach().ne(KeptScalar.Of 0)).``to`` torch.uint8))

        let maps = Array.zeroCreate<float> bits.Length

        for channel in 0 .. bits.Length / extent.Count - 1 do
            let mask =
                Array.sub bits (channel * extent.Count) extent.Count
                |> Volume.create extent
                |> Mask.ofVolume (fun bit -> bit <> 0uy)

            let values = transform mask
            Array.Copy(values, 0, maps, channel * extent.Count, extent.Count)

        Tensors.scoped (fun () -> (Tensors.ofDoubles (List.ofArray shape) maps).``to``(like.dtype).``to`` like.device)
