using System;
using SkeletonRecall.CSharp;

Case vessels = Synthetic.Vessels(seed: 1);
LabelMap tube = vessels.Labels!.ToTube();
Loss paper = Loss.CrossEntropy() + Loss.SoftDice() + 1.0 * Loss.SkeletonRecall();
LibTorch.Ensure();
using var one = TorchSharp.torch.ones(3);
Console.WriteLine($"{tube.Extent}, {paper}, sum {one.sum().item<float>()}");
return one.sum().item<float>() == 3 ? 0 : 1;
