namespace SkeletonRecall.CSharp;

/// <summary>How synthetic vessel images are drawn. Lengths are in pixels, brightness in grey levels of 0..255.</summary>
public sealed record VesselOptions
{
    /// <summary>Number of rows; 256 by default.</summary>
    public int Height { get; init; } = 256;

    /// <summary>Number of columns; 256 by default.</summary>
    public int Width { get; init; } = 256;

    /// <summary>Number of trees, 3 by default; each enters from the border, so that they cross.</summary>
    public int Trees { get; init; } = 3;

    /// <summary>Radius of a tree at its root; 3.8 by default.</summary>
    public double RootRadius { get; init; } = 3.8;

    /// <summary>Radius of the thinnest branches, at least 0.75; 0.8 by default.</summary>
    public double TipRadius { get; init; } = 0.8;

    /// <summary>How much darker than the background the middle of a thick vessel is; 70 by default.</summary>
    public double Contrast { get; init; } = 70;

    /// <summary>Share of the contrast that is left at the end of the thinnest branches, 0..1; 0.5 by default.</summary>
    public double Faintness { get; init; } = 0.5;

    /// <summary>Standard deviation of the optical blur; 0.8 by default.</summary>
    public double Blur { get; init; } = 0.8;

    /// <summary>Standard deviation of the noise; 8 by default.</summary>
    public double Noise { get; init; } = 8;

    /// <summary>How far the illumination wanders from its mean; 25 by default.</summary>
    public double Unevenness { get; init; } = 25;

    /// <summary>Number of dark and bright spots that are no vessels; 14 by default.</summary>
    public int Blobs { get; init; } = 14;

    internal Pipeline.VesselOptions ToCore() =>
        new(
            Extent.Plane(Height, Width).Core,
            Trees,
            RootRadius,
            TipRadius,
            Contrast,
            Faintness,
            Blur,
            Noise,
            Unevenness,
            Blobs
        );
}

/// <summary>Images with known labels: vessel trees as in a picture of the retina.</summary>
public static class Synthetic
{
    /// <summary>One grey image with its labels 0 and 1; the same options and seed give the same case.</summary>
    /// <exception cref="ArgumentException">Options are out of range.</exception>
    public static Case Vessels(VesselOptions? options = null, int seed = 0) =>
        new(Pipeline.Synthetic.vessels((options ?? new()).ToCore(), Pipeline.SeedModule.ofInt(seed)));

    /// <summary>
    /// Writes a data set of vessel images in nnU-Net's raw layout into a folder, whose name should be
    /// <c>Dataset</c>, three digits and <c>_Name</c>.
    /// </summary>
    /// <exception cref="ArgumentException">Options are out of range, or there would be no case.</exception>
    /// <exception cref="ProblemException">A file cannot be written.</exception>
    public static Dataset WriteDataset(
        string folder,
        int training,
        int test = 0,
        VesselOptions? options = null,
        int seed = 0
    )
    {
        ArgumentNullException.ThrowIfNull(folder);
        var core = (options ?? new()).ToCore();
        var random = Pipeline.SeedModule.ofInt(seed);
        return new(Interop.OrThrow(Pipeline.Synthetic.writeDataset(core, random, training, test, folder)));
    }
}
