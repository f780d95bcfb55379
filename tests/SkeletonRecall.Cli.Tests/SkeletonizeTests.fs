module SkeletonRecall.Cli.Tests.SkeletonizeTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

[<Tests>]
let tests =
    testList
        "skeletonize"
        [
            test "it makes upstream's tube of a PNG, and the bare skeleton at radius 0" {
                Commands.inFolder (fun folder ->
                    let labels =
                        (Synthetic.vessels
                            { Synthetic.standard with
                                Extent = Extent.plane 64 64
                            }
                            (Seed.ofInt 1))
                            .Labels.Value

                    let input = Path.Combine(folder, "mask.png")
                    Reader.writeLabels input labels |> Problem.orThrow

                    for radius, wanted in
                        [
                            2, Tube.ofLabels Tube.standard labels
                            0, labels |> Tube.binarize |> Skeleton.thin |> Tube.assignClasses labels
                        ] do
                        for ending in [ "png"; "npy" ] do
                            let output = Path.Combine(folder, "tube." + ending)

                            Commands.succeeded [ "skeletonize"; input; output; "--tube-radius"; string radius ]
                            |> ignore

                            let written = Reader.mask output |> Problem.orThrow |> fst
                            Expect.isTrue (Volume.equal wanted written) $"radius %d{radius}, %s{ending}")
            }

            test "it says in one line what is wrong" {
                Commands.inFolder (fun folder ->
                    let input = Path.Combine(folder, "mask.png")
                    let output = Path.Combine(folder, "tube.png")
                    Commands.failed 1 [ "skeletonize"; input; output ] [ "mask.png"; "not found" ]
                    File.WriteAllBytes(input, [| 137uy; 80uy; 78uy; 71uy; 13uy; 10uy; 26uy; 10uy; 0uy |])
                    Commands.failed 1 [ "skeletonize"; input; output ] [ "mask.png"; "cannot be read" ]
                    Commands.failed 1 [ "skeletonize"; input; Path.Combine(folder, "tube.gif") ] [ "one of .png" ]
                    Commands.failed 1 [ "skeletonize"; input; output; "--tube-radius"; "-1" ] [ "--tube-radius" ]
                    Commands.failed 1 [ "skeletonize"; input; output; "--method"; "magic" ] [ "magic"; "zhang or lee" ]
                    Expect.isFalse (File.Exists output) "nothing half-written")
            }

            test "it --graph writes tables and JSON beside the output" {
                Commands.inFolder (fun folder ->
                    let input = Path.Combine(folder, "mask.npy")
                    let output = Path.Combine(folder, "tube.npy")
                    // A bar of three rows with a bar of two columns that stands on it.
                    let labels =
                        Volume.create
                            (Extent.plane 30 40)
                            (Array.init 1200 (fun at ->
                                let row, column = at / 40, at % 40

                                if row >= 20 && row <= 22 && column >= 2 && column <= 37 then
                                    1s
                                elif row >= 4 && row < 20 && column >= 18 && column <= 20 then
                                    2s
                                else
                                    0s))

                    Reader.writeLabels input labels |> Problem.orThrow

                    let outcome =
                        Commands.succeeded [ "skeletonize"; input; output; "--graph"; "--spacing"; "0.5x0.25" ]

                    Expect.stringContains outcome.Output "3 branches" "summary"
                    Expect.stringContains outcome.Output "1 junctions, 3 ends" "summary"

                    use document =
                        JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "tube.graph.json")))

                    let branches = document.RootElement.GetProperty "branches"
                    Expect.equal (branches.GetArrayLength()) 3 "branches"

                    let wanted =
                        labels
                        |> Volume.withSpacing (Spacing.ofList [ 0.5; 0.25 ])
                        |> TubeGraph.ofLabels Tube.standard

                    Expect.equal
                        (File.ReadAllText(Path.Combine(folder, "tube.branches.csv")))
                        (GraphText.branches wanted)
                        "branches"

                    Expect.equal
                        (File.ReadAllText(Path.Combine(folder, "tube.nodes.csv")))
                        (GraphText.nodes wanted)
                        "nodes"

                    let tube, _ = Reader.mask output |> Problem.orThrow
                    Expect.equal tube.Data (Tube.ofLabels Tube.standard labels).Data "the tube itself")
            }

            test "it makes what the options of tubes say" {
                Commands.inFolder (fun folder ->
                    let input = Path.Combine(folder, "mask.npy")
                    let output = Path.Combine(folder, "tube.npy")

                    let labels =
                        Volume.create
                            (Extent.plane 40 60)
                            (Array.init 2400 (fun at ->
                                let row, column = at / 60, at % 60

                                if row >= 10 && row <= 14 then
                                    (if column < 40 then 1s else 3s)
                                elif row >= 15 && row <= 19 then
                                    2s
                                elif row >= 6 && row < 10 && column >= 20 && column <= 22 then
                                    1s
                                elif row >= 30 && row <= 31 && column >= 30 && column <= 31 then
                                    1s
                                else
                                    0s))

                    Reader.writeLabels input labels |> Problem.orThrow

                    for flags, options in
                        [
                            [ "--per-class" ],
                            { Tube.standard with
                                SkeletonOf = SkeletonOf.EachClass
                            }
                            [ "--ignore"; "3" ], { Tube.standard with Ignore = Some 3s }
                            [ "--guard" ], { Tube.standard with Guard = true }
                            [ "--prune"; "4.5"; "--tube-radius"; "0" ],
                            { Tube.standard with
                                Prune = 4.5
                                Radius = TubeRadius.Steps 0
                            }
                            [ "--tube-ball"; "2.5" ],
                            { Tube.standard with
                                Radius = TubeRadius.Ball 2.5
                            }
                            [ "--method"; "lee" ],
                            { Tube.standard with
                                Thinning = Some Thinning.Lee
                            }
                        ] do
                        Commands.succeeded ([ "skeletonize"; input; output ] @ flags) |> ignore
                        let tube, _ = Reader.mask output |> Problem.orThrow
                        Expect.equal tube.Data (Tube.ofLabels options labels).Data $"%A{flags}"

                    for flags, parts in
                        [
                            [ "--tube-radius"; "17" ], [ "--tube-radius"; "0 to 16" ]
                            [ "--tube-ball"; "0" ], [ "--tube-ball"; "above 0" ]
                            [ "--tube-ball"; "2"; "--tube-radius"; "2" ], [ "one of the two" ]
                            [ "--ignore"; "0" ], [ "--ignore"; "1 to 32767" ]
                            [ "--prune"; "-1" ], [ "--prune"; "0 mm or more" ]
                            [ "--spacing"; "1x0" ], [ "--spacing"; "1x0" ]
                            [ "--spacing"; "1x1x1" ], [ "--spacing"; "2"; "40 x 60" ]
                        ] do
                        Commands.failed 1 ([ "skeletonize"; input; output ] @ flags) parts)
            }
        ]
