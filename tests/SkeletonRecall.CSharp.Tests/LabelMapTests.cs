namespace FacadeTests;

internal static class LabelMapTests
{
    internal static Test All =>
        Runner.TestList(
            "LabelMap",
            [
                Runner.TestCase("a tube of two classes", Tubes),
                Runner.TestCase("values are copied", Copies),
                Runner.TestCase("volumes", Volumes),
                Runner.TestCase("masks of classes", Masks),
                Runner.TestCase("options of tubes", Options),
                Runner.TestCase("messages", Messages),
            ]
        );

    private static void Tubes()
    {
        var labels = Check.Labels(
            "...............",
            ".1111111222222.",
            ".1111111222222.",
            ".1111111222222.",
            ".1111111222222.",
            ".1111111222222.",
            "...............",
            "3333333333....."
        );
        // The pictures were made by a plain program that applies scikit-image's table pixel by pixel.
        var bare = labels.ToTube(new() { Radius = 0 });
        string[] wanted =
        [
            "...............",
            "...............",
            "...........22..",
            "...11111222....",
            "...............",
            "...............",
            "...............",
            "3333333333.....",
        ];
        Check.Same(Check.Picture(bare), wanted, "the bare skeleton");

        wanted =
        [
            "...............",
            "...........22..",
            "...11111222222.",
            "..11111122222..",
            "...11111222....",
            "...............",
            "...............",
            "3333333333.....",
        ];
        Check.Same(Check.Picture(labels.ToTube(new() { Radius = 1 })), wanted, "one step of the cross");
        Check.True(labels.ToTube().SameAs(labels.ToTube(new() { Radius = 2 })), "the default radius is 2");
        Check.True(
            labels.Foreground().Skeletonize().Dilate(2) is var grown && labels.Within(grown).SameAs(labels.ToTube()),
            "the steps one by one"
        );
    }

    private static void Copies()
    {
        short[] values = [0, 1, 2, 3];
        var labels = new LabelMap(Extent.Plane(2, 2), values);
        values[0] = 7;
        labels.ToArray()[1] = 7;
        Check.Same(labels.Labels.ToArray(), new short[] { 0, 1, 2, 3 }, "unchanged");
        Check.Same(labels.Spacing, [1.0, 1.0], "spacing");
    }

    private static void Volumes()
    {
        var values = new short[3, 4, 5];
        values[1, 2, 3] = 4;
        var labels = LabelMap.FromArray(values);
        Check.Equal(labels.Extent, Extent.Space(3, 4, 5), "extent");
        Check.Equal(labels[1, 2, 3], (short)4, "voxel");
        Check.True(labels.ToTube().SameAs(labels), "a single voxel is its own tube");
    }

    private static void Masks()
    {
        var labels = Check.Labels("0120", "2210");
        Check.Equal(labels.MaskOf(2).Count, 3, "class 2");
        Check.Equal(labels.Foreground().Count, 5, "foreground");
    }

    private static void Options()
    {
        var labels = Check.Labels("1112", "1112", "1112");
        var each = labels.ToTube(new() { SkeletonOf = SkeletonOf.EachClass, Radius = 0 });
        Check.True(each.MaskOf(2).Count > 0 && each.MaskOf(1).Count > 0, "each class has a skeleton");
        var ignored = labels.ToTube(new() { Ignore = 2 });
        Check.Equal(ignored.MaskOf(2).Count, 0, "ignored");
        var ball = labels.ToTube(
            new()
            {
                BallRadius = 1.5,
                Guard = true,
                Thinning = Thinning.Lee,
            }
        );
        Check.True(
            ball.SameAs(labels.Within(labels.Foreground().Skeletonize(Thinning.Lee, true).DilateBall(1.5))),
            "ball"
        );
        var regions = labels.ToRegionTubes(
            [
                [1, 2],
                [2],
            ],
            new() { Radius = 16 }
        );
        Check.Same(regions.Select(region => region.Count), [12, 3], "regions");
        var all = new TubeOptions
        {
            BallRadius = 2.5,
            Radius = 0,
            SkeletonOf = SkeletonOf.EachClass,
            Ignore = 3,
            Guard = true,
            Prune = 1.5,
            Thinning = Thinning.Zhang,
        };
        Check.Equal(Objective.SkeletonRecall.WithTube(all).Tube, all, "there and back");
    }

    private static void Messages()
    {
        var labels = Check.Labels("01");
        Check.Contains(
            Check.Throws<ArgumentException>(() => labels.ToTube(new() { Radius = -1 })).Message,
            "The radius of a tube is 0 to 16 steps; got -1."
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => new LabelMap(Extent.Plane(2, 2), [1])).Message,
            "2 x 2 needs 4 values; the array holds 1."
        );
        Check.Contains(Check.Throws<ArgumentException>(() => labels.Save("x.gif")).Message, ".png, .bmp, .tif");
    }
}
