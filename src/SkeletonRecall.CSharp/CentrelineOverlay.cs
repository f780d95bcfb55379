using SkeletonRecall.Charts;

namespace SkeletonRecall.CSharp;

/// <summary>
/// Where a prediction follows the true centreline (the skeleton of the truth), misses it, or invents one (its own skeleton outside
/// the truth).
/// </summary>
public sealed class CentrelineOverlay
{
    private readonly Core.Volume<PixelClass> classes;
    private readonly CentrelineCounts counts;

    private CentrelineOverlay(Core.Volume<PixelClass> classes)
    {
        this.classes = classes;
        counts = Overlay.counts(classes);
    }

    /// <summary>The overlay of a prediction and its truth, in the plane or in space.</summary>
    /// <exception cref="ArgumentException">The extents differ.</exception>
    public static CentrelineOverlay Of(Mask prediction, Mask truth)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        return new(Overlay.classify(prediction.Core, truth.Core));
    }

    /// <summary>Voxels of true centreline that are predicted.</summary>
    public int Found => counts.Found;

    /// <summary>Voxels of true centreline that are not.</summary>
    public int Missed => counts.Missed;

    /// <summary>Voxels of predicted centreline outside the truth.</summary>
    public int Invented => counts.Invented;

    /// <summary>Missed and invented centreline as a share of all three, 0 to 1; 0 where there is none.</summary>
    public double WrongShare => Overlay.wrongShare(counts);

    /// <summary>
    /// A PNG to lie on the image, clear where nothing is drawn: found centreline blue, missed vermillion, invented yellow, the
    /// predicted area in faint blue.
    /// </summary>
    /// <param name="thick">Whether missed and invented lines grow by one pixel to each side, so that they catch the eye.</param>
    /// <exception cref="ArgumentException">It is the overlay of a volume.</exception>
    public byte[] ToPng(bool thick = true) =>
        Pipeline.Png.encode(Overlay.paint(thick ? Overlay.thicken(classes) : classes));
}
