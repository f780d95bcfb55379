namespace SkeletonRecall.CSharp;

/// <summary>
/// What one head of a network should have said: labels, tubed skeleton and which voxels count, as tensors. Disposing it
/// frees them.
/// </summary>
public sealed class Target : IDisposable
{
    internal Target(Core.Target core) => Core = core;

    internal Core.Target Core { get; }

    /// <summary>Class ids of any integer type, (B, 1, spatial...): no skeleton, every voxel counts.</summary>
    public static Target FromIds(Tensor ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return new(TargetModule.ofClasses(ids));
    }

    /// <summary>One channel of 0 and 1 per region, (B, R, spatial...); regions may overlap.</summary>
    public static Target FromRegions(Tensor channels)
    {
        ArgumentNullException.ThrowIfNull(channels);
        return new(new Core.Target(Truth.NewRegions(channels), null, null));
    }

    /// <summary>
    /// One-hot classes (B, C, spatial...), the background's channel first: no skeleton, every voxel counts. The target has
    /// class ids of its own.
    /// </summary>
    /// <exception cref="ArgumentException">A voxel has other than one channel of 1 and others of 0.</exception>
    public static Target FromOneHot(Tensor channels)
    {
        ArgumentNullException.ThrowIfNull(channels);
        return new(TargetModule.ofOneHot(channels));
    }

    /// <summary>
    /// The target of a batch of label maps of one size, with their tubed skeletons when <paramref name="tube"/> is given.
    /// </summary>
    /// <exception cref="ArgumentException">There is no label map, or their extents differ.</exception>
    public static Target FromLabels(IEnumerable<LabelMap> batch, TubeOptions? tube = null)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var maps = batch.ToArray();
        if (maps.Length == 0)
        {
            throw new ArgumentException("A batch holds at least one label map; got none.", nameof(batch));
        }
        foreach (var map in maps)
        {
            ExtentModule.requireEqual(nameof(batch), maps[0].Core.Extent, map.Core.Extent);
        }
        var target = FromIds(Stack(maps));
        return tube is null ? target : target.WithSkeleton(Stack(Array.ConvertAll(maps, map => map.ToTube(tube))));
    }

    /// <summary>The target of one label map, as a batch of one.</summary>
    public static Target FromLabels(LabelMap labels, TubeOptions? tube = null) => FromLabels([labels], tube);

    /// <summary>
    /// The same target with a tubed skeleton: of classes, ids (B, 1, spatial...), 0 off the tube, or one channel of 0 and 1 per
    /// class, (B, C, spatial...); of regions, one channel per region.
    /// </summary>
    public Target WithSkeleton(Tensor skeleton)
    {
        ArgumentNullException.ThrowIfNull(skeleton);
        return new(TargetModule.withSkeleton(skeleton, Core));
    }

    /// <summary>The same target with (B, 1, spatial...), 1 where a voxel counts and 0 where it is ignored.</summary>
    public Target WithValid(Tensor valid)
    {
        ArgumentNullException.ThrowIfNull(valid);
        return new(TargetModule.withValid(valid, Core));
    }

    /// <summary>The class ids; null for a target of regions.</summary>
    public Tensor? Ids => Core.Truth is Truth.Classes classes ? classes.ids : null;

    /// <summary>The regions' channels; null for a target of class ids.</summary>
    public Tensor? Regions => Core.Truth is Truth.Regions regions ? regions.channels : null;

    /// <summary>The tubed skeleton; null where there is none.</summary>
    public Tensor? Skeleton => Interop.ToReference(Core.Skeleton);

    /// <summary>1 where a voxel counts; null where every voxel does.</summary>
    public Tensor? Valid => Interop.ToReference(Core.Valid);

    /// <summary>The same target on another device, in tensors of its own.</summary>
    public Target To(torch.Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return new(TargetModule.toDevice(device, Core));
    }

    /// <summary>Frees the tensors.</summary>
    public void Dispose() => TargetModule.dispose(Core);

    private static Tensor Stack(LabelMap[] maps)
    {
        var shape = maps[0].Extent.Shape.Select(size => (long)size);
        var values = maps.SelectMany(map => map.Core.Data).ToArray();
        return Tensors.ofInt16(Interop.ToList<long>([maps.Length, 1, .. shape]), values);
    }
}
