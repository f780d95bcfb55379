namespace SkeletonRecall.CSharp;

/// <summary>Where networks are computed. All but the processor is untried.</summary>
public enum Device
{
    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>The first GPU by CUDA.</summary>
    Cuda,

    /// <summary>The GPU of Apple's processors.</summary>
    Mps,
}

/// <summary>
/// The numbers that convolutions are computed in. Weights, momentum and losses are of single precision whatever this is.
/// </summary>
public enum Precision
{
    /// <summary>Single precision.</summary>
    Float32,

    /// <summary>The upper half of a single; for CUDA alone.</summary>
    Bfloat16,

    /// <summary>Half precision, with a scaled loss; for CUDA alone.</summary>
    Float16,
}

internal static class Devices
{
    internal static Pipeline.Device ToCore(this Device device) =>
        device switch
        {
            Device.Cpu => Pipeline.Device.Cpu,
            Device.Cuda => Pipeline.Device.Cuda,
            Device.Mps => Pipeline.Device.Mps,
            _ => throw new ArgumentOutOfRangeException(nameof(device), device, "A device is Cpu, Cuda or Mps."),
        };

    internal static Device FromCore(this Pipeline.Device device) =>
        device.IsCuda ? Device.Cuda
        : device.IsMps ? Device.Mps
        : Device.Cpu;

    internal static Pipeline.Precision ToCore(this Precision precision) =>
        precision switch
        {
            Precision.Float32 => Pipeline.Precision.Float32,
            Precision.Bfloat16 => Pipeline.Precision.Bfloat16,
            Precision.Float16 => Pipeline.Precision.Float16,
            _ => throw new ArgumentOutOfRangeException(
                nameof(precision),
                precision,
                "A precision is Float32, Bfloat16 or Float16."
            ),
        };

    internal static Precision FromCore(this Pipeline.Precision precision) =>
        precision.IsBfloat16 ? Precision.Bfloat16
        : precision.IsFloat16 ? Precision.Float16
        : Precision.Float32;
}
