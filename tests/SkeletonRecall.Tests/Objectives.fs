namespace SkeletonRecall.Tests

open Expecto
open FsCheck
open FsCheck.FSharp
open SkeletonRecall

/// Any objective that has a text.
type ObjectiveTexts =
    static member Objective() : Arbitrary<Objective> =
        let weight =
            Gen.oneof
                [
                    Gen.elements [ 0.0; 1.0; 0.5; 2.0; 1e-7; 1e21 ]
                    Gen.choose (0, 1000) |> Gen.map (fun raw -> float raw / 7.0)
                ]

        let schedule =
            Gen.oneof
                [
                    Gen.constant WeightSchedule.Constant
                    Gen.choose (1, 500) |> Gen.map WeightSchedule.WarmUp
                    Gen.choose (0, 500) |> Gen.map WeightSchedule.After
                ]

        let flag = Gen.elements [ false; true ]
        let smooth = Gen.elements [ 1e-5; 1.0; 0.0; 0.1; 3e-8 ]
        let share = Gen.elements [ 0.0; 0.3; 0.7; 1.0; 2.5 ]

        let crossEntropy =
            Gen.elements [ 0.0; 0.1; 1.0 ]
            |> Gen.map (fun share -> Component.CrossEntropy { LabelSmoothing = share })

        let dice =
            gen {
                let! batch = flag
                let! background = flag
                let! plain = flag
                let! present = flag
                let! smooth = smooth

                return
                    Component.SoftDice
                        {
                            BatchDice = batch
                            Background = background
                            Smooth = smooth
                            Plain = plain
                            PresentOnly = present
                        }
            }

        let recall =
            gen {
                let! batch = flag
                let! present = flag
                let! smooth = smooth

                return
                    Component.SkeletonRecall
                        {
                            BatchDice = batch
                            Smooth = smooth
                            PresentOnly = present
                        }
            }

        let tversky =
            gen {
                let! batch = flag
                let! background = flag
                let! positives = share
                let! negatives = share
                let! gamma = Gen.elements [ 1.0; 4.0 / 3.0; 2.0 ]
                let! smooth = smooth

                return
                    Component.Tversky
                        {
                            FalsePositives = positives
                            FalseNegatives = negatives
                            Gamma = gamma
                            BatchDice = batch
                            Background = background
                            Smooth = smooth
                        }
            }

        let focal =
            gen {
                let! gamma = Gen.elements [ 0.0; 2.0; 0.5 ]
                let! alpha = Gen.elements [ None; Some 0.25; Some 1.0 ]
                return Component.Focal { Gamma = gamma; Alpha = alpha }
            }

        let tube =
            gen {
                let! radius =
                    Gen.oneof
                        [
                            Gen.choose (0, 16) |> Gen.map TubeRadius.Steps
                            Gen.elements [ 0.5; 2.25 ] |> Gen.map TubeRadius.Ball
                        ]

                let! part = Gen.elements [ SkeletonOf.MergedForeground; SkeletonOf.EachClass ]
                let! ignored = Gen.elements [ None; Some 0s; Some 255s ]
                let! guard = flag
                let! prune = Gen.elements [ 0.0; 4.5 ]
                let! thinning = Gen.elements [ None; Some Thinning.Zhang; Some Thinning.Lee ]

                return
                    {
                        Radius = radius
                        SkeletonOf = part
                        Ignore = ignored
                        Guard = guard
                        Prune = prune
                        Thinning = thinning
                    }
            }

        let others =
            gen {
                let! iterations = Gen.choose (0, 40)
                let! smooth = smooth
                let! background = flag
                let! part = Gen.elements [ 0.0; 0.5; 1.0 ]
                let! percent = Gen.elements [ 10.0; 0.5; 100.0 ]

                return!
                    Gen.elements
                        [
                            Component.TopK
                                {
                                    Percent = percent
                                    LabelSmoothing = part
                                }
                            Component.ClDice
                                {
                                    Iterations = iterations
                                    Smooth = smooth
                                    Background = background
                                    DiceShare = part
                                }
                            Component.ClCe { Iterations = iterations }
                            Component.CbDice
                                {
                                    Iterations = iterations
                                    Smooth = smooth
                                }
                            Component.Boundary
                            Component.PrecisionGuard { Margin = percent; Smooth = smooth }
                        ]
            }

        let leaf = Gen.oneof [ crossEntropy; dice; recall; tversky; focal; others ]

        let rec terms (depth: int) : Gen<Term list> =
            let held =
                gen {
                    let! inner = terms (depth - 1)
                    let! window = Gen.elements [ 3; 5; 9 ]
                    return Component.Scnp({ Window = window }, inner)
                }

            let term =
                gen {
                    let! weight = weight
                    let! schedule = schedule

                    let! loss =
                        if depth = 0 then
                            leaf
                        else
                            Gen.frequency [ 4, leaf; 1, held ]

                    return
                        {
                            Weight = weight
                            Schedule = schedule
                            Component = loss
                        }
                }

            gen {
                let! count = Gen.choose (1, 4)
                return! Gen.listOfLength count term
            }

        let rec holdsRecall (term: Term) : bool =
            Term.isRecall term || List.exists holdsRecall (Term.inner term)

        gen {
            let! terms = terms 2
            let! supervision = Gen.elements Supervision.all
            let! tube = tube

            return
                {
                    Terms = terms
                    Supervision = supervision
                    Tube =
                        if List.exists holdsRecall terms then
                            tube
                        else
                            Tube.standard
                }
        }
        |> Arb.fromGen

/// Property tests over objectives.
[<RequireQualifiedAccess>]
module Objectives =

    let arbitrary: FsCheckConfig =
        { FsCheckConfig.defaultConfig with
            arbitrary = [ typeof<ObjectiveTexts> ]
        }
