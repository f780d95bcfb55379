module SkeletonRecall.Tests.ObjectiveSyntaxTests

open Expecto
open SkeletonRecall

let private read (text: string) : ObjectiveTree =
    match ObjectiveSyntax.explain text ObjectiveSyntax.read with
    | Ok tree -> tree
    | Error message -> failtest message

let private places (text: string) : (string * int) list =
    [
        for term in (read text).Terms do
            term.Name.Value, term.Name.At

            for option in term.Options do
                option.Name.Value, option.Name.At
    ]

[<Tests>]
let tests =
    testList
        "ObjectiveSyntax"
        [
            testCase "names and their places" (fun () ->
                Expect.equal (places "a + 2*b-c(d, e=1) ") [ "a", 1; "b-c", 7; "d", 11; "e", 14 ] "places")

            testCase "spaces do not matter" (fun () ->
                let names (text: string) = places text |> List.map fst
                Expect.equal (names "a+2*b(c=1,d)") (names " a  +  2 * b ( c = 1 , d ) ") "names")

            testCase "numbers" (fun () ->
                for text, wanted in [ "2", 2.0; "0.5", 0.5; ".5", 0.5; "1e-3", 1e-3; "1.5E+2", 150.0; "0", 0.0 ] do
                    let weight = (read $"%s{text}*a").Terms.Head.Weight |> Option.map _.Value
                    Expect.equal weight (Some wanted) text)

            testCase "numbers print as the shortest text that reads back" (fun () ->
                for value, wanted in [ 1e-5, "1e-05"; 0.1, "0.1"; 2.0, "2"; 1.0 / 3.0, "0.3333333333333333" ] do
                    Expect.equal (ObjectiveSyntax.number value) wanted "text"
                    Expect.equal (ObjectiveSyntax.tryNumber wanted) (Some value) "value")

            testCase "the supervision follows on" (fun () ->
                let tree = read "a + b on all-heads"
                Expect.equal tree.Supervision (Some { At = 10; Value = "all-heads" }) "supervision")
        ]
