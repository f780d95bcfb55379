module SkeletonRecall.Tests.ObjectiveTextTests

open System.Globalization
open Expecto
open SkeletonRecall

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
            refusedAt 8 [ "'dise' is no loss"; "(near: dice)" ] "dice + dise"
            refusedAt 8 [ "the name of a loss"; "the end of the text" ] "dice + "
            refusedAt 6 [ "'+'"; "'ce'" ] "dice ce"
            refusedAt 2 [ "decimal point"; "','" ] "0,5*dice"
            refusedAt 1 [ "at least 0"; "-1" ] "-1*dice"
            refusedAt 3 [ "'*'"; "'d'" ] "2 dice"
            refusedAt 6 [ "'radius' is no option of dice"; "batch-dice, background" ] "dice(radius=3)"
            refusedAt 13 [ "smooth"; "number"; "'high'" ] "dice(smooth=high)"
            refusedAt 6 [ "smooth wants a number" ] "dice(smooth)"
            refusedAt 13 [ "at least 0"; "-2" ] "dice(smooth=-2)"
            refusedAt 20 [ "0..1"; "1.5" ] "ce(label-smoothing=1.5)"
            refusedAt 17 [ "stands alone" ] "dice(batch-dice=1)"
            refusedAt 1 [ "a weight is a number"; "'NaN'" ] "NaN*dice"
            refusedAt 6 [ "a weight is a number"; "'inf'" ] "ce + inf*dice"
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
            refusedAt 1 [ "no loss and no preset"; "(near: nnunet)" ] "nunet"
            refusedAt 8 [ "'nnunet' is a preset" ] "dice + nnunet"
            refusedAt 6 [ "dice holds no losses"; "smooth" ] "dice(2*ce)"
            refusedAt 6 [ "dice holds no losses" ] "dice(ce + dice)"
            refusedAt 1 [ "scnp wants losses" ] "scnp(window=3)"
            refusedAt 16 [ "'dise' is no loss"; "(near: dice)" ] "scnp(scnp(ce + dise))"
            refusedAt 10 [ "odd"; "4" ] "scnp(ce, window=4)"
            refusedAt 17 [ "in 3..99"; "1" ] "scnp(ce, window=1)"
            refusedAt 8 [ "',' or ')'" ] "scnp(ce; ce)"
            refusedAt 10 [ "the name of a loss" ] "scnp(2 * )"
            refusedAt 15 [ "exclude each other" ] "dice(after=1, warm-up=2)"
            refusedAt 14 [ "in 1.."; "not 0" ] "dice(warm-up=0)"
            refusedAt 6 [ "no option of dice"; "(near: after)" ] "dice(aftr=3)"
            refusedAt 32 [ "exclude each other" ] "skeleton-recall(tube-radius=2, tube-ball=1.5)"
            refusedAt 27 [ "above 0"; "0" ] "skeleton-recall(tube-ball=0)"
            refusedAt 26 [ "zhang or lee"; "'guo'" ] "skeleton-recall(thinning=guo)"
            refusedAt 29 [ "in 0..16"; "17" ] "skeleton-recall(tube-radius=17)"
        ]

[<Tests>]
let tests =
    testList
        "ObjectiveText"
        [
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

            testPropertyWithConfig Objectives.arbitrary "the text reads back" roundTrip

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

            testCase "a preset by its name, with and without a supervision" (fun () ->
                for name, text in Objective.presets do
                    Expect.equal (Objective.parse name) (Objective.parse $"1.0*%s{text.TrimStart()}") name

                Expect.equal (parsed "nnunet") Objective.nnunet "nnunet"
                Expect.equal (parsed "skeleton-recall") Objective.skeletonRecall "skeleton recall"

                Expect.equal
                    (parsed "skeleton-recall on all-heads")
                    (Objective.withSupervision AllHeads Objective.skeletonRecall)
                    "supervision")

            testCase "a loss that has a preset's name is written with its weight" (fun () ->
                Expect.equal
                    (parsed "1.0*tversky").Terms
                    [ Term.ofComponent (Component.Tversky Tversky.standard) ]
                    "loss"

                Expect.equal (Objective.print (parsed "1.0*tversky")) "1.0*tversky" "text"
                Expect.equal (parsed "1.0*skeleton-recall").Terms.Length 1 "recall alone"
                roundTrip (parsed "1.0*skeleton-recall on full-resolution"))

            testCase "everything that a tube may be told" (fun () ->
                let text =
                    "dice + 1.0*skeleton-recall(present-only, tube-ball=2.5, per-class, ignore=7, guard, prune=3, thinning=lee)"

                Expect.equal
                    (parsed text).Tube
                    {
                        Radius = TubeRadius.Ball 2.5
                        SkeletonOf = SkeletonOf.EachClass
                        Ignore = Some 7s
                        Guard = true
                        Prune = 3.0
                        Thinning = Some Thinning.Lee
                    }
                    "tube"

                Expect.equal (Objective.print (parsed text)) text "text")

            testCase "nested terms with options" (fun () ->
                let text =
                    "dice + 0.5*scnp(ce(label-smoothing=0.1) + scnp(focal(gamma=3, alpha=0.5, after=2)), window=5, warm-up=10)"

                Expect.equal (Objective.print (parsed text)) text "text"
                Expect.equal (Objective.print (parsed "scnp( dice )")) "scnp(dice)" "a bare name")

            errors
        ]
