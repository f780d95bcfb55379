// dotnet run -c Release scripts/predict.cs [MODEL [IMAGE LABELS]]
#:project ../src/SkeletonRecall.CSharp
#:property PublishAot=false
#:property UsesLibTorch=true

// A trained model inside a program: loaded once, fed pixels that the program holds, labels into the program's own memory. The
// model is a checkpoint of ours or of Python's nnU-Net, or the folder or zip archive of either, whose folds are averaged.
// Without a model a tiny one is trained first, so that the script shows something; without an image one is drawn.

using System.Diagnostics;
using SkeletonRecall.CSharp;

var model = args.ElementAtOrDefault(0) ?? Train();
using var predictor = Predictor.Load(model);
Console.WriteLine($"{model}: {string.Join(", ", predictor.Model.Dataset.Labels.Select(label => label.Name))}");

if (args.Length == 3)
{
    // From file to file; the label map lies on the image's own grid.
    var read = Image.Read(args[1]);
    predictor.Predict(read).Save(args[2]);
    Console.WriteLine($"{args[1]}: {read} labelled, written to {args[2]}");
    return;
}

// As a camera would give it: bytes, rows padded to 320 of them.
var size = Extent.Plane(256, 256);
var drawn = Sample.Draw(SampleKind.Vessels, seed: 9);
var frame = new byte[256 * 320];
for (var pixel = 0; pixel < size.Count; pixel++)
{
    frame[pixel / 256 * 320 + pixel % 256] = (byte)drawn.Image.Pixels[pixel];
}
var layout = PixelLayout.Planar(size) with { Strides = [320, 1] };

var labels = new byte[size.Count];
predictor.PredictInto<byte, byte>(frame, layout, labels);
var clock = Stopwatch.StartNew();
predictor.PredictInto<byte, byte>(frame, layout, labels);
Console.WriteLine($"one frame: {clock.ElapsedMilliseconds} ms, {labels.Count(label => label == 1)} pixels of vessel");

var prediction = predictor.PredictWithProbabilities(Image.FromPixels<byte>(frame, layout));
var surest = prediction.Probabilities![1].ToArray().Max();
var overlap = Overlap.Measure(prediction.Labels.Foreground(), drawn.Labels!.Foreground());
Console.WriteLine($"surest pixel {surest:F3}; Dice with the truth {overlap.Dice:F3}");

// Many small images go through the network together.
var small = Enumerable.Range(0, 32).Select(seed => Sample.Draw(SampleKind.Vessels, 64, seed).Image).ToArray();
clock.Restart();
var all = predictor.PredictMany(small);
Console.WriteLine($"{all.Count} small images: {clock.ElapsedMilliseconds} ms");

static string Train()
{
    var folder = Path.Combine("skeleton-recall", "predict");
    var cases = Enumerable.Range(0, 4).Select(seed => Sample.Draw(SampleKind.Vessels, 128, seed)).ToArray();
    var dataset = new Dataset("Vessels", ["grey"], ["vessel"]);
    var plan = new PlannerOptions
    {
        PatchSize = [64, 64],
        BatchSize = 4,
        BaseFeatures = 8,
        MaxFeatures = 32,
    };
    var configuration = Configuration.Plan(dataset, cases.Select(item => item.Image.Extent), plan);
    var options = new TrainOptions
    {
        Epochs = 2,
        Iterations = 20,
        ValidationIterations = 0,
    };
    return Trainer.Run(options, new(dataset, configuration, folder, cases, [])).Path;
}
