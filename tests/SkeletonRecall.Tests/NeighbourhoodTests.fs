module SkeletonRecall.Tests.NeighbourhoodTests

open System
open Expecto
open SkeletonRecall

let private all =
    [
        Connectivity.Four
        Connectivity.Eight
        Connectivity.Six
        Connectivity.Eighteen
        Connectivity.TwentySix
    ]

[<Tests>]
let tests =
    testList
        "Neighbourhood"
        [
            testCase "as many neighbours as the name says"
            <| fun () ->
                for connectivity in all do
                    let neighbours = Connectivity.neighbours connectivity
                    Expect.equal neighbours.Length (Connectivity.size connectivity) $"%A{connectivity}"

                    for struct (slice, row, column) in neighbours do
                        Expect.contains neighbours (struct (-slice, -row, -column)) "neighbours are mutual"

            testCase "pairs print and parse"
            <| fun () ->
                for text in [ "8/4"; "4/8"; "26/6"; "6/26"; "18/6"; "6/18" ] do
                    Expect.equal (ConnectivityPair.parse text |> Result.map ConnectivityPair.print) (Ok text) text

                for text in [ ""; "8/8"; "18/26"; "8"; "4\\8" ] do
                    Expect.isError (ConnectivityPair.parse text) text

            testCase "pairs are dual"
            <| fun () ->
                Expect.equal (ConnectivityPair.print (ConnectivityPair.standard 2)) "8/4" "planes"
                Expect.equal (ConnectivityPair.print (ConnectivityPair.standard 3)) "26/6" "volumes"

                for connectivity in all |> List.except [ Connectivity.Eighteen ] do
                    let pair = ConnectivityPair.dual connectivity
                    Expect.equal (ConnectivityPair.dual pair.Background).Background connectivity "dual of the dual"

                Expect.equal (ConnectivityPair.print (ConnectivityPair.dual Connectivity.Eighteen)) "18/6" "18"

                Expect.throwsT<ArgumentException> (fun () -> ConnectivityPair.standard 4 |> ignore) "rank 4"
        ]
