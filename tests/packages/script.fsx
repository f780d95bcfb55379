#r "nuget: SkeletonRecall.Training, VERSION"
#r "nuget: libtorch-cpu-linux-x64, 2.10.0"

open SkeletonRecall
open SkeletonRecall.Training
open TorchSharp

let case = Synthetic.vessels Synthetic.standard (Seed.ofInt 1)
let tube = Tube.ofLabels Tube.standard case.Labels.Value
LibTorch.ensure ()
let three = torch.ones(3L).sum().item<float32>()
printfn "%d pixels of tube, sum %g, libtorch %A" (Mask.count (Tube.binarize tube)) three (LibTorch.folder ())
exit (if three = 3.0f then 0 else 1)
