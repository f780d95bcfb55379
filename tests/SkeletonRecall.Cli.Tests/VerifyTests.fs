module SkeletonRecall.Cli.Tests.VerifyTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall

let private writeData (root: string) : string =
    ToyData.write (Extent.plane 48 48) 3 1 root

[<Tests>]
let tests =
    testList
        "verify"
        [
            test "a good data set passes, by number, by name, by -d and by folder" {
                Commands.inFolder (fun root ->
                    let folder = writeData root

                    for arguments in [ [ "1" ]; [ "Dataset001_Toy" ]; [ folder ]; [ "-d"; "1"; "-np"; "2" ] ] do
                        let outcome = Commands.run ([ "verify" ] @ arguments @ [ "--root"; root ])
                        Expect.equal outcome.Code 0 $"%A{arguments}: %s{outcome.Error}"
                        Expect.stringContains outcome.Output "3 cases" "cases"
                        Expect.stringContains outcome.Output "nothing is wrong" "verdict")
            }

            test "what is wrong is printed, as lines or as JSON, and ends with exit code 1" {
                Commands.inFolder (fun root ->
                    let folder = writeData root
                    File.Delete(Path.Combine(folder, "labelsTr", "vessels_001.png"))
                    let outcome = Commands.run [ "verify"; "1"; "--root"; root ]
                    Expect.equal outcome.Code 1 "exit code"
                    Expect.stringContains outcome.Output "wrong (case vessels_001)" "line"
                    Expect.stringContains outcome.Output "1 wrong, 0 doubtful" "verdict"

                    let outcome = Commands.run [ "verify"; "1"; "--json"; "--root"; root ]
                    Expect.equal outcome.Code 1 "exit code"
                    use json = JsonDocument.Parse outcome.Output
                    let data = json.RootElement[0]
                    Expect.isFalse (data.GetProperty("passed").GetBoolean()) "passed"
                    Expect.equal (data.GetProperty("cases").GetInt32()) 3 "cases"
                    let finding = data.GetProperty("findings")[0]
                    Expect.equal (finding.GetProperty("case").GetString()) "vessels_001" "case"
                    Expect.stringContains (string (finding.GetProperty("message").GetString())) "labelsTr" "message")
            }

            test "no data set, an unknown one and no worker are one line" {
                Commands.inFolder (fun root ->
                    for arguments, part in
                        [ [], "no data set"; [ "7" ], "data set 7"; [ "1"; "-np"; "0" ], "--workers" ] do
                        let outcome = Commands.run ([ "verify" ] @ arguments @ [ "--root"; root ])
                        Expect.equal outcome.Code 1 $"%A{arguments}"
                        Expect.equal (outcome.Error.TrimEnd().Split('\n').Length) 1 outcome.Error
                        Expect.stringContains outcome.Error part "message")
            }
        ]
