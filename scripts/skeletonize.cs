// dotnet run -c Release scripts/skeletonize.cs [MASK [TUBE]]
#:project ../src/SkeletonRecall.CSharp
#:property PublishAot=false

// What a mask comes to: its skeleton as a graph, its topology, and the tube that the Skeleton Recall loss is computed on. Any
// format that is read will do (PNG, TIFF, NIfTI, ...), planes and volumes; without a mask one is drawn. No libtorch is needed.

using SkeletonRecall.CSharp;

var path = args.ElementAtOrDefault(0);
var target = args.ElementAtOrDefault(1) ?? Path.Combine(Path.GetTempPath(), "tube.png");
var labels = path is null
    ? Sample.Draw(SampleKind.Vessels, seed: 1).Labels!
    : LabelMap.Read(path, new Progress<string>(Console.Error.WriteLine));

var mask = labels.Foreground();
var skeleton = mask.Skeletonize();
Console.WriteLine($"{path ?? "drawn vessels"}: {labels.Extent}, {mask.Count} voxels of foreground");
Console.WriteLine($"skeleton: {skeleton.Count} voxels");

var betti = Betti.Measure(mask);
Console.WriteLine($"topology: {betti.B0} components, {betti.B1} holes or tunnels, {betti.B2} cavities");

var graph = SkeletonGraph.Of(mask);
var ends = graph.Nodes.Count(node => node.Kind is NodeKind.End);
Console.WriteLine($"graph: {graph.Branches.Count} branches, {ends} ends, {graph.Length:F1} mm of centreline");
foreach (var branch in graph.Branches.OrderByDescending(branch => branch.Length).Take(3))
{
    Console.WriteLine($"  a branch of {branch.Length:F1} mm, mean radius {branch.Radii.Average():F2} mm");
}

// Upstream's tube, and one of another radius whose short spurs are pruned.
labels.ToTube().Save(target);
var thin = labels.ToTube(new() { Radius = 1, Prune = 10 });
Console.WriteLine($"tube: {labels.ToTube().Foreground().Count} voxels, written to {target}");
Console.WriteLine($"thinner and pruned: {thin.Foreground().Count} voxels");
