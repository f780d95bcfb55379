module SkeletonRecall.Tests.ObjectiveTests

open System
open System.Text.Json
open Expecto
open SkeletonRecall

let private components (record: Parity.Record) : Term list =
    let batch, smooth =
        LossRecords.flag "batch_dice" record, LossRecords.number "smooth" record

    let weight (key: string) =
        match record.Json.GetProperty("params").TryGetProperty key with
        | true, value -> value.GetDouble()
        | _ -> 1.0

    [
        { Term.ofComponent (Component.CrossEntropy CrossEntropy.standard) with
            Weight = weight "weight_ce"
        }
        { Term.ofComponent (
              Component.SoftDice
                  { SoftDice.standard with
                      BatchDice = batch
                      Smooth = smooth
                  }
          ) with
            Weight = weight "weight_dice"
        }
        { Term.ofComponent (
              Component.SkeletonRecall
                  { SoftRecall.standard with
                      BatchDice = batch
                      Smooth = smooth
                  }
          ) with
            Weight = weight "weight_srec"
        }
    ]

let private objectiveOf (supervision: Supervision) (record: Parity.Record) : Objective =
    {
        Terms = components record
        Supervision = supervision
        Tube = Tube.standard
    }

let private headWeights (record: Parity.Record) : float list =
    [
        for weight in record.Json.GetProperty("params").GetProperty("weights").EnumerateArray() -> weight.GetDouble()
    ]

let private isTruncated (record: Parity.Record) : bool =
    match record.Json.GetProperty("params").TryGetProperty "levels_used" with
    | true, levels -> levels.ValueKind = JsonValueKind.Number
    | _ -> false

let private parsed (text: string) : Objective =
    match Objective.parse text with
    | Ok objective -> objective
    | Error message -> failtest message

[<Tests>]
let tests =
    testList
        "Objective"
        [
            LossRecords.tests "compound" (fun record ->
                LossRecords.single (Objective.headLoss (objectiveOf RecallAtFull record)))

            testList
                "term by term"
                [
                    LossRecords.tests "compound" (fun record ->
                        components record
                        |> List.map (fun term -> Loss.weighted term.Weight (Term.loss term))
                        |> Loss.sum
                        |> LossRecords.single)
                ]

            LossRecords.tests "deep_supervision" (fun record ->
                let supervision = if isTruncated record then FullResolution else AllHeads
                Objective.loss (objectiveOf supervision record) (headWeights record))

            testCase "the hand vectors of upstream's sum" (fun () ->
                use _scope = Tensors.scope ()

                for batch, wanted in [ true, 0.6626632; false, 0.6701506 ] do
                    let objective = Objective.withBatchDice batch Objective.skeletonRecall

                    let value =
                        Objective.headLoss objective (LossSamples.logits ()) (LossSamples.target ())

                    Expect.isLessThan (abs (Tensors.item value - wanted)) 1e-7 "value")

            testCase "recall stands on the finest head alone" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()
                let bare = { target with Skeleton = None }
                let weights = Loss.headWeights 3
                let targets = [ target; bare; bare ]

                let value =
                    Objective.loss Objective.skeletonRecall weights [ logits; logits; logits ] targets

                let full = Tensors.item (Objective.headLoss Objective.skeletonRecall logits target)
                let coarse = Tensors.item (Objective.headLoss Objective.nnunet logits bare)
                let wanted = weights[0] * full + weights[1] * coarse
                Expect.floatClose Accuracy.veryHigh (Tensors.item value) wanted "value")

            testCase "full resolution keeps its weight among the heads" (fun () ->
                use _scope = Tensors.scope ()
                let objective = Objective.withSupervision FullResolution Objective.skeletonRecall
                let logits, target = LossSamples.logits (), LossSamples.target ()
                let bare = { target with Skeleton = None }
                let heads = List.replicate 5 logits
                let targets = target :: List.replicate 4 bare
                let value = Objective.loss objective (Loss.headWeights 5) heads targets
                let full = Tensors.item (Objective.headLoss objective logits target)
                Expect.floatClose Accuracy.veryHigh (Tensors.item value) (8.0 / 15.0 * full) "value")

            testCase "all heads need their skeletons" (fun () ->
                use _scope = Tensors.scope ()
                let objective = Objective.withSupervision AllHeads Objective.skeletonRecall
                let logits, target = LossSamples.logits (), LossSamples.target ()
                let targets = [ target; { target with Skeleton = None }; target ]

                LossSamples.throwsNaming "target" [ "Skeleton" ] (fun () ->
                    Objective.loss objective (Loss.headWeights 3) [ logits; logits; logits ] targets))

            testCase "unequal lengths throw" (fun () ->
                use _scope = Tensors.scope ()
                let logits, target = LossSamples.logits (), LossSamples.target ()

                LossSamples.throwsNaming "targets" [ "2"; "1" ] (fun () ->
                    Objective.loss Objective.nnunet (Loss.headWeights 2) [ logits; logits ] [ target ]))

            testCase "a recall of weight 0 asks for nothing" (fun () ->
                use _scope = Tensors.scope ()
                let objective = Objective.withRecallWeight 0.0 Objective.skeletonRecall
                Expect.isFalse (Objective.needsSkeleton objective) "needs"

                let bare =
                    { LossSamples.target () with
                        Skeleton = None
                    }

                let logits = LossSamples.logits ()
                let value = Tensors.item (Objective.headLoss objective logits bare)
                Expect.equal value (Tensors.item (Objective.headLoss Objective.nnunet logits bare)) "value")

            testCase "what needs a skeleton" (fun () ->
                Expect.isTrue (Objective.needsSkeleton Objective.skeletonRecall) "recall"
                Expect.isFalse (Objective.needsSkeleton Objective.nnunet) "nnunet")

            testCase "the breakdown adds up" (fun () ->
                use _scope = Tensors.scope ()
                let objective = parsed "0.5*dice + 2*ce + 3.0*skeleton-recall"
                let logits, target = LossSamples.logits (), LossSamples.target ()
                let before = Tensors.liveCount ()
                let parts = Objective.breakdown objective logits target
                Expect.equal (Tensors.liveCount ()) before "alive"
                Expect.equal (List.map fst parts) [ "dice"; "ce"; "skeleton-recall" ] "names"

                let total =
                    List.map2 (fun (term: Term) (_, value) -> term.Weight * value) objective.Terms parts

                let whole = Tensors.item (Objective.headLoss objective logits target)
                Expect.floatClose Accuracy.veryHigh (List.sum total) whole "sum")

            testCase "an objective without terms is refused" (fun () ->
                use _scope = Tensors.scope ()
                let none = { Objective.nnunet with Terms = [] }

                LossSamples.throwsNaming "objective" [ "at least one term" ] (fun () ->
                    Objective.headLoss none (LossSamples.logits ()) (LossSamples.target ())))

            testCase "changes that have no meaning are refused" (fun () ->
                Expect.throwsT<ArgumentException>
                    (fun () -> Objective.withTubeRadius 3 Objective.nnunet |> ignore)
                    "radius"

                Expect.throwsT<ArgumentException>
                    (fun () -> Objective.withRecallWeight 2.0 Objective.nnunet |> ignore)
                    "weight"

                Expect.throwsT<ArgumentException>
                    (fun () -> Objective.withRecallWeight nan Objective.skeletonRecall |> ignore)
                    "NaN"

                Expect.throwsT<ArgumentException>
                    (fun () -> Objective.withTubeRadius -1 Objective.skeletonRecall |> ignore)
                    "negative")

            LossSamples.lawsOf (Objective.headLoss Objective.skeletonRecall)
            testList
                "batch"
                [
                    LossSamples.lawsOf (Objective.headLoss (Objective.withBatchDice true Objective.skeletonRecall))
                ]

            testCase "what needs what" (fun () ->
                let needs (text: string) = Objective.needs (parsed text)
                Expect.isNone (needs "nnunet").Tube "no tube"
                Expect.isSome (needs "dice + scnp(1.0*skeleton-recall, after=100)").Tube "inside, later"
                Expect.isNone (needs "dice + 0.0*scnp(1.0*skeleton-recall)").Tube "of weight 0"
                Expect.isTrue (needs "skeleton-recall on all-heads").SkeletonOnAllHeads "all heads"

                Expect.equal
                    (needs "dice + 1.0*skeleton-recall(tube-radius=1)").Tube
                    (Some
                        { Tube.standard with
                            Radius = TubeRadius.Steps 1
                        })
                    "its tube")

            testCase "schedules" (fun () ->
                let objective =
                    parsed "dice + 2.0*skeleton-recall(warm-up=4) + scnp(0.5*ce(after=3), after=1)"

                let at (epoch: int) =
                    Objective.print (Objective.at epoch objective)

                Expect.equal (at 0) "dice + 0.0*skeleton-recall + 0.0*scnp(0.0*ce)" "0"
                Expect.equal (at 1) "dice + 0.5*skeleton-recall + scnp(0.0*ce)" "1"
                Expect.equal (at 3) "dice + 1.5*skeleton-recall + scnp(0.5*ce)" "3"
                Expect.equal (at 400) "dice + 2.0*skeleton-recall + scnp(0.5*ce)" "400")

            testCase "a term that has not begun asks for nothing" (fun () ->
                use _scope = Tensors.scope ()
                let objective = Objective.at 0 (parsed "dice + 1.0*skeleton-recall(after=1)")

                let bare =
                    { LossSamples.target () with
                        Skeleton = None
                    }

                let value = Objective.headLoss objective (LossSamples.logits ()) bare
                let wanted = SoftDice.loss SoftDice.standard (LossSamples.logits ()) bare
                Expect.equal (Tensors.item value) (Tensors.item wanted) "value")

            testCase "a penalized recall stands on the finest head alone" (fun () ->
                use _scope = Tensors.scope ()
                let objective = parsed "dice + scnp(ce + 1.0*skeleton-recall)"
                let logits, target = LossSamples.logits (), LossSamples.target ()
                let bare = { target with Skeleton = None }

                let value =
                    Objective.loss objective [ 0.75; 0.25 ] [ logits; logits ] [ target; bare ]

                let full = Tensors.item (Objective.headLoss objective logits target)

                let coarse =
                    Tensors.item (Objective.headLoss (parsed "dice + scnp(ce)") logits bare)

                Expect.floatClose Accuracy.veryHigh (Tensors.item value) (0.75 * full + 0.25 * coarse) "value")

            testCase "batch Dice and recall weight reach inside" (fun () ->
                let objective =
                    parsed "tversky(gamma=2) + scnp(dice + 1.0*skeleton-recall)"
                    |> Objective.withBatchDice true
                    |> Objective.withRecallWeight 3.0

                Expect.equal
                    (Objective.print objective)
                    "tversky(gamma=2, batch-dice) + scnp(dice(batch-dice) + 3.0*skeleton-recall(batch-dice))"
                    "text")
        ]
