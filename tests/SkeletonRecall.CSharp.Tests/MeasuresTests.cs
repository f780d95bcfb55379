namespace FacadeTests;

internal static class MeasuresTests
{
    internal static Test All =>
        Runner.TestList(
            "Measures",
            [
                Runner.TestCase("overlap", Overlaps),
                Runner.TestCase("Betti numbers", Holes),
                Runner.TestCase("centreline", Centrelines),
                Runner.TestCase("names", Names),
                Runner.TestCase("profiles", Profiles),
                Runner.TestCase("measures of masks and label maps", Values),
            ]
        );

    private static void Overlaps()
    {
        var prediction = Check.Labels("1110").Foreground();
        var truth = Check.Labels("0111").Foreground();
        var overlap = Overlap.Measure(prediction, truth);
        Check.Equal(overlap, new Overlap(2, 1, 1, 0), "counts");
        Check.Close(overlap.Dice, 2.0 / 3, 1e-15, "Dice");
        Check.Close(overlap.Precision, 2.0 / 3, 1e-15, "precision");
        Check.Close(overlap.Recall, 2.0 / 3, 1e-15, "recall");
        Check.Close(overlap.IoU, 0.5, 1e-15, "IoU");
        var empty = Mask.Empty(truth.Extent);
        Check.True(double.IsNaN(Overlap.Measure(empty, empty).Dice), "two empty masks");
    }

    private static void Holes()
    {
        var ring = Check.Labels(".....", ".111.", ".1.1.", ".111.", ".....").Foreground();
        var corners = Check.Labels(".....", "..1..", ".1.1.", "..1..", ".....").Foreground();
        Check.Equal(Betti.Measure(ring), new Betti(1, 1, 0), "a ring");
        Check.Equal(Betti.Measure(corners), new Betti(1, 1, 0), "a ring by corners");
        Check.Equal(Betti.Measure(corners, Connectivity.Four), new Betti(4, 0, 0), "four pixels");
        Check.Equal(Betti.Errors(Mask.Empty(ring.Extent), ring), new Betti(1, 1, 0), "nothing found");

        var shell = new bool[5, 5, 5];
        for (var voxel = 0; voxel < 27; voxel++)
        {
            shell[1 + voxel / 9, 1 + voxel / 3 % 3, 1 + voxel % 3] = voxel != 13;
        }
        Check.Equal(Betti.Measure(Mask.FromArray(shell)), new Betti(1, 0, 1), "a hollow cube");
        Check.Equal(Betti.Measure(Mask.FromArray(shell), Connectivity.Eighteen), new Betti(1, 0, 1), "by 18");
    }

    private static void Centrelines()
    {
        var whole = Check.Labels("......", "111111", "......").Foreground();
        var half = Check.Labels("......", "111...", "......").Foreground();
        var measured = Centreline.Measure(half, whole);
        Check.Equal(measured.Precision, 1.0, "precision");
        Check.Equal(measured.Sensitivity, 0.5, "sensitivity");
        Check.Close(measured.ClDice, 2.0 / 3, 1e-15, "clDice");
    }

    private static void Names()
    {
        foreach (var measure in Enum.GetValues<Measure>())
        {
            Check.True(MeasureInfo.TryParse(measure.Name(), out var back, out _), $"{measure}");
            Check.Equal(back, measure, "by its name");
        }
        Check.Equal(Enum.GetValues<Measure>().Length, Core.MeasureModule.all.Length, "as many as the core has");
        Check.Equal(Measure.ClDice.Name(), "clDice", "name");
        Check.Equal(Measure.HausdorffDistance95.Unit(), "mm", "unit");
        Check.Equal(Measure.B0Error.Better(), Better.Lower, "direction");
        Check.True(!MeasureInfo.TryParse("dyce", out _, out var reason), "unknown");
        Check.Contains(reason!, "clDice");
    }

    private static void Profiles()
    {
        Check.True(Profile.TryParse("toothfairy", out var found, out _), "known");
        Check.Equal(found!.Name, Profile.ToothFairy.Name, "name");
        Check.True(!Profile.TryParse("paperclip", out _, out var reason), "unknown");
        Check.Contains(reason!, "topcow");
        Check.Equal(Profile.Paper.Window, null, "the whole image");
        Check.Equal(Profile.Paper.WithWindow(64).Window, 64, "windows");
        Check.Equal(Profile.Paper.WithSurfaceTolerance(2).SurfaceTolerance, 2.0, "tolerance");
        Check.Contains(Check.Throws<ArgumentException>(() => Profile.Paper.WithConnectivity("8/8")).Message, "18/6");
        Check.Throws<ArgumentException>(() => Profile.Paper.WithWindow(0));
        Check.Throws<ArgumentException>(() => Profile.Paper.WithSurfaceTolerance(-1));
    }

    private static void Values()
    {
        var truth = Check.Labels("......", "111111", ".....2");
        var prediction = Check.Labels("......", "11.111", "......");
        Measure[] wanted = [Measure.Dice, Measure.B0Error, Measure.BettiMatching];
        var pair = Measures.OfPair(
            Profile.Paper,
            wanted,
            Check.Labels("11.111").Foreground(),
            Check.Labels("111111").Foreground()
        );
        Check.Same(pair.Keys.Order(), wanted.Order(), "measures");
        Check.Close(pair[Measure.Dice], 10.0 / 11, 1e-15, "Dice");
        Check.Equal(pair[Measure.B0Error], 1.0, "one part too many");
        var all = Measures.OfLabels(Profile.Paper, wanted, [1, 2], prediction, truth);
        Check.Close(all.Classes[1][Measure.Dice], 10.0 / 11, 1e-15, "class 1");
        Check.Equal(all.Classes[2][Measure.Dice], 0.0, "class 2");
        Check.Close(all.Mean[Measure.Dice], 5.0 / 11, 1e-15, "mean");
        Check.Close(all.Merged[Measure.Dice], 10.0 / 12, 1e-15, "merged");
        var diagonal = Check.Labels("1.", ".1").Foreground();
        Check.Equal(
            Measures.OfPair(Profile.Paper.WithConnectivity("4/8"), [Measure.B0Predicted], diagonal, diagonal)[
                Measure.B0Predicted
            ],
            2.0,
            "by four neighbours"
        );
    }
}
