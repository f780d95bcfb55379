module SkeletonRecall.Tests.SplitsTests

open System.IO
open Expecto
open SkeletonRecall.Training

let private cases (count: int) : CaseId list =
    List.init count (fun number -> CaseId.ofString $"case_%03d{number}")

let private numbers (cases: CaseId list) : int list =
    cases |> List.map (fun case -> int ((CaseId.value case).Substring 5))

let private validations (count: int) : int list list =
    Splits.fiveFold (cases count) |> List.map (fun fold -> numbers fold.Validation)

[<Tests>]
let tests =
    testList
        "Splits"
        [
            // scikit-learn's KFold(5, shuffle=True, random_state=12345).
            test "the five folds are nnU-Net's" {
                Expect.equal (validations 10) [ [ 0; 7 ]; [ 3; 9 ]; [ 4; 6 ]; [ 1; 8 ]; [ 2; 5 ] ] "10"

                Expect.equal
                    (validations 20)
                    [
                        [ 3; 8; 13; 16 ]
                        [ 0; 10; 12; 15 ]
                        [ 6; 7; 11; 17 ]
                        [ 9; 14; 18; 19 ]
                        [ 1; 2; 4; 5 ]
                    ]
                    "20"

                Expect.equal (validations 7) [ [ 3; 6 ]; [ 0; 4 ]; [ 1 ]; [ 5 ]; [ 2 ] ] "7"
            }

            test "each fold trains on the rest, in order, however the cases came" {
                let all = cases 13

                for fold in Splits.fiveFold (List.rev all) do
                    Expect.equal (List.sort (fold.Train @ fold.Validation)) all "all cases"
                    Expect.equal (List.sort fold.Train) fold.Train "sorted"

                Expect.equal (Splits.fiveFold (List.rev all)) (Splits.fiveFold all) "the same folds"
            }

            // RandomState(12345 + fold).choice(n, int(n * 0.8), replace=False).
            test "folds from 5 on are nnU-Net's random ones" {
                let fold = Splits.fold 5 (Splits.fiveFold (cases 20))
                Expect.equal (numbers fold.Train) [ 5; 9; 6; 18; 3; 1; 4; 13; 15; 7; 0; 10; 8; 12; 14; 11 ] "train"
                Expect.equal (numbers fold.Validation) [ 2; 16; 17; 19 ] "validation"
                let other = Splits.fold 6 (Splits.fiveFold (cases 7))
                Expect.equal (numbers other.Train) [ 6; 1; 2; 0; 4 ] "train of 7"
            }

            test "fold 0 to 4 is the list's" {
                let folds = Splits.fiveFold (cases 9)
                Expect.equal (Splits.fold 3 folds) folds[3] "3"
                Expect.throwsT<System.ArgumentException> (fun () -> Splits.fold -1 folds |> ignore) "-1"
            }

            test "too few cases and a case twice are refused" {
                Expect.throwsT<System.ArgumentException> (fun () -> Splits.fiveFold (cases 4) |> ignore) "4"

                Expect.throwsT<System.ArgumentException>
                    (fun () -> Splits.fiveFold (cases 5 @ cases 1) |> ignore)
                    "twice"
            }

            test "fold all trains and judges on everything" {
                let fold = Splits.all (List.rev (cases 3))
                Expect.equal (numbers fold.Train, numbers fold.Validation) ([ 0; 1; 2 ], [ 0; 1; 2 ]) "all"
            }

            test "splits_final.json goes out and comes back" {
                let folds = Splits.fiveFold (cases 8)
                Expect.equal (Splits.parse "s.json" (Splits.print folds)) (Ok folds) "round trip"
            }

            test "a broken file is a problem that names it" {
                for text in
                    [
                        "{}"
                        "[1]"
                        "[{\"train\": []}]"
                        "[{\"train\": [1], \"val\": []}]"
                        "["
                        "[{\"train\": [\"a/b\"], \"val\": []}]"
                    ] do
                    match Splits.parse "s.json" text with
                    | Error problem -> Expect.stringStarts (Problem.message problem) "s.json" text
                    | Ok folds -> failtest $"%A{folds}"
            }

            test "real files are nnU-Net's folds of their cases" {
                let folder = Golden.sharedPath [ "data"; "nnunet-json" ]

                for file in Directory.GetFiles(folder, "splits_final*.json", SearchOption.AllDirectories) do
                    match Splits.parse file (File.ReadAllText file) with
                    | Ok folds -> Expect.isNonEmpty folds file
                    | Error problem -> failtest (Problem.message problem)
            }
        ]
