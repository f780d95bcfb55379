// Written as a user of the façade writes: one namespace, and the F# core by another name where it is the yardstick.
global using System;
global using System.Collections.Generic;
global using System.IO;
global using System.Linq;
global using System.Threading;
global using System.Threading.Tasks;
global using Expecto;
global using Expecto.CSharp;
global using SkeletonRecall.CSharp;
global using TorchSharp;
global using Core = SkeletonRecall;
global using Pipeline = SkeletonRecall.Training;
