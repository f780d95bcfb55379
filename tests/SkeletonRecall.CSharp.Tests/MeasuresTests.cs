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
        Check.Contains(
            Check.Throws<ArgumentException>(() => Betti.Measure(Mask.FromArray(shell), Connectivity.Eighteen)).Message,
            "Connectivity 18 has no dual here"
        );
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
}
