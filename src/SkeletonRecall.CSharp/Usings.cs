// The F# assemblies by short names: the nouns of this assembly have the same names as theirs.
global using System;
global using System.Collections.Generic;
global using System.Linq;
global using System.Threading;
global using System.Threading.Tasks;
global using TorchSharp;
global using Core = SkeletonRecall;
global using CoreLoss = Microsoft.FSharp.Core.FSharpFunc<
    TorchSharp.torch.Tensor,
    Microsoft.FSharp.Core.FSharpFunc<SkeletonRecall.Target, TorchSharp.torch.Tensor>
>;
global using Pipeline = SkeletonRecall.Training;
global using Tensor = TorchSharp.torch.Tensor;
