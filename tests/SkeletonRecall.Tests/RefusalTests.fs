/// Bad sizes, radii, spacings and counts at every public function of masks, skeletons, tubes and measures that takes them.
module SkeletonRecall.Tests.RefusalTests

open System
open System.Reflection
open Expecto
open SkeletonRecall

/// A call, what its message must hold, and the function that it calls.
type private Refusal =
    {
        Function: string
        Parts: string list
        Call: unit -> unit
    }

let private refusal (name: string) (parts: string list) (call: unit -> 'T) : Refusal =
    {
        Function = name
        Parts = parts
        Call = call >> ignore
    }

let private labels: LabelMap =
    Volume.create (Extent.plane 2 3) [| 0s; 1s; 1s; 0s; 2s; 0s |]

let private box: LabelMap = Volume.create (Extent.space 1 2 2) [| 0s; 1s; 1s; 0s |]
let private mask: Mask = Tube.binarize labels
let private volume: Mask = Tube.binarize box

let private badOptions: (TubeOptions * string) list =
    let radius (radius: TubeRadius) = { Tube.standard with Radius = radius }

    [
        radius (TubeRadius.Steps -1), "got -1"
        radius (TubeRadius.Steps 17), "got 17"
        radius (TubeRadius.Ball 0.0), "got 0"
        radius (TubeRadius.Ball -2.5), "got -2.5"
        radius (TubeRadius.Ball nan), "got NaN"
        radius (TubeRadius.Ball infinity), "got Inf"
        { Tube.standard with Prune = -1.5 }, "got -1.5"
        { Tube.standard with Prune = nan }, "got NaN"
    ]

let private into (options: TubeOptions) (spacing: Spacing) (length: int) : unit =
    let store = Array.zeroCreate<int16> 12
    Tube.ofLabelsInto options labels.Extent spacing (ReadOnlySpan(store, 0, length)) (Span(store, 6, 6))

let private tubes: Refusal list =
    [
        for options, got in badOptions do
            let refused (name: string) (call: TubeOptions -> 'T) =
                refusal name [ got ] (fun () -> call options)

            refused "Tube.ofLabels" (fun options -> Tube.ofLabels options labels)
            refused "Tube.ofLabelsInto" (fun options -> into options (Spacing.unit 2) 6)
            refused "Tube.ofMany" (fun options -> Tube.ofMany 1 options [| labels |])
            refused "Tube.ofRegions" (fun options -> Tube.ofRegions options [ [ 1s ] ] labels)
            refused "Tube.skeleton" (fun options -> Tube.skeleton options mask)
            refused "Tube.grow" (fun options -> Tube.grow options mask)
            refused "TubeGraph.ofLabels" (fun options -> TubeGraph.ofLabels options labels)
            refused "TubeOptions.require" TubeOptions.require
            refused "Objective.withTube" (fun options -> Objective.withTube options Objective.skeletonRecall)

        let zhang =
            { Tube.standard with
                Thinning = Some Thinning.Zhang
            }

        refusal "Tube.ofLabels" [ "1 x 2 x 2"; "Zhang" ] (fun () -> Tube.ofLabels zhang box)
        refusal "Tube.ofMany" [ "got 0" ] (fun () -> Tube.ofMany 0 Tube.standard [| labels |])
        refusal "Tube.ofLabelsInto" [ "5" ] (fun () -> into Tube.standard (Spacing.unit 2) 5)
        refusal "Tube.ofLabelsInto" [ "rank 3" ] (fun () -> into Tube.standard (Spacing.unit 3) 6)
        refusal "Skeleton.thinBy" [ "1 x 2 x 2"; "Zhang" ] (fun () -> Skeleton.thinBy Thinning.Zhang volume)
        refusal "Skeleton.thinGuarded" [ "1 x 2 x 2" ] (fun () -> Skeleton.thinGuarded Thinning.Zhang volume)
        refusal "Skeleton.thinMany" [ "got 0" ] (fun () -> Skeleton.thinMany 0 [| mask |])
        refusal "Skeleton.thinOn" [ "got -3" ] (fun () -> Skeleton.thinOn -3 mask)
        refusal "Skeleton.prune" [ "got -1" ] (fun () -> Skeleton.prune -1.0 mask)
        refusal "Skeleton.prune" [ "got NaN" ] (fun () -> Skeleton.prune nan mask)
    ]

let private sizes: Refusal list =
    let most = string Array.MaxLength

    [
        refusal "Extent.plane" [ "height is 0" ] (fun () -> Extent.plane 0 4)
        refusal "Extent.plane" [ "width is -4" ] (fun () -> Extent.plane 2 -4)
        refusal "Extent.plane" [ "50000 x 50000"; most ] (fun () -> Extent.plane 50000 50000)
        refusal "Extent.space" [ "depth is 0" ] (fun () -> Extent.space 0 1 1)
        refusal "Extent.space" [ "2000 x 2000 x 2000"; most ] (fun () -> Extent.space 2000 2000 2000)

        // The product is more than 64 bits hold.
        refusal "Extent.space" [ most ] (fun () -> Extent.space Int32.MaxValue Int32.MaxValue Int32.MaxValue)
        refusal "Extent.ofShape" [ "1 were given" ] (fun () -> Extent.ofShape [ 5 ])
        refusal "Extent.ofShape" [ "4 were given" ] (fun () -> Extent.ofShape [ 1; 2; 3; 4 ])
        refusal "Extent.ofShape" [ "2000 x 2000 x 2000" ] (fun () -> Extent.ofShape [ 2000; 2000; 2000 ])
        refusal "Spacing.ofList" [ "got 0" ] (fun () -> Spacing.ofList [ 1.0; 0.0 ])
        refusal "Spacing.ofList" [ "got -2" ] (fun () -> Spacing.ofList [ -2.0; 1.0 ])
        refusal "Spacing.ofList" [ "got NaN" ] (fun () -> Spacing.ofList [ 1.0; nan; 1.0 ])
        refusal "Spacing.ofList" [ "got Inf" ] (fun () -> Spacing.ofList [ infinity; 1.0 ])
        refusal "Spacing.ofList" [ "2 or 3" ] (fun () -> Spacing.ofList [ 1.0 ])
        refusal "Spacing.unit" [ "2 or 3" ] (fun () -> Spacing.unit 4)
        refusal "Volume.create" [ "2 x 3"; "6"; "5" ] (fun () -> Volume.create labels.Extent (Array.zeroCreate<int> 5))
        refusal "Volume.withSpacing" [ "rank 3" ] (fun () -> Volume.withSpacing (Spacing.unit 3) labels)
        refusal "Mask.withSpacing" [ "rank 3" ] (fun () -> Mask.withSpacing (Spacing.unit 3) mask)
        refusal "Tensors.ofArray" [ "(2, 3)"; "6"; "5" ] (fun () -> Tensors.ofArray [ 2L; 3L ] (Array.zeroCreate 5))
        refusal "Tensors.ofDoubles" [ "(2, 3)"; "7" ] (fun () -> Tensors.ofDoubles [ 2L; 3L ] (Array.zeroCreate 7))
        refusal "Tensors.ofInt16" [ "(2)"; "3" ] (fun () -> Tensors.ofInt16 [ 2L ] (Array.zeroCreate 3))
        refusal "Tensors.ofBytes" [ "(4)"; "1" ] (fun () -> Tensors.ofBytes [ 4L ] (Array.zeroCreate 1))
        refusal "ConnectivityPair.standard" [ "got 4" ] (fun () -> ConnectivityPair.standard 4)
    ]

let private measures: Refusal list =
    let between = Surface.distances Border.Erosion mask mask

    [
        for name, grow in [ "Morphology.dilate", Morphology.dilate; "Morphology.erode", Morphology.erode ] do
            refusal name [ "got -1" ] (fun () -> grow Element.Cross -1 mask)

            for millimetres, got in [ 0.0, "got 0"; -1.5, "got -1.5"; nan, "got NaN"; infinity, "got Inf" ] do
                refusal name [ got ] (fun () -> grow (Element.Ball millimetres) 1 mask)

        refusal "Components.split" [ "got 0" ] (fun () -> Components.split Connectivity.Eight 0 mask)
        refusal "Windows.tiles" [ "got 0" ] (fun () -> Windows.tiles 0 mask.Extent)
        refusal "Windows.map" [ "got -2" ] (fun () -> Windows.map -2 (fun _ _ -> 0) mask mask)
        refusal "Workers.map" [ "got 0" ] (fun () -> Workers.map 0 id [| 1 |])
        refusal "Workers.require" [ "got 0" ] (fun () -> Workers.require 0)

        for percent, got in [ -1.0, "got -1"; 101.0, "got 101"; nan, "got NaN" ] do
            refusal "Surface.hausdorff" [ got ] (fun () ->
                Surface.hausdorff Percentile.Linear Direction.Greater percent between)

        for tolerance, got in [ -0.5, "got -0.5"; nan, "got NaN" ] do
            refusal "Surface.overlaps" [ got ] (fun () -> Surface.overlaps tolerance between)
            refusal "Surface.dice" [ got ] (fun () -> Surface.dice tolerance between)
            refusal "Profile.withTolerance" [ got ] (fun () -> Profile.withTolerance tolerance Profile.paper)

        refusal "Profile.withWindow" [ "got 0" ] (fun () -> Profile.withWindow (Some 0) Profile.paper)

        for share, got in [ 0.0, "got 0"; 1.5, "got 1.5"; nan, "got NaN" ] do
            refusal "BranchDetection.ofSkeletons" [ got ] (fun () ->
                BranchDetection.ofSkeletons share mask mask mask mask)
    ]

let private all: Refusal list = tubes @ sizes @ measures

/// Names of arguments that have values which are wrong whatever the others are.
let private telling: Set<string> =
    set
        [
            "steps"
            "threads"
            "parts"
            "side"
            "least"
            "rank"
            "percent"
            "tolerance"
            "thinning"
            "depth"
            "height"
            "width"
            "shape"
        ]

/// Functions whose arguments of those names cannot be wrong, and why.
let private exempt: Set<string> =
    set
        [
            // A message in place of an exception.
            "TubeOptions.problem"
            // What `Tube.ofLabelsInto` calls.
            "Tube.ofLabelsIntoSpan"
        ]

let private takers: string list =
    [
        for kind in typeof<Mask>.Assembly.GetExportedTypes() do
            // Static classes are modules.
            if kind.IsAbstract && kind.IsSealed then
                for method' in kind.GetMethods(BindingFlags.Public ||| BindingFlags.Static) do
                    if
                        method'.GetParameters()
                        |> Array.exists (fun parameter ->
                            parameter.ParameterType = typeof<TubeOptions>
                            || telling.Contains(string parameter.Name))
                    then
                        let name = kind.Name

                        let name =
                            if name.EndsWith("Module", StringComparison.Ordinal) then
                                name.Substring(0, name.Length - 6)
                            else
                                name

                        $"%s{name}.%s{method'.Name}"
    ]
    |> List.distinct

[<Tests>]
let tests =
    testList
        "Refusals"
        [
            for name, refusals in List.groupBy _.Function all do
                test name {
                    for refusal in refusals do
                        let message =
                            try
                                refusal.Call()
                                "it was not refused"
                            with :? ArgumentException as refused ->
                                refused.Message

                        for part in refusal.Parts do
                            Expect.stringContains message part "message"

                        Expect.stringContains message "(Parameter '" "the argument is named"
                }

            test "every public function that takes such an argument is among them" {
                let tested = all |> List.map _.Function |> Set.ofList

                let missing =
                    takers
                    |> List.filter (fun name -> not (tested.Contains name || exempt.Contains name))

                Expect.equal missing [] "functions without a test of what they refuse"
            }
        ]
