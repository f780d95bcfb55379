// After `dotnet build -c Release`: `#load "init.fsx"` is all that a script needs.
#I "../src/SkeletonRecall.Cli/bin/Release/net10.0"
#r "TorchSharp.dll"
#r "SkeletonRecall.dll"
#r "SkeletonRecall.Training.dll"
#r "DynamicObj.dll"
#r "Giraffe.ViewEngine.dll"
#r "Plotly.NET.dll"
#r "SkeletonRecall.Charts.dll"

open System
open TorchSharp
open SkeletonRecall

// F# Interactive prints a volume or tensor as one line instead of its members.

let private number (value: float) : string =
    value.ToString("G4", Globalization.CultureInfo.InvariantCulture)

let private describe (kind: string) (toFloat: 'T -> float) (volume: Volume<'T>) : string =
    let values = volume.Data |> Array.map toFloat

    let share =
        float (values |> Array.filter (fun value -> value > 0.0) |> Array.length)
        / float values.Length

    $"%s{kind} %O{volume.Extent}, spacing %O{volume.Spacing}, range %s{number (Array.min values)} to %s{number (Array.max values)}, %s{number (100.0 * share)} %% foreground"

fsi.AddPrinter(fun (volume: Volume<float32>) -> describe "Volume<float32>" float volume)
fsi.AddPrinter(fun (volume: Volume<int16>) -> describe "LabelMap" float volume)
fsi.AddPrinter(fun (volume: Volume<byte>) -> describe "Volume<byte>" float volume)

fsi.AddPrinter(fun (mask: Mask) ->
    let share = float (Mask.count mask) / float mask.Extent.Count
    $"Mask %O{mask.Extent}, spacing %O{mask.Spacing}, %s{number (100.0 * share)} %% foreground")

fsi.AddPrinter(fun (tensor: torch.Tensor) ->
    let shape = String.Join(" x ", tensor.shape)
    $"Tensor [%s{shape}], %O{tensor.dtype}, %O{tensor.device}")
