namespace SkeletonRecall.CSharp;

/// <summary>What a node of a skeleton's graph is, by the number of branch ends that meet there.</summary>
public enum NodeKind
{
    /// <summary>No branch: a voxel, or a few that all touch, alone.</summary>
    Isolated,

    /// <summary>One: where a curve ends.</summary>
    End,

    /// <summary>Two: a place on a curve where the skeleton is thicker than one voxel.</summary>
    Joint,

    /// <summary>Three or more: where curves meet.</summary>
    Junction,
}

/// <summary>A node of a skeleton's graph.</summary>
/// <param name="Kind">What it is, by its degree.</param>
/// <param name="Degree">How many ends of branches meet here; a branch that comes back counts twice.</param>
/// <param name="Voxels">Row-major positions of its voxels, ascending.</param>
/// <param name="Centre">The mean of its voxels' coordinates, in voxels, slowest axis first.</param>
/// <param name="Radius">The largest distance to the background among its voxels, in mm.</param>
/// <param name="Class">The class that most of its voxels have; 0 where the graph is of a mask.</param>
/// <param name="Tunnels">Holes or tunnels that the node's own voxels close; nearly always 0.</param>
public sealed record SkeletonNode(
    NodeKind Kind,
    int Degree,
    IReadOnlyList<int> Voxels,
    IReadOnlyList<double> Centre,
    double Radius,
    int Class,
    int Tunnels
);

/// <summary>A branch of a skeleton's graph: a curve between two nodes, or a ring.</summary>
/// <param name="First">The number of the node at its first voxel; null for a ring without any node.</param>
/// <param name="Last">The number of the node at its last voxel; null for a ring without any node.</param>
/// <param name="Voxels">
/// Row-major positions along it. The first and the last are voxels of the nodes; those between (of a ring, all) are its own.
/// </param>
/// <param name="Length">The length of its steps in mm, from node to node; of a ring, once around.</param>
/// <param name="Chord">The straight distance of its first and last voxel in mm; 0 for a ring.</param>
/// <param name="Tortuosity">Length by chord: 1 for a straight branch, NaN for a ring.</param>
/// <param name="Radii">The distance to the background at each voxel, in mm.</param>
/// <param name="Class">The class that most of its own voxels have; 0 where the graph is of a mask.</param>
public sealed record SkeletonBranch(
    int? First,
    int? Last,
    IReadOnlyList<int> Voxels,
    double Length,
    double Chord,
    double Tortuosity,
    IReadOnlyList<double> Radii,
    int Class
);

/// <summary>
/// A skeleton as curves: nodes where curves end or meet, and the branches between them. Voxels that touch follow one
/// another unless another voxel of the skeleton lies in the box that the two span; junctions that touch are one node.
/// </summary>
public sealed class SkeletonGraph
{
    private readonly Core.SkeletonGraph core;

    private SkeletonGraph(Core.SkeletonGraph core)
    {
        this.core = core;
        Nodes = Array.ConvertAll(core.Nodes, ToNode);
        Branches = Array.ConvertAll(core.Branches, ToBranch);
    }

    /// <summary>The graph of the skeleton of a mask, with radii from the mask's distance transform.</summary>
    public static SkeletonGraph Of(Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        return new(Skeleton.graph(mask.Core));
    }

    /// <summary>
    /// The graph of the skeleton that a label map's tube is grown from, with radii and classes; by default that of the
    /// merged foreground.
    /// </summary>
    /// <exception cref="ArgumentException">An option is out of range, or Zhang's method is asked for on a volume.</exception>
    public static SkeletonGraph Of(LabelMap labels, TubeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(labels);
        return new(TubeGraph.ofLabels((options ?? new TubeOptions()).ToCore(), labels.Core));
    }

    /// <summary>The size of the skeleton's grid.</summary>
    public Extent Extent => new(core.Extent);

    /// <summary>Nodes in raster order of their first voxels.</summary>
    public IReadOnlyList<SkeletonNode> Nodes { get; }

    /// <summary>Branches in raster order of their first voxels; rings without a node come last.</summary>
    public IReadOnlyList<SkeletonBranch> Branches { get; }

    /// <summary>The length of all branches in mm.</summary>
    public double Length => SkeletonGraphModule.length(core);

    /// <summary>The number of components.</summary>
    public int Components => SkeletonGraphModule.components(core);

    /// <summary>The number of independent rings of branches.</summary>
    public int Cycles => SkeletonGraphModule.cycles(core);

    /// <summary>The skeleton that the graph was made of.</summary>
    public Mask ToMask() => new(SkeletonGraphModule.toMask(core));

    /// <summary>The nodes as CSV, a line each: kind, degree, class, place and radius.</summary>
    public string NodesCsv() => Pipeline.GraphText.nodes(core);

    /// <summary>The branches as CSV, a line each: ends, class, length in mm, chord, tortuosity and radii.</summary>
    public string BranchesCsv() => Pipeline.GraphText.branches(core);

    /// <summary>Nodes and branches as JSON, with the coordinates of their voxels.</summary>
    public string ToJson() => Pipeline.GraphText.json(core);

    private static SkeletonNode ToNode(Core.SkeletonNode node) =>
        new(
            node.Kind.IsIsolated ? NodeKind.Isolated
                : node.Kind.IsEnd ? NodeKind.End
                : node.Kind.IsJoint ? NodeKind.Joint
                : NodeKind.Junction,
            node.Degree,
            Array.AsReadOnly(node.Voxels),
            Interop.FromList(node.Centre),
            node.Radius,
            node.Class,
            node.Tunnels
        );

    private static SkeletonBranch ToBranch(Core.SkeletonBranch branch) =>
        new(
            Interop.ToReference(branch.Ends)?.Item1,
            Interop.ToReference(branch.Ends)?.Item2,
            Array.AsReadOnly(branch.Voxels),
            branch.Length,
            branch.Chord,
            SkeletonGraphModule.tortuosity(branch),
            Array.AsReadOnly(branch.Radii),
            branch.Class
        );
}
