module SkeletonRecall.Tests.ObjectiveTests

open System
open System.Globalization
open System.Text.Json
open Expecto
open FsCheck
open FsCheck.FSharp
open SkeletonRecall

let private components (record: Parity.Record) : Term list =
    let batch, smooth =
        LossRecords.flag "batch_dice" record, LossRecords.number "smooth" record

    let weight (key: string) =
        match record.Json.GetProperty("params").TryGetProperty key with
        | true, value -> value.GetDouble()
        | _ -> 1.0

    [
        {
            Weight = weight "weight_ce"
            Component = Component.CrossEntropy CrossEntropy.standard
        }
        {
            Weight = weight "weight_dice"
            Component =
                Component.SoftDice
                    { SoftDice.standard with
                        BatchDice = batch
                        Smooth = smooth
                    }
        }
        {
            Weight = weight "weight_srec"
            Component =
                Component.SkeletonRecall
                    { SoftRecall.standard with
                        BatchDice = batch
                        Smooth = smooth
                    }
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

/// Any objective that has a text.
type private Texts =
    static member Objective() : Arbitrary<Objective> =
        let weight =
            Gen.oneof
                [
                    Gen.elements [ 0.0; 1.0; 0.5; 2.0; 1e-7; 1e21 ]
                    Gen.choose (0, 1000) |> Gen.map (fun raw -> float raw / 7.0)
                ]

        let flag = Gen.elements [ false; true ]
        let smooth = Gen.elements [ 1e-5; 1.0; 0.0; 0.1; 3e-8 ]

        let crossEntropy =
            Gen.elements [ 0.0; 0.1; 1.0 ]
            |> Gen.map (fun share -> Component.CrossEntropy { LabelSmoothing = share })

        let dice =
            gen {
                let! batch = flag
                let! background = flag
                let! smooth = smooth

                return
                    Component.SoftDice
                        { SoftDice.standard with
                            BatchDice = batch
                            Background = background
                            Smooth = smooth
                        }
            }

        let recall =
            gen {
                let! batch = flag
                let! smooth = smooth

                return
                    Component.SkeletonRecall
                        { SoftRecall.standard with
                            BatchDice = batch
                            Smooth = smooth
                        }
            }

        gen {
            let! count = Gen.choose (1, 5)

            let! terms =
                Gen.listOfLength
                    count
                    (Gen.map2
                        (fun weight loss -> { Weight = weight; Component = loss })
                        weight
                        (Gen.oneof [ crossEntropy; dice; recall ]))

            let! supervision = Gen.elements Supervision.all
            let! radius = Gen.choose (0, 5)

            return
                {
                    Terms = terms
                    Supervision = supervision
                    Tube =
                        if List.exists Term.isRecall terms then
                            { Tube.standard with
                                Radius = TubeRadius.Steps radius
                            }
                        else
                            Tube.standard
                }
        }
        |> Arb.fromGen

let private withArbitrary =
    { FsCheckConfig.defaultConfig with
        arbitrary = [ typeof<Texts> ]
    }

/// A culture with a decimal comma, which needs no data of the machine, and de-DE where the machine knows it.
let private commaCultures: CultureInfo list =
    let comma = CultureInfo.InvariantCulture.Clone() :?> CultureInfo
    comma.NumberFormat.NumberDecimalSeparator <- ","
    comma.NumberFormat.NumberGroupSeparator <- "."

    try
        [ comma; CultureInfo.GetCultureInfo "de-DE" ]
    with :? CultureNotFoundException ->
        [ comma ]

let private inCulture (culture: CultureInfo) (act: unit -> unit) : unit =
    let before = CultureInfo.CurrentCulture
    CultureInfo.CurrentCulture <- culture

    try
        act ()
    finally
        CultureInfo.CurrentCulture <- before

let private roundTrip (objective: Objective) : unit =
    Expect.equal (Objective.parse (Objective.print objective)) (Ok objective) (Objective.print objective)

let private parsed (text: string) : Objective =
    match Objective.parse text with
    | Ok objective -> objective
    | Error message -> failtest message

/// Fails unless the text is refused at the character, with all the parts in the message.
let private refusedAt (at: int) (parts: string list) (text: string) : Test =
    testCase $"\"%s{text}\"" (fun () ->
        match Objective.parse text with
        | Ok objective -> failtest $"read as %s{Objective.print objective}"
        | Error message ->
            Expect.stringStarts message $"At character %d{at} of \"%s{text}\": " "place"
            Expect.isFalse (message.Contains '\n') "one line"

            for part in parts do
                Expect.stringContains message part "reason")

let private errors =
    testList
        "errors point at the character"
        [
            refusedAt 1 [ "the name of a loss"; "the end of the text" ] ""
            refusedAt 8 [ "'dise' is no loss"; "ce, dice and skeleton-recall" ] "dice + dise"
            refusedAt 8 [ "the name of a loss"; "the end of the text" ] "dice + "
            refusedAt 6 [ "'+'"; "'ce'" ] "dice ce"
            refusedAt 2 [ "decimal point"; "','" ] "0,5*dice"
            refusedAt 1 [ "at least 0"; "-1" ] "-1*dice"
            refusedAt 3 [ "'*'"; "'d'" ] "2 dice"
            refusedAt 6 [ "'radius' is no option of dice"; "batch-dice, background and smooth" ] "dice(radius=3)"
            refusedAt 13 [ "smooth"; "number"; "'high'" ] "dice(smooth=high)"
            refusedAt 6 [ "smooth wants a number" ] "dice(smooth)"
            refusedAt 13 [ "at least 0"; "-2" ] "dice(smooth=-2)"
            refusedAt 20 [ "0..1"; "1.5" ] "ce(label-smoothing=1.5)"
            refusedAt 17 [ "stands alone" ] "dice(batch-dice=1)"
            refusedAt 16 [ "given twice" ] "dice(smooth=1, smooth=2)"
            refusedAt 17 [ "whole number"; "1.5" ] "skeleton-recall(tube-radius=1.5)"
            refusedAt 12 [ "',' or ')'"; "end" ] "dice(smooth"
            refusedAt
                54
                [ "contradicts tube-radius=1" ]
                "skeleton-recall(tube-radius=1) + 2.0*skeleton-recall(tube-radius=3)"
            refusedAt 9 [ "\"some\" is no supervision"; "all-heads" ] "dice on some"
            refusedAt 19 [ "the end of the text"; "'+'" ] "dice on all-heads + ce"
            refusedAt 6 [ "'+'" ] "dice ; ce"
        ]

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

            testCase "the presets' texts" (fun () ->
                Expect.equal (Objective.print Objective.nnunet) "dice + ce" "nnunet"

                Expect.equal
                    (Objective.print Objective.skeletonRecall)
                    "dice + ce + 1.0*skeleton-recall"
                    "skeleton recall")

            testCase "options in the text" (fun () ->
                let objective =
                    parsed
                        "0.5*dice(batch-dice, background, smooth=1) + ce(label-smoothing=.1) + skeleton-recall(tube-radius=3) on all-heads"

                Expect.equal objective.Tube.Radius (TubeRadius.Steps 3) "radius"
                Expect.equal objective.Supervision AllHeads "supervision"

                Expect.equal
                    (Objective.print objective)
                    "0.5*dice(batch-dice, background, smooth=1) + ce(label-smoothing=0.1) + 1.0*skeleton-recall(tube-radius=3) on all-heads"
                    "text")

            testPropertyWithConfig withArbitrary "the text reads back" roundTrip

            testCase "cultures do not matter" (fun () ->
                let objective = parsed "0.5*dice + ce + 1.25*skeleton-recall(smooth=1e-3)"

                for culture in commaCultures do
                    inCulture culture (fun () ->
                        Expect.equal
                            (parsed "0.5*dice + ce + 1.25*skeleton-recall(smooth=1e-3)")
                            objective
                            culture.Name

                        Expect.equal
                            (Objective.print objective)
                            "0.5*dice + ce + 1.25*skeleton-recall(smooth=0.001)"
                            culture.Name

                        roundTrip objective))

            errors
            LossSamples.lawsOf (Objective.headLoss Objective.skeletonRecall)
            testList
                "batch"
                [
                    LossSamples.lawsOf (Objective.headLoss (Objective.withBatchDice true Objective.skeletonRecall))
                ]
        ]
