namespace SkeletonRecall.CSharp;

/// <summary>
/// libtorch, the native library behind tensors. Everything here that takes or makes tensors loads it by itself; array code
/// (masks, skeletons, tubes, measures) never does.
/// </summary>
public static class LibTorch
{
    /// <summary>
    /// Loads libtorch, once. Call it before TorchSharp is used on its own, as in <c>torch.zeros</c>, when nothing of this
    /// library has met a tensor yet: on older systems TorchSharp alone does not find its way.
    /// </summary>
    /// <exception cref="DllNotFoundException">libtorch cannot be loaded; the message says what is missing.</exception>
    public static void Ensure() => SkeletonRecall.LibTorch.ensure();
}
