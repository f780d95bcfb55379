namespace FacadeTests;

internal static class SkeletonGraphTests
{
    internal static Test All =>
        Runner.TestList(
            "SkeletonGraph",
            [
                Runner.TestCase("a T in C#'s words", OfMask),
                Runner.TestCase("label maps have classes", OfLabels),
                Runner.TestCase("a ring has no ends", Ring),
                Runner.TestCase("spurs are pruned", Prune),
            ]
        );

    private static readonly LabelMap Tee = Check.Labels(
        "111111111",
        "....2....",
        "....2....",
        "....2....",
        "....2....",
        "....2...."
    );

    private static void OfMask()
    {
        var graph = SkeletonGraph.Of(Tee.Foreground());
        Check.Equal(graph.Extent, Extent.Plane(6, 9), "extent");
        Check.Equal(graph.Nodes.Count(node => node.Kind == NodeKind.End), 3, "ends");
        var junction = graph.Nodes.Single(node => node.Kind == NodeKind.Junction);
        Check.Equal(junction.Degree, 3, "degree");
        Check.Same(junction.Voxels, [4], "voxels");
        Check.Same(junction.Centre, [0.0, 4.0], "centre");
        Check.Equal(graph.Branches.Count, 3, "branches");
        Check.Equal(graph.Components, 1, "components");
        Check.Equal(graph.Cycles, 0, "cycles");
        Check.Close(graph.Length, 13, 1e-12, "4 + 4 + 5 steps");
        Check.True(graph.ToMask().SameAs(Tee.Foreground().Skeletonize()), "the skeleton again");
        var down = graph.Branches.Single(branch => branch.Voxels.Contains(22));
        Check.Same(down.Voxels, [4, 13, 22, 31, 40, 49], "voxels in order");
        Check.Equal(down.Tortuosity, 1.0, "straight");
        Check.Equal(down.Radii.Count, 6, "radii");
        Check.Equal(graph.Nodes[down.First!.Value].Kind, NodeKind.Junction, "from the junction");
        Check.Equal(graph.Nodes[down.Last!.Value].Kind, NodeKind.End, "to an end");
        var core = Core.Skeleton.graph(
            Core.Tube.binarize(Core.Volume.create(Core.ExtentModule.plane(6, 9), Tee.ToArray()))
        );
        Check.Equal(graph.NodesCsv(), Pipeline.GraphText.nodes(core), "nodes");
        Check.Equal(graph.BranchesCsv(), Pipeline.GraphText.branches(core), "branches");
        Check.Equal(graph.ToJson(), Pipeline.GraphText.json(core), "JSON");
    }

    private static void OfLabels()
    {
        var graph = SkeletonGraph.Of(Tee);
        Check.Same(graph.Branches.Select(branch => branch.Class).Order(), [1, 1, 2], "classes");
        var classes = SkeletonGraph.Of(Tee, new() { SkeletonOf = SkeletonOf.EachClass });
        Check.Equal(classes.Components, 2, "each class by itself");
        Check.Equal(classes.Branches.Count, 2, "two curves");
    }

    private static void Ring()
    {
        var ring = SkeletonGraph.Of(Check.Labels(".....", "..1..", ".1.1.", "..1..", ".....").Foreground());
        var branch = ring.Branches.Single();
        Check.True(branch.First is null && branch.Last is null, "no ends");
        Check.True(double.IsNaN(branch.Tortuosity), "tortuosity");
        Check.Equal(ring.Cycles, 1, "cycles");
    }

    private static void Prune()
    {
        var skeleton = Tee.Foreground();
        Check.Equal(skeleton.Prune(4.5).Count, 10, "a tip of four steps");
        Check.True(skeleton.Prune(0).SameAs(skeleton), "nothing");
        Check.Contains(Check.Throws<ArgumentException>(() => skeleton.Prune(-1)).Message, "-1");
    }
}
