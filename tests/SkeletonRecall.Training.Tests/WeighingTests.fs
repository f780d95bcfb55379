module SkeletonRecall.Tests.WeighingTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Tests.Rods

let private weighed (request: PrepareRequest) (configuration: string) : Result<Weighed, Problem> =
    Weighing.run
        {
            Roots = request.Roots
            Dataset = request.Dataset
            Checkpoint = None
            Configuration = configuration
            PlansName = "nnUNetPlans"
            Objective = None
            Batches = 1
            Ratio = 1.0
            Seed = 0
            Device = Device.Cpu
        }
        still

// Plans of a small network.
let private small (request: PrepareRequest) : unit =
    let plans = planned request

    let configuration =
        { plans.Configurations["3d_fullres"] with
            PatchSize = [ 8; 16; 16 ]
            BatchSize = 2
            Architecture = Toy.architecture [ 4; 8 ] 3 1
        }

    { plans with
        Configurations = Map.ofList [ "3d_fullres", configuration ]
    }
    |> Plans.print
    |> Store.writeText (Store.file (target request) "nnUNetPlans.json")
    |> Problem.orThrow

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Weighing"
        [
            test "an untrained network of a 3D configuration, on raw volumes and on preprocessed ones" {
                Toy.oneThread ()

                inFolder (fun _ request ->
                    small request

                    let check (what: string) =
                        let found = weighed request "3d_fullres" |> Problem.orThrow
                        let terms = found.Report.Terms
                        Expect.equal (terms |> List.map _.Name) [ "dice"; "ce"; "skeleton-recall" ] what

                        for term in terms do
                            Expect.isTrue (Double.IsFinite term.Value) $"%s{what}: value of %s{term.Name}"
                            Expect.isGreaterThan term.LogitsNorm 0.0 $"%s{what}: %s{term.Name} at the logits"
                            Expect.isGreaterThan term.WeightsNorm 0.0 $"%s{what}: %s{term.Name} at the weights"

                        Expect.isSome found.Suggested what
                        terms |> List.map (fun term -> term.Value, term.LogitsNorm)

                    let raw = check "raw volumes"
                    preprocessed request [ "3d_fullres" ] |> ignore
                    let stored = check "preprocessed volumes"

                    // The same patches of the same cases.
                    for (one, other) in List.zip raw stored do
                        Expect.floatClose Accuracy.medium (fst other) (fst one) "value"
                        Expect.floatClose Accuracy.medium (snd other) (snd one) "norm")
            }

            test "a configuration that the plans lack is named, with those that they have" {
                inFolder (fun _ request ->
                    small request
                    let text = message (weighed request "3d_lowres")

                    for part in [ "3d_lowres"; "3d_fullres"; "nnUNetPlans.json" ] do
                        Expect.stringContains text part "message")
            }
        ]
