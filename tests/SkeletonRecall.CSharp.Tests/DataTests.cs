namespace FacadeTests;

internal static class DataTests
{
    private static readonly VesselOptions Small = new()
    {
        Height = 40,
        Width = 36,
        Trees = 1,
    };

    internal static Test All =>
        Runner.TestList(
            "Data",
            [
                Runner.TestCase("a data set is written and read", RoundTrip),
                Runner.TestCase("label maps and images are written and read", Files),
                Runner.TestCase("a white mask is told", Notes),
                Runner.TestCase("data sets of one's own", OwnDataset),
                Runner.TestCase("synthetic vessels follow the seed", Seeds),
                Runner.TestCase("messages", Messages),
            ]
        );

    private static void RoundTrip() =>
        Check.InFolder(parent =>
        {
            var path = Path.Combine(parent, "Dataset007_Vessels");
            var written = Synthetic.WriteDataset(path, training: 5, test: 1, Small, seed: 2);
            var folder = DatasetFolder.Open(path);
            Check.Equal(folder.Dataset.ToJson(), written.ToJson(), "dataset.json");
            Check.Same(folder.Dataset.Labels, [new("background", 0), new("vessel", 1)], "labels");
            Check.Equal(folder.Dataset.Ignore, null, "no ignore label");
            Check.Equal(folder.TrainingIds.Count, 5, "cases");
            var cases = folder.ReadTrainingCases().ToArray();
            Check.Same(cases.Select(item => item.Id), folder.TrainingIds, "names");
            Check.Equal(cases[0].Image.Extent, Extent.Plane(40, 36), "extent");
            Check.True(cases[0].Labels!.Foreground().Count > 0, "vessels");

            var folds = folder.FiveFolds();
            Check.Equal(folds.Count, 5, "folds");
            Check.Same(folds.SelectMany(fold => fold.Validation).Order(), folder.TrainingIds, "each validates once");

            Check.Equal(DatasetFolder.Verify(path).Count, 0, "nothing is wrong");
            File.Delete(Path.Combine(path, "labelsTr", "vessels_002.png"));
            var finding = DatasetFolder.Verify(path).Single();
            Check.Equal(finding.Gravity, Gravity.Wrong, "gravity");
            Check.Equal(finding.Case, "vessels_002", "case");
            Check.Contains(finding.Message, "labelsTr");
            var problem = Check.Throws<ProblemException>(() => DatasetFolder.Open(path));
            Check.Contains(problem.Message, "vessels_002");
        });

    private static void Files() =>
        Check.InFolder(folder =>
        {
            var labels = Check.Labels("0123", "3210");
            foreach (var name in new[] { "labels.png", "labels.npy" })
            {
                var path = Path.Combine(folder, name);
                labels.Save(path);
                Check.True(LabelMap.Read(path).SameAs(labels), name);
            }

            var image = new Image(3, Extent.Plane(1, 2), [1, 2, 3, 4, 5, 255]);
            var file = Path.Combine(folder, "image.png");
            image.Save(file);
            var read = Image.Read(file);
            Check.Equal(read.Channels, 3, "channels");
            Check.Same(read.Pixels.ToArray(), image.Pixels.ToArray(), "pixels");
        });

    private sealed class Listener : IProgress<string>
    {
        internal List<string> Told { get; } = [];

        public void Report(string value) => Told.Add(value);
    }

    private static void Notes() =>
        Check.InFolder(folder =>
        {
            var path = Path.Combine(folder, "mask.png");
            Image
                .FromArray(
                    new float[,]
                    {
                        { 0, 255 },
                    }
                )
                .Save(path);
            var notes = new Listener();
            Check.Same(LabelMap.Read(path, notes).ToArray(), new short[] { 0, 1 }, "values");
            Check.Equal(notes.Told.Count, 1, "one note");
            Check.Contains(notes.Told[0], "was taken as {0, 1}");
        });

    private static void OwnDataset()
    {
        var dataset = new Dataset("Dataset003_Eyes", ["red", "green"], ["artery", "vein"]);
        Check.Same(dataset.Labels, [new("background", 0), new("artery", 1), new("vein", 2)], "labels");
        Check.Same(dataset.ChannelNames, ["red", "green"], "channels");
        Check.Equal(Dataset.Parse(dataset.ToJson()).ToJson(), dataset.ToJson(), "its JSON is read back");
        Check.Equal(dataset.Regions.Count, 0, "no regions");
        var regions = Dataset
            .Parse(
                """
                {"channel_names": {"0": "CT"}, "numTraining": 1, "file_ending": ".nii.gz", "regions_class_order": [1, 2],
                 "labels": {"background": 0, "all": [1, 2], "vein": 2}}
                """
            )
            .Regions;
        Check.Equal(regions[0].Name, "all", "name");
        Check.Same(regions[0].Labels, [1, 2], "labels");
        Check.Equal(regions[1].Paint, 2, "paint");
    }

    private static void Seeds()
    {
        var pixels = Synthetic.Vessels(Small, 1).Image.Pixels.ToArray();
        Check.Same(Synthetic.Vessels(Small, 1).Image.Pixels.ToArray(), pixels, "the same seed");
        Check.True(!Synthetic.Vessels(Small, 2).Image.Pixels.SequenceEqual(pixels), "another seed");
    }

    private static void Messages()
    {
        var missing = Check.Throws<ProblemException>(() => DatasetFolder.Open("/nowhere/at/all"));
        Check.Equal(missing.Kind, ProblemKind.Missing, "kind");
        Check.Contains(missing.Message, "dataset.json: not found");
        var bad = Check.Throws<ProblemException>(() => Dataset.Parse("{", "a.json"));
        Check.Equal(bad.Kind, ProblemKind.Unreadable, "kind");
        Check.Contains(bad.Message, "a.json: cannot be read; it is not valid JSON (line 1).");
        Check.Contains(
            Check.Throws<ArgumentException>(() => new Image(2, Extent.Plane(1, 1), [1])).Message,
            "2 channels of 1 x 1 need 2 values; got 1."
        );
        Check.Contains(
            Check.Throws<ArgumentException>(() => new Case("a/b", Image.FromArray(new float[1, 1]))).Message,
            "A case name is a plain file name; got 'a/b'."
        );
    }
}
