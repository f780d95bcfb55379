namespace FacadeTests;

/// <summary>The whole way through nnU-Net's folders, from generated images to the report page.</summary>
internal static class ChainTests
{
    internal static Test All =>
        Runner.TestList(
            "Chain",
            [
                Runner.TestCase("sample, verify, plan, train, predict, evaluate, postprocess, select, report", Whole),
                Runner.TestCase("a folder of images and masks is converted", Converted),
                Runner.TestCase("a choice of public data", PublicChoices),
                Runner.TestCase("centrelines laid over each other", Overlaid),
                Runner.TestCase("fingerprints and plans in memory", Planned),
                Runner.TestCase("generated cases of every kind", Drawn),
            ]
        );

    private sealed class Listener<T> : IProgress<T>
    {
        internal List<T> Told { get; } = [];

        public void Report(T value) => Told.Add(value);
    }

    private static readonly PlannerOptions Planner = new()
    {
        PatchSize = [32, 32],
        BatchSize = 2,
        BaseFeatures = 4,
        MaxFeatures = 8,
        ConvsPerStage = 1,
    };

    private static readonly FoldOptions Options = new()
    {
        Train = new()
        {
            Epochs = 1,
            Iterations = 2,
            ValidationIterations = 1,
            ValidateEvery = 1,
        },
        SaveProbabilities = true,
    };

    private static void Whole() =>
        Check.InFolder(folder =>
        {
            LibTorch.Ensure();
            torch.set_num_threads(1);
            var roots = Roots.Find(folder);
            Check.Equal(roots.Raw, Path.Combine(folder, "raw"), "raw");
            var raw = Path.Combine(roots.Raw, "Dataset001_Vessels");
            var shares = new Listener<double>();
            var dataset = Sample.WriteDataset(raw, SampleKind.Vessels, 5, test: 2, size: 48, progress: shares);
            Check.Equal((dataset.TrainingCount, shares.Told[^1]), (5, 1.0), "cases");
            Check.Equal(roots.DatasetFolder("1"), raw, "by number");
            Check.Equal(DatasetFolder.Verify(raw).Count, 0, "all is well");

            var fingerprint = Preparation.Fingerprint(roots, "1");
            Check.Equal(fingerprint.Shapes.Count, 5, "cases");
            var plans = Preparation.Plan(roots, "1", Planner);
            Check.Same(plans.Configurations.Keys, ["2d"], "configurations");
            var prepared = Preparation.Preprocess(roots, "1").Single();
            Check.Equal((prepared.Made, prepared.Kept), (5, 0), "cases made");
            Check.Equal(Preparation.Preprocess(roots, "1", configurations: ["2d"]).Single().Kept, 5, "kept");

            var notes = new Listener<string>();
            var steps = new Listener<TrainProgress>();
            var run = FoldTrainer.Run(roots, "1", Options, notes, steps);
            Check.True(notes.Told.Any(note => note.Contains("objective: dice + ce")), "notes");
            Check.Equal(steps.Told.OfType<TrainStep>().Count(), 2, "steps");
            var checkpoints = FoldTrainer.Checkpoints(roots, "1");
            Check.Same(checkpoints, [Path.Combine(run, "checkpoint_final.safetensors")], "checkpoints");

            var images = Path.Combine(raw, "imagesTs");
            var output = Path.Combine(folder, "labels");
            var written = FolderPrediction.Run(checkpoints, images, output, new() { SaveProbabilities = true });
            Check.Equal(written.Count, 2, "label maps");
            using (var predictor = Predictor.Load(checkpoints))
            {
                var image = Image.Read(Directory.GetFiles(images).Order(StringComparer.Ordinal).First());
                var first = LabelMap.Read(written[0]);
                Check.Same(predictor.Predict(image).ToArray(), first.ToArray(), "the predictor says the same");
            }

            var mean = Path.Combine(folder, "mean");
            Check.Equal(FolderPrediction.Ensemble([output, output], mean).Count, 2, "ensemble");
            var truth = Path.Combine(raw, "labelsTs");
            var scores = Evaluation.Folders(dataset, truth, mean);
            Check.Equal(scores.Count, 2, "scores");
            Check.Same(scores.Select(item => item.Problem), [null, null], "problems");

            var decision = Postprocessing.Determine(dataset, truth, output);
            Check.Same(decision.Gains.Select(gain => gain.Labels.Single()), [1], "classes");
            var again = Path.Combine(folder, "again");
            var file = Path.Combine(output, "postprocessing.json");
            Check.Equal(Postprocessing.Apply(dataset, file, output, again), 2, "postprocessed");
            var labels = LabelMap.Read(written[0]);
            Check.Same(
                decision.Apply(labels).ToArray(),
                LabelMap.Read(Path.Combine(again, Path.GetFileName(written[0]))).ToArray(),
                "in memory as in files"
            );

            var best = ModelSelection.FindBest(roots, "1", new() { Folds = ["0"] });
            Check.Equal(best.Best.Models.Single(), new ModelName(Options.Trainer, "nnUNetPlans", "2d"), "the only one");
            Check.True(best.Best.Dice is >= 0 and <= 1, "its Dice");

            var page = Path.Combine(folder, "report.html");
            RunReport.Write(page, run);
            Check.Contains(File.ReadAllText(page), "<!DOCTYPE html>");
            Check.Throws<ProblemException>(() => RunReport.Page(folder));
            Check.Throws<ArgumentException>(() => RunReport.Page());
            Check.Throws<ProblemException>(() => FoldTrainer.Run(roots, "7", Options));
        });

    private static void Converted() =>
        Check.InFolder(folder =>
        {
            Directory.CreateDirectory(Path.Combine(folder, "photos", "images"));
            Directory.CreateDirectory(Path.Combine(folder, "photos", "masks"));
            foreach (var number in new[] { 1, 2 })
            {
                var item = Sample.Draw(SampleKind.Cracks, 48, number);
                item.Image.Save(Path.Combine(folder, "photos", "images", $"{number}.png"));
                item.Labels!.Save(Path.Combine(folder, "photos", "masks", $"{number}_mask.png"));
            }
            var made = Conversion.Run(
                Path.Combine(folder, "photos"),
                Path.Combine(folder, "Dataset002_Cracks"),
                new() { Training = [new("images/*", "masks/*_mask.png")], Labels = ["crack"] }
            );
            Check.Equal(made.Dataset.TrainingCount, 2, "cases");

            var parted = Conversion.Run(
                Path.Combine(folder, "photos"),
                Path.Combine(folder, "Dataset003_Cracks"),
                new() { Training = [new("images/*", "masks/*_mask.png")], IsHeldOut = name => name == "2" }
            );
            Check.Equal((parted.Dataset.TrainingCount, parted.Held), (1, 1), "one is held out");
        });

    private static void PublicChoices() =>
        Check.InFolder(folder =>
        {
            Directory.CreateDirectory(Path.Combine(folder, "imagesTr"));
            Directory.CreateDirectory(Path.Combine(folder, "cow_seg_labelsTr"));
            foreach (var kind in new[] { "ct", "mr" })
            {
                var item = Sample.Draw(SampleKind.Willis, 48);
                item.Image.Save(Path.Combine(folder, "imagesTr", $"topcow_{kind}_001_0000.nii.gz"));
                item.Labels!.Save(Path.Combine(folder, "cow_seg_labelsTr", $"topcow_{kind}_001.nii.gz"));
            }
            Dataset Made(string name, PublicOptions? options) =>
                Conversion.Run(PublicDataset.TopCow, folder, Path.Combine(folder, name), options).Dataset;

            var standard = Made("Dataset001_Mr", null);
            Check.Equal((standard.TrainingCount, standard.Labels.Count), (1, 14), "one volume, 13 arteries");
            var both = Made("Dataset002_Both", new() { Angiography = Angiography.Both, Binary = true });
            Check.Equal((both.TrainingCount, both.Labels.Count), (2, 2), "both volumes, one class");
            var ct = Made("Dataset003_Ct", new() { Angiography = Angiography.Ct });
            Check.Same(ct.ChannelNames, ["CT"], "channel");
        });

    private static void Overlaid()
    {
        var truth = new bool[7, 20];
        var prediction = new bool[7, 20];
        for (var column = 0; column < 20; column++)
        {
            truth[2, column] = true;
            prediction[2, column] = column < 12;
            prediction[5, column] = column < 4;
        }
        var overlay = CentrelineOverlay.Of(Mask.FromArray(prediction), Mask.FromArray(truth));
        Check.Equal((overlay.Found, overlay.Missed, overlay.Invented), (12, 8, 4), "found, missed, invented");
        Check.Close(overlay.WrongShare, 0.5, 1e-12, "share");
        Check.Same(overlay.ToPng()[..4], new byte[] { 0x89, 0x50, 0x4E, 0x47 }, "a PNG");
        Check.True(!overlay.ToPng(thick: false).SequenceEqual(overlay.ToPng()), "thick lines differ");
        var volume = CentrelineOverlay.Of(Mask.Empty(Extent.Space(2, 3, 4)), Mask.Empty(Extent.Space(2, 3, 4)));
        Check.Throws<ArgumentException>(() => volume.ToPng());
    }

    private static void Planned()
    {
        var cases = Enumerable.Range(0, 3).Select(seed => Sample.Draw(SampleKind.VesselTrees, 32, seed)).ToArray();
        var dataset = new Dataset("Dataset003_Trees", ["MR"], ["vessel"], ".nii.gz", cases.Length);
        var fingerprint = Fingerprint.Of(cases);
        Check.Equal(Fingerprint.Parse(fingerprint.ToJson()).RelativeSize, fingerprint.RelativeSize, "there and back");
        Check.True(fingerprint.Intensities[0].Low <= fingerprint.Intensities[0].Median, "intensities");
        var plans = Plans.Of(dataset, fingerprint);
        Check.True(plans.Configurations.ContainsKey("3d_fullres"), "a configuration of volumes");
        Check.Equal(Plans.Parse(plans.ToJson()).ToJson(), plans.ToJson(), "there and back");
        var prepared = plans.Preprocess("3d_fullres", dataset, cases[0]);
        Check.Equal(prepared.Image.Extent.Rank, 3, "a volume");
        Check.Close(prepared.Image.Pixels.ToArray().Average(value => (double)value), 0, 1e-3, "normalized");
        Check.Contains(
            Check.Throws<ArgumentException>(() => plans.Preprocess("4d", dataset, cases[0])).Message,
            "got '4d'"
        );
    }

    private static void Drawn()
    {
        foreach (var kind in Enum.GetValues<SampleKind>())
        {
            var item = Sample.Draw(kind, 48);
            Check.True(!item.Labels!.Foreground().IsEmpty, kind.ToString());
            Check.Same(Sample.Draw(kind, 48).Image.Pixels.ToArray(), item.Image.Pixels.ToArray(), "the same again");
        }
        Check.Throws<ArgumentException>(() => Sample.Draw(SampleKind.Roads, 8));
    }
}
