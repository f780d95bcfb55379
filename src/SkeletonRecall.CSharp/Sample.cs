namespace SkeletonRecall.CSharp;

/// <summary>What a generated data set shows.</summary>
public enum SampleKind
{
    /// <summary>Trees of vessels as in a picture of the retina; grey planes.</summary>
    Vessels,

    /// <summary>Roads from above; planes in colours.</summary>
    Roads,

    /// <summary>Cracks in concrete; grey planes.</summary>
    Cracks,

    /// <summary>Trees of vessels in tissue; volumes.</summary>
    VesselTrees,

    /// <summary>A canal on either side of a jaw; volumes.</summary>
    Canal,

    /// <summary>The circle of Willis, 13 classes; volumes.</summary>
    Willis,
}

/// <summary>Data sets whose labels are known to the voxel, in planes and volumes.</summary>
public static class Sample
{
    /// <summary>
    /// One case, a square or cube; the same kind, size and seed give the same case. A voxel has the label of the tube that its
    /// centre lies in, however faint it is in the image.
    /// </summary>
    /// <param name="kind">What it shows.</param>
    /// <param name="size">Its side, 48 to 4096 pixels or 32 to 512 voxels; null for 256 or 64.</param>
    /// <param name="seed">The seed.</param>
    /// <exception cref="ArgumentException">The side is out of range.</exception>
    public static Case Draw(SampleKind kind, int? size = null, int seed = 0)
    {
        var core = ToCore(kind);
        return new(
            Pipeline.Sample.@case(core, size ?? Pipeline.Sample.standardSize(core), Pipeline.SeedModule.ofInt(seed))
        );
    }

    /// <summary>
    /// Writes a data set in nnU-Net's raw layout: imagesTr, labelsTr, imagesTs, labelsTs and dataset.json. More cases leave the
    /// first ones as they were.
    /// </summary>
    /// <param name="folder">A folder that holds nothing yet, by custom <c>Dataset001_Name</c>.</param>
    /// <param name="kind">What it shows.</param>
    /// <param name="training">Number of training cases.</param>
    /// <param name="test">Number of cases held out.</param>
    /// <param name="size">The side of the images; null for 256 pixels or 64 voxels.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="progress">Hears the share that is done.</param>
    /// <exception cref="ArgumentException">A number is out of range.</exception>
    /// <exception cref="ProblemException">The folder is not empty, or a file cannot be written.</exception>
    public static Dataset WriteDataset(
        string folder,
        SampleKind kind,
        int training,
        int test = 0,
        int? size = null,
        int seed = 0,
        IProgress<double>? progress = null
    )
    {
        ArgumentNullException.ThrowIfNull(folder);
        var core = ToCore(kind);
        return new(
            Interop.OrThrow(
                Pipeline.Sample.writeDataset(
                    core,
                    size ?? Pipeline.Sample.standardSize(core),
                    Pipeline.SeedModule.ofInt(seed),
                    training,
                    test,
                    Interop.ToReport(progress),
                    folder
                )
            )
        );
    }

    private static Pipeline.SampleKind ToCore(SampleKind kind) =>
        kind switch
        {
            SampleKind.Vessels => Pipeline.SampleKind.Vessels,
            SampleKind.Roads => Pipeline.SampleKind.Roads,
            SampleKind.Cracks => Pipeline.SampleKind.Cracks,
            SampleKind.VesselTrees => Pipeline.SampleKind.VesselTrees,
            SampleKind.Canal => Pipeline.SampleKind.Canal,
            SampleKind.Willis => Pipeline.SampleKind.Willis,
            _ => throw new ArgumentException($"{kind} is no SampleKind.", nameof(kind)),
        };
}
