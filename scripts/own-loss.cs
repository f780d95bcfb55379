// dotnet run -c Release scripts/own-loss.cs [OUTPUT]
#:project ../src/SkeletonRecall.CSharp
#:property PublishAot=false
#:property UsesLibTorch=true

// Training with a loss of one's own: a function from logits and target to a number that torch can differentiate. It is tried
// on a few logits first, then takes the place of the objective in nnU-Net's recipe. A few seconds on 2 cores; a real run
// only differs in its numbers.

using SkeletonRecall.CSharp;
using TorchSharp;
using static TorchSharp.torch;

var output = args.ElementAtOrDefault(0) ?? Path.Combine("skeleton-recall", "own-loss");

// Squared misses along the tubed skeleton: (1 - p)² where the tube is, the mean over it.
var missed = Loss.Custom(
    (logits, target) =>
    {
        using var scope = NewDisposeScope();
        var tube = target.Skeleton!.to(int64);
        // The probability of the class that each voxel of the tube has.
        var found = logits.softmax(1).gather(1, tube);
        var inside = tube.gt(0).to(logits.dtype);
        var loss = ((1 - found).square() * inside).sum() / inside.sum().clamp_min(1);
        return loss.MoveToOuterDisposeScope();
    }
);
var loss = Loss.CrossEntropy() + Loss.SoftDice() + 1.0 * missed;

var cases = Enumerable.Range(0, 6).Select(seed => Sample.Draw(SampleKind.Vessels, 128, seed)).ToArray();

// The gradient agrees with finite differences, and no tensor is left behind.
using (var target = Target.FromLabels(Check(), new TubeOptions()))
using (var logits = randn(1, 2, 6, 6, float64))
{
    var check = missed.Check(logits, target);
    Console.WriteLine($"gradient: off by {check.LargestDifference:G2} at most; {check.LeftAlive} tensors left alive");
    if (!check.Passed)
    {
        return 1;
    }
}

var dataset = new Dataset("Vessels", ["grey"], ["vessel"]);
var plan = new PlannerOptions
{
    PatchSize = [64, 64],
    BatchSize = 4,
    BaseFeatures = 8,
    MaxFeatures = 32,
};
var setup = new TrainSetup(
    dataset,
    Configuration.Plan(dataset, cases.Select(item => item.Image.Extent), plan),
    output,
    cases[..4],
    cases[4..]
)
{
    Loss = loss,
    // Targets of the coarser heads have no tube.
    CoarseLoss = Loss.CrossEntropy() + Loss.SoftDice(),
};
var options = new TrainOptions
{
    Epochs = 3,
    Iterations = 10,
    ValidationIterations = 4,
};

await foreach (var told in Trainer.RunAsync(options, setup))
{
    if (told is TrainEpoch epoch)
    {
        var report = epoch.Report;
        Console.WriteLine(
            $"epoch {report.Epoch}: loss {report.TrainLoss:F4}, validation {report.ValidationLoss:F4}, "
                + $"pseudo Dice {report.PseudoDice[0]:F3}"
        );
    }
    else if (told is TrainFinished finished)
    {
        Console.WriteLine($"trained {finished.Model.Epoch} epochs; checkpoints in {output}");
    }
}
return 0;

static LabelMap Check() =>
    LabelMap.FromArray(
        new short[,]
        {
            { 0, 0, 0, 0, 0, 0 },
            { 0, 1, 1, 1, 1, 0 },
            { 0, 0, 0, 1, 1, 0 },
            { 0, 0, 0, 0, 1, 0 },
            { 0, 0, 0, 0, 1, 0 },
            { 0, 0, 0, 0, 0, 0 },
        }
    );
