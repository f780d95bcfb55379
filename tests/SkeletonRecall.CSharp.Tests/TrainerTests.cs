namespace FacadeTests;

internal static class TrainerTests
{
    internal static Test All =>
        Runner.TestList(
            "Trainer",
            [
                Runner.TestCase("trained, saved, loaded, and predicts as before", SaveAndLoad),
                Runner.TestCase("progress as a stream", Streamed),
                Runner.TestCase("a loss of one's own", OwnLoss),
                Runner.TestCase("leaving the stream stops the run, and it goes on from there", Resumed),
                Runner.TestCase("cancellation", Cancelled),
                Runner.TestCase("messages", Messages),
            ]
        );

    internal static readonly TrainOptions Options = new()
    {
        Epochs = 2,
        Iterations = 2,
        ValidationIterations = 1,
        SaveEvery = 1,
        Seed = 5,
    };

    private static readonly Dataset Vessels = new("Dataset900_Toy", ["grey"], ["vessel"]);

    internal static Case Toy(int seed) =>
        Synthetic.Vessels(
            new()
            {
                Height = 32,
                Width = 32,
                Trees = 2,
            },
            seed
        );

    internal static TrainSetup Setup(string folder)
    {
        LibTorch.Ensure();
        torch.set_num_threads(1);
        var extents = new[] { Extent.Plane(32, 32) };
        var planner = new PlannerOptions
        {
            PatchSize = [16, 16],
            BatchSize = 2,
            BaseFeatures = 4,
            ConvsPerStage = 1,
        };
        return new(Vessels, Configuration.Plan(Vessels, extents, planner), folder, [Toy(0), Toy(1)], [Toy(2)]);
    }

    private sealed class Listener : IProgress<TrainProgress>
    {
        internal List<TrainProgress> Told { get; } = [];

        public void Report(TrainProgress value) => Told.Add(value);
    }

    private static void SaveAndLoad() =>
        Check.InFolder(folder =>
        {
            var setup = Setup(folder);
            Check.Same(setup.Configuration.PatchSize, [16, 16], "patch");
            var listener = new Listener();
            var model = Trainer.Run(Options, setup, progress: listener);
            Check.Equal(listener.Told.OfType<TrainStep>().Count(), 4, "steps");
            Check.Equal(listener.Told.OfType<TrainEpoch>().Count(), 2, "epochs");
            Check.Equal(model.Epoch, 2, "epochs of the model");
            Check.Same(model.History[0].Terms.Select(term => term.Name), ["dice", "ce", "skeleton-recall"], "terms");
            Check.True(model.History.All(report => double.IsFinite(report.TrainLoss)), "losses are numbers");
            Check.Equal(model.Options with { Measures = Options.Measures }, Options, "options");
            Check.Same(model.Options.Measures, Options.Measures, "measures");

            var image = Toy(3).Image;
            using var predictor = model.CreatePredictor();
            var before = predictor.Predict(image);
            Check.Equal(before.Extent, image.Extent, "size");

            var path = Path.Combine(folder, "copy.safetensors");
            model.Save(path);
            using var loaded = Predictor.Load(path);
            Check.Same(loaded.Predict(image).ToArray(), before.ToArray(), "the same labels");
            Check.Equal(loaded.Model.Epoch, 2, "the model that it predicts with");
        });

    private static void Streamed() =>
        Check.InFolder(folder =>
        {
            var setup = Setup(folder);
            var told = Collect(Trainer.RunAsync(Options, setup), int.MaxValue).GetAwaiter().GetResult();
            Check.Equal(told.Count, 7, "4 steps, 2 epochs and the end");
            var model = ((TrainFinished)told[^1]).Model;
            Check.Equal(model.Epoch, 2, "epochs");
            Check.Equal(Model.TryResume(folder)!.Epoch, 2, "its checkpoint");

            var failing = Trainer.RunAsync(Options with { Momentum = 1.5 }, setup);
            var error = Check.Throws<ArgumentException>(() => Collect(failing, 1).GetAwaiter().GetResult());
            Check.Contains(error.Message, "Momentum must be in [0, 1); got 1.5.");
        });

    private static async Task<List<TrainProgress>> Collect(IAsyncEnumerable<TrainProgress> run, int most)
    {
        var told = new List<TrainProgress>();
        await foreach (var item in run)
        {
            told.Add(item);
            if (told.Count == most)
            {
                break;
            }
        }
        return told;
    }

    private static float[] Shares(Predictor predictor, Image image) =>
        predictor.PredictWithProbabilities(image).Probabilities!.ToArray();

    private static void OwnLoss() =>
        Check.InFolder(folder =>
        {
            var plain = Trainer.Run(Options, Setup(Path.Combine(folder, "plain")));
            var calls = 0;
            var entropy = Loss.CrossEntropy();
            var own = Loss.Custom(
                (logits, target) =>
                {
                    calls++;
                    Check.True(target.Skeleton is not null, "the finest head has its tube");
                    return entropy.Evaluate(logits, target);
                }
            );
            var setup = Setup(Path.Combine(folder, "own")) with { Loss = own, CoarseLoss = entropy };
            var model = Trainer.Run(Options, setup);
            Check.Equal(calls, 6, "two training iterations and one of validation in each of two epochs");
            Check.True(model.History[0].ValidationLoss > 0, "cross-entropy, where the objective is below 0");
            Check.True(plain.History[0].ValidationLoss != model.History[0].ValidationLoss, "another loss");
            Check.Same(model.History[0].Terms.Select(term => term.Name), ["dice", "ce", "skeleton-recall"], "terms");
        });

    private static void Resumed() =>
        Check.InFolder(folder =>
        {
            var image = Toy(3).Image;
            var whole = Trainer.Run(Options, Setup(Path.Combine(folder, "whole")));
            var setup = Setup(Path.Combine(folder, "parts"));
            _ = Collect(Trainer.RunAsync(Options, setup), 1).GetAwaiter().GetResult();
            // However far it came: the rest must lead to the same network.
            var stopped = Model.TryResume(setup.Folder);
            Check.True(stopped is not null, "a checkpoint is there");
            var resumed = Trainer.Run(Options, setup, stopped);
            using var first = whole.CreatePredictor();
            using var second = resumed.CreatePredictor();
            Check.Same(Shares(second, image), Shares(first, image), "as if it had not been stopped");

            // A run of hours that ends at once.
            var endless = Setup(Path.Combine(folder, "endless"));
            _ = Collect(Trainer.RunAsync(Options with { Iterations = 1_000_000 }, endless), 2).GetAwaiter().GetResult();
            Check.Equal(Model.TryResume(endless.Folder)!.Epoch, 0, "stopped within the first epoch");
        });

    private static void Cancelled() =>
        Check.InFolder(folder =>
        {
            Check.Throws<OperationCanceledException>(() =>
                Trainer.Run(Options, Setup(folder), cancellation: new CancellationToken(true))
            );
            Check.Equal(Model.TryResume(folder)!.Epoch, 0, "a checkpoint to go on from");
        });

    private static void Messages() =>
        Check.InFolder(folder =>
        {
            var setup = Setup(folder);
            Check.Contains(
                Check.Throws<ArgumentException>(() => Trainer.Run(Options with { Epochs = 0 }, setup)).Message,
                "Epochs counts from 1; got 0."
            );
            Check.Contains(
                Check.Throws<ArgumentException>(() => Trainer.Run(Options, setup with { Training = [] })).Message,
                "Training needs at least one case."
            );
            Check.True(Model.TryResume(folder) is null, "nothing was left behind");
            var path = Path.Combine(folder, "no.safetensors");
            File.WriteAllText(path, "no checkpoint at all");
            var problem = Check.Throws<ProblemException>(() => Model.Load(path));
            Check.Equal(problem.Kind, ProblemKind.Unreadable, "kind");
            Check.Contains(problem.Message, path);
            Check.Equal(
                Check.Throws<ProblemException>(() => Predictor.Load(path + "x")).Kind,
                ProblemKind.Missing,
                "kind"
            );
            Check.Throws<ProblemException>(() => Configuration.Plan(Vessels, []));
        });
}
