using System.Diagnostics;

namespace FacadeTests;

internal static class MaskTests
{
    internal static Test All =>
        Runner.TestList(
            "Mask",
            [
                Runner.TestCase("array code does not load libtorch", WithoutLibTorch),
                Runner.TestCase("values go in and come out", RoundTrip),
                Runner.TestCase("sets", Sets),
                Runner.TestCase("dilation, skeleton and components are the core's", SameAsCore),
                Runner.TestCase("extents", Extents),
                Runner.TestCase("messages", Messages),
            ]
        );

    private static bool LibTorchIsLoaded()
    {
        using var process = Process.GetCurrentProcess();
        return process.Modules.Cast<ProcessModule>().Any(module => module.ModuleName.Contains("torch_cpu"));
    }

    private static void WithoutLibTorch()
    {
        if (LibTorchIsLoaded())
        {
            return; // Another test came first, under a filter or a seed of the runner's.
        }
        var labels = Synthetic.Vessels(new() { Height = 48, Width = 48 }).Labels!;
        var mask = labels.Foreground();
        _ = labels.ToTube();
        _ = Betti.Measure(mask);
        _ = Centreline.Measure(mask, mask.Dilate(1));
        Check.True(!LibTorchIsLoaded(), "libtorch is not in the process");
    }

    private static void RoundTrip()
    {
        var mask = Mask.FromArray(
            new[,]
            {
                { true, false, true },
                { false, false, true },
            }
        );
        Check.Equal(mask.Extent, Extent.Plane(2, 3), "extent");
        Check.Equal(mask.Count, 3, "count");
        Check.Same(mask.ToArray(), [true, false, true, false, false, true], "values");
        Check.True(mask[0, 2] && !mask[1, 1], "single pixels");
        Check.True(mask.SameAs(Mask.FromArray(mask.Extent, mask.ToArray())), "flat array");

        var cube = new bool[2, 3, 4];
        cube[1, 2, 3] = true;
        var volume = Mask.FromArray(cube);
        Check.Equal(volume.Extent, Extent.Space(2, 3, 4), "extent of a volume");
        Check.True(volume[1, 2, 3] && volume.Count == 1, "single voxel");
    }

    private static void Sets()
    {
        var left = Mask.FromArray(
            new[,]
            {
                { true, true, false, false },
            }
        );
        var right = Mask.FromArray(
            new[,]
            {
                { true, false, true, false },
            }
        );
        Check.Same(left.Intersect(right).ToArray(), [true, false, false, false], "both");
        Check.Same(left.Union(right).ToArray(), [true, true, true, false], "either");
        Check.Same(left.Except(right).ToArray(), [false, true, false, false], "the first alone");
        Check.Same(left.Complement().ToArray(), [false, false, true, true], "complement");
        Check.True(Mask.Empty(left.Extent).IsEmpty, "empty");
    }

    private static void SameAsCore()
    {
        var mask = Synthetic.Vessels(new() { Height = 64, Width = 70 }, 3).Labels!.Foreground();
        var core = Core.MaskModule.ofVolume(
            Microsoft.FSharp.Core.FSharpFunc<bool, bool>.FromConverter(value => value),
            Core.Volume.create(Core.ExtentModule.plane(64, 70), mask.ToArray())
        );

        void Compare(Mask got, Core.Mask wanted, string message) =>
            Check.Same(got.ToArray(), Core.MaskModule.toVolume(wanted).Data.Select(value => value != 0), message);

        Compare(mask.Skeletonize(), Core.Skeleton.thin(core), "skeleton");
        Compare(mask.Skeletonize(Thinning.Lee), Core.Skeleton.thinBy(Core.Thinning.Lee, core), "Lee's");
        Compare(mask.Dilate(2), Core.Morphology.dilate(Core.Element.Cross, 2, core), "cross");
        Compare(mask.Dilate(1, Element.Box), Core.Morphology.dilate(Core.Element.Box, 1, core), "box");
        Compare(mask.Skeletonize(guard: true), Core.Skeleton.thinGuarded(Core.Thinning.Zhang, core), "guarded");
        Compare(mask.Erode(2), Core.Morphology.erode(Core.Element.Cross, 2, core), "eroded");
        Compare(mask.DilateBall(2.5), Core.Morphology.dilate(Core.Element.NewBall(2.5), 1, core), "ball");
        Compare(mask.ErodeBall(1.5), Core.Morphology.erode(Core.Element.NewBall(1.5), 1, core), "eroded by a ball");
        Check.Same(mask.DistanceToBackground(), Core.Distance.toBackground(core).Data, "to the background");
        Check.Same(mask.DistanceToMask(), Core.Distance.toMask(core).Data, "to the mask");
        Check.Equal(Betti.MeasureBoth(mask), (Betti.Measure(mask), Betti.Measure(mask, Connectivity.Four)), "Betti");
        Check.Equal(mask.CountComponents(), Core.Components.count(Core.Connectivity.Eight, core), "components");

        var corners = Mask.FromArray(
            new[,]
            {
                { true, false },
                { false, true },
            }
        );
        Check.Same(corners.LabelComponents(Connectivity.Four), [1, 0, 0, 2], "4 neighbours");
        Check.Same(corners.LabelComponents(), [1, 0, 0, 1], "8 neighbours");
    }

    private static void Extents()
    {
        Check.True(Extent.Plane(2, 3) == Extent.Plane(2, 3), "equal");
        Check.True(Extent.Plane(2, 3) != Extent.Space(1, 2, 3), "a volume of one slice is no plane");
        Check.Same(Extent.Space(2, 3, 4).Shape, [2, 3, 4], "shape");
        Check.Equal(Extent.Space(2, 3, 4).ToString(), "2 x 3 x 4", "text");
    }

    private static void Messages()
    {
        var plane = Mask.Empty(Extent.Plane(2, 3));
        Check.Contains(Check.Throws<ArgumentException>(() => Extent.Plane(0, 3)).Message, "height is 0");
        Check.Contains(Check.Throws<ArgumentException>(() => Mask.FromArray(plane.Extent, [])).Message, "needs 6");
        Check.Contains(
            Check.Throws<ArgumentException>(() => plane.Union(Mask.Empty(Extent.Plane(2, 4)))).Message,
            "2 x 4"
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => plane.CountComponents(Connectivity.Six)).Message,
            "4 or 8 is wanted"
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => plane.Dilate(1, (Element)7)).Message,
            "one of Cross, Box is wanted"
        );
        Check.Contains(Check.Throws<ArgumentOutOfRangeException>(() => _ = plane[0, 3]).Message, "column 3");
        Check.Throws<ArgumentNullException>(() => plane.Union(null!));
    }
}
