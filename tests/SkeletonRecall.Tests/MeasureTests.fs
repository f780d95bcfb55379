module SkeletonRecall.Tests.MeasureTests

open System.Globalization
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Measure"
        [
            testCase "names are read back, however they are written"
            <| fun () ->
                for measure in Measure.all do
                    let name = Measure.print measure
                    Expect.equal (Measure.parse name) (Ok measure) name
                    Expect.equal (Measure.parse (name.ToUpper(CultureInfo.InvariantCulture))) (Ok measure) name

                Expect.equal (Measure.parse "b0-error") (Ok Measure.B0Error) "b0-error"
                Expect.equal (Measure.parse "topology_precision") (Ok Measure.TopologyPrecision) "topology_precision"

            testCase "names are distinct and every measure has one"
            <| fun () ->
                let names = Measure.all |> List.map Measure.print
                Expect.equal (List.distinct names).Length names.Length "distinct"

                let cases = FSharp.Reflection.FSharpType.GetUnionCases(typeof<Measure>)

                Expect.equal Measure.all.Length cases.Length "all"

            testCase "other names are errors that list the known ones"
            <| fun () ->
                match Measure.parse "dise" with
                | Ok measure -> failtestf "dise was read as %O" measure
                | Error message ->
                    Expect.stringContains message "\"dise\"" "got"
                    Expect.stringContains message "clDice" "wanted"
        ]
