/// Options and label maps for the tests of tubes.
module SkeletonRecall.Tests.Tubes

open System
open SkeletonRecall

/// Whether a tube is 0 or the label everywhere.
let isTubeOf (labels: LabelMap) (tube: LabelMap) : bool =
    Array.forall2 (fun (label: int16) painted -> painted = 0s || painted = label) labels.Data tube.Data

/// Upstream's options with another radius.
let steps (steps: int) : TubeOptions =
    { Tube.standard with
        Radius = TubeRadius.Steps steps
    }

/// Voxels that are not 0.
let count (labels: LabelMap) : int =
    labels.Data |> Array.sumBy (fun label -> if label <> 0s then 1 else 0)

/// The labels above 0.
let classes (labels: LabelMap) : int16 list =
    labels.Data
    |> Array.distinct
    |> Array.filter (fun label -> label > 0s)
    |> List.ofArray

/// One label alone.
let only (label: int16) (labels: LabelMap) : LabelMap =
    Volume.map (fun value -> if value = label then label else 0s) labels

/// A skeleton of each class.
let each: TubeOptions =
    { Tube.standard with
        SkeletonOf = SkeletonOf.EachClass
    }

/// Each option away from its default, and some together.
let variants: TubeOptions list =
    [
        each
        { Tube.standard with
            Radius = TubeRadius.Ball 2.5
        }
        { Tube.standard with Ignore = Some 2s }
        { Tube.standard with Guard = true }
        { Tube.standard with Prune = 4.0 }
        { Tube.standard with
            Thinning = Some Thinning.Lee
        }
        { each with
            Radius = TubeRadius.Ball 1.5
            Ignore = Some 1s
            Guard = true
            Prune = 3.0
        }
    ]

/// A label map from lines of digits and dots.
let labelsOf (lines: string list) : LabelMap =
    lines
    |> List.toArray
    |> Array.collect (fun line -> line.ToCharArray())
    |> Array.map (fun cell -> if cell = '.' then 0s else int16 cell - int16 '0')
    |> Volume.create (Extent.plane lines.Length lines[0].Length)

/// The lines of a label map.
let linesOf (labels: LabelMap) : string list =
    labels.Data
    |> Array.map (fun label -> if label = 0s then '.' else char (int '0' + int label))
    |> Array.chunkBySize labels.Extent.Width
    |> Array.map String
    |> List.ofArray
