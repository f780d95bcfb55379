using System.Runtime.InteropServices;

namespace FacadeTests;

internal static class PredictorTests
{
    internal static Test All =>
        Runner.TestList(
            "Predictor",
            [
                Runner.TestCase("pixels in any layout are predicted as their image is", Layouts),
                Runner.TestCase("labels go into the caller's memory", Into),
                Runner.TestCase("labels and probabilities in one pass", WithProbabilities),
                Runner.TestCase("many small images at once", Many),
                Runner.TestCase("folds are averaged", Folds),
                Runner.TestCase("a folder of Python's nnU-Net is a model", OfPython),
                Runner.TestCase("several threads, disposal and cancellation", Threads),
                Runner.TestCase("messages", Messages),
            ]
        );

    private static readonly Lazy<Model> Trained = new(() =>
    {
        Model? model = null;
        Check.InFolder(folder => model = Trainer.Run(TrainerTests.Options, TrainerTests.Setup(folder)));
        return model!;
    });

    private static readonly Extent Size = Extent.Plane(20, 24);

    // Whole numbers, so that every type holds them.
    private static byte[] Grey(int seed = 3) =>
        [
            .. Synthetic
                .Vessels(
                    new()
                    {
                        Height = 24,
                        Width = 24,
                        Trees = 2,
                    },
                    seed
                )
                .Image.Pixels[..Size.Count]
                .ToArray()
                .Select(value => (byte)Math.Clamp(value, 0, 255)),
        ];

    private static void Layouts()
    {
        using var predictor = Trained.Value.CreatePredictor();
        var grey = Grey();
        var wanted = predictor.Predict(new Image(1, Size, [.. grey.Select(value => (float)value)])).ToArray();
        Check.True(wanted.Distinct().Count() == 2, "both classes");
        var plain = PixelLayout.Planar(Size);
        Check.Same(predictor.Predict(grey, plain).ToArray(), wanted, "bytes");
        var wide = Array.ConvertAll(grey, value => (ushort)value);
        Check.Same(predictor.Predict(wide, plain).ToArray(), wanted, "16 bits");
        Check.Same(
            predictor.Predict<double>(Array.ConvertAll(grey, value => (double)value), plain).ToArray(),
            wanted,
            "double"
        );

        // A bottom-up bitmap of 3 bytes a pixel and padded rows, whose last channel is the image.
        var bitmap = new byte[20 * 80];
        for (var row = 0; row < 20; row++)
        {
            for (var column = 0; column < 24; column++)
            {
                bitmap[(19 - row) * 80 + 3 * column + 2] = grey[row * 24 + column];
            }
        }
        var odd = plain with { Offset = 19 * 80 + 2, Strides = [-80, 3] };
        Check.Same(predictor.Predict(bitmap, odd).ToArray(), wanted, "strides");
        var handle = GCHandle.Alloc(bitmap, GCHandleType.Pinned);
        try
        {
            var bytes = odd with { Unit = StrideUnit.Bytes };
            var address = handle.AddrOfPinnedObject();
            Check.Same(predictor.Predict(address, PixelType.UInt8, bytes).ToArray(), wanted, "by address");
            var labels = new byte[Size.Count];
            var target = GCHandle.Alloc(labels, GCHandleType.Pinned);
            try
            {
                predictor.PredictInto(address, PixelType.UInt8, bytes, target.AddrOfPinnedObject(), PixelType.UInt8);
            }
            finally
            {
                target.Free();
            }
            Check.Same(labels, wanted.Select(label => (byte)label), "from address to address");
        }
        finally
        {
            handle.Free();
        }

        var colours = Image.FromPixels<byte>([1, 2, 3, 4, 5, 6], PixelLayout.Interleaved(Extent.Plane(1, 2), 3));
        Check.Same(colours.Pixels.ToArray(), [1f, 4f, 2f, 5f, 3f, 6f], "RGBRGB");
        var spaced = plain with { Spacing = [0.5, 0.25] };
        Check.Same(Image.FromPixels<byte>(grey, spaced).Spacing, [0.5, 0.25], "spacing");
    }

    private static void Into()
    {
        using var predictor = Trained.Value.CreatePredictor();
        var grey = Grey();
        var layout = PixelLayout.Planar(Size);
        var wanted = predictor.Predict(grey, layout).ToArray();
        var bytes = new byte[Size.Count];
        predictor.PredictInto<byte, byte>(grey, layout, bytes);
        Check.Same(bytes, wanted.Select(label => (byte)label), "bytes");

        // Every second value of a padded row.
        var padded = Enumerable.Repeat(-7, 20 * 50).ToArray();
        predictor.PredictInto<byte, int>(grey, layout, padded, layout with { Strides = [50, 2] });
        for (var index = 0; index < padded.Length; index++)
        {
            var (row, column) = (index / 50, index % 50);
            var label = column % 2 == 0 && column < 48 ? wanted[row * 24 + column / 2] : -7;
            Check.Equal(padded[index], label, "labels and nothing else");
        }

        var error = Check.Throws<ArgumentException>(() =>
            predictor.PredictInto<byte, byte>(grey, layout, new byte[Size.Count - 1])
        );
        Check.Contains(error.Message, $"the memory has {Size.Count - 1}");
        Check.Throws<ArgumentException>(() =>
            predictor.PredictInto<byte, byte>(grey, layout, bytes, PixelLayout.Planar(Extent.Plane(24, 20)))
        );
    }

    private static void WithProbabilities()
    {
        using var predictor = Trained.Value.CreatePredictor();
        var image = Image.FromPixels<byte>(Grey(), PixelLayout.Planar(Size));
        var both = predictor.PredictWithProbabilities(image);
        Check.Same(both.Labels.ToArray(), predictor.Predict(image).ToArray(), "labels");
        var shares = both.Probabilities!;
        Check.Equal((shares.Channels, shares.Extent), (2, Size), "channels and grid");
        for (var voxel = 0; voxel < Size.Count; voxel++)
        {
            Check.Close(shares[0][voxel] + shares[1][voxel], 1, 1e-6, "they add up");
            Check.Equal(
                both.Labels.Labels[voxel],
                (short)(shares[1][voxel] > shares[0][voxel] ? 1 : 0),
                "the likelier"
            );
        }
        using var plain = Trained.Value.CreatePredictor(new() { Mirror = false });
        Check.True(
            !plain.PredictWithProbabilities(image).Probabilities!.Values.SequenceEqual(shares.Values),
            "mirroring changes something"
        );
    }

    private static void Many()
    {
        using var predictor = Trained.Value.CreatePredictor(new() { ImagesAtOnce = 3 });
        var images = Enumerable
            .Range(0, 5)
            .Select(seed =>
                Image.FromPixels<byte>(
                    Grey(seed),
                    PixelLayout.Planar(seed == 2 ? Size : Extent.Plane(15, 16)) with
                    {
                        Strides = [24, 1],
                    }
                )
            )
            .ToArray();
        var all = predictor.PredictMany(images, probabilities: true);
        foreach (var (image, found) in images.Zip(all))
        {
            var alone = predictor.PredictWithProbabilities(image);
            var far = alone
                .Probabilities!.ToArray()
                .Zip(found.Probabilities!.ToArray())
                .Max(pair => Math.Abs(pair.First - pair.Second));
            Check.Close(far, 0, 1e-5, "probabilities");
            Check.Same(found.Labels.ToArray(), alone.Labels.ToArray(), "labels");
        }
        Check.True(predictor.PredictMany(images)[0].Probabilities is null, "only where asked for");
    }

    private static void Folds() =>
        Check.InFolder(folder =>
        {
            string[] paths = [Path.Combine(folder, "a.safetensors"), Path.Combine(folder, "b.safetensors")];
            Array.ForEach(paths, path => Trained.Value.Save(path));
            using var both = Predictor.Load(paths);
            using var one = Predictor.Load(paths[0]);
            var image = Image.FromPixels<byte>(Grey(), PixelLayout.Planar(Size));
            Check.Same(both.Predict(image).ToArray(), one.Predict(image).ToArray(), "twice the same fold");
            Check.Throws<ArgumentException>(() => Predictor.Load([]));
        });

    // Labels and mirrored, tiled prediction by numpy's steps of Python's logits; golden/README.md has the origin.
    private static void OfPython()
    {
        foreach (var name in new[] { "plane", "space" })
        {
            var folder = Path.Combine(Check.Repository(), "tests", "golden", "nnunet", name);
            using var predictor = Predictor.Load(folder);
            var image = Image.Read(Path.Combine(folder, "image.npy"));
            var found = predictor.Predict(image.Pixels, PixelLayout.Planar(image.Extent));
            var wanted = LabelMap.Read(Path.Combine(folder, "labels.npy"));
            Check.Same(found.ToArray(), wanted.ToArray(), name);
        }
    }

    private static void Threads()
    {
        var predictor = Trained.Value.CreatePredictor();
        var images = Enumerable
            .Range(0, 4)
            .Select(seed => Image.FromPixels<byte>(Grey(seed), PixelLayout.Planar(Size)))
            .ToArray();
        var alone = images.Select(image => predictor.Predict(image).ToArray()).ToArray();
        Parallel.For(
            0,
            8,
            index => Check.Same(predictor.Predict(images[index % 4]).ToArray(), alone[index % 4], "in parallel")
        );
        Check.Throws<OperationCanceledException>(() => predictor.Predict(images[0], new CancellationToken(true)));
        Check.Throws<OperationCanceledException>(() =>
            predictor.PredictMany(images, cancellation: new CancellationToken(true))
        );
        predictor.Dispose();
        predictor.Dispose();
        Check.Throws<ObjectDisposedException>(() => predictor.Predict(images[0]));
    }

    private static void Messages()
    {
        using var predictor = Trained.Value.CreatePredictor();
        var grey = Grey();
        var two = Check.Throws<ProblemException>(() =>
            predictor.Predict(new Image(2, Extent.Plane(16, 16), new float[512]))
        );
        Check.Equal(two.Kind, ProblemKind.Mismatch, "kind");
        Check.Contains(two.Message, "got 2 channels; wanted 1");
        var layout = PixelLayout.Planar(Size);
        Check.Contains(
            Check.Throws<ArgumentException>(() => predictor.Predict(grey, layout with { Strides = [12, 1] })).Message,
            "Values would share bytes"
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => predictor.Predict(grey.AsSpan(1), layout)).Message,
            "the memory has 479"
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => Image.FromPixels<decimal>(new decimal[480], layout)).Message,
            "got Decimal"
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => predictor.Predict(0, PixelType.UInt8, layout)).Message,
            "got 0"
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => Trained.Value.CreatePredictor(new() { Step = 2 })).Message,
            "Step is a share of the patch"
        );
    }
}
