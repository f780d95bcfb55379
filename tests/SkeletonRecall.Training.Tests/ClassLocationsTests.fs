module SkeletonRecall.Tests.ClassLocationsTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private dataset: Dataset =
    Dataset.create "Dataset901_Locations" [ "grey" ] [ "background", 0; "wall", 1; "lumen", 2 ] ".png" 1

// Regions that overlap and are not in the order of their labels; 4 is to be ignored.
let private regions: Dataset =
    { dataset with
        Regions =
            [
                for number, (name, labels) in List.indexed [ "lumen", [ 2 ]; "vessel", [ 2; 1 ]; "wire", [ 3 ] ] do
                    {
                        Name = name
                        Labels = labels
                        Paint = number + 1
                    }
            ]
        Ignore = Some 4
    }

let private map (labels: int16[]) : LabelMap = Volume.create (Extent.plane 3 4) labels

let private labels = map [| 0s; 1s; 2s; 4s; 2s; -1s; 1s; 4s; 0s; 3s; 2s; 1s |]

// The first numbers of numpy's RandomState(1234), asked for in this order: the positions that are kept.
let private drawn (places: int[] list) : int[] list =
    let random = NumpyRandom 1234u

    places
    |> List.map (fun places -> random.Permutation places.Length |> Array.map (fun index -> places[index]))

[<Tests>]
let tests =
    testList
        "ClassLocations"
        [
            test "without regions the classes are the labels" {
                let found = ClassLocations.ofDataset dataset labels

                let wanted =
                    drawn [ [| 1; 6; 11 |]; [| 2; 4; 10 |]; [| 9 |]; [| 3; 7 |] ]
                    |> List.mapi (fun number places -> number + 1, places)

                Expect.equal found.Classes (Map wanted) "ascending, also those that dataset.json does not name"
                Expect.isNone found.Annotated "nothing is ignored"
            }

            test "with regions the classes are the regions, from 1 in their order, and share positions" {
                let found = ClassLocations.ofDataset regions labels

                match
                    drawn
                        [
                            [| 2; 4; 10 |]
                            [| 1; 2; 4; 6; 10; 11 |]
                            [| 9 |]
                            [| 0; 1; 2; 4; 5; 6; 8; 9; 10; 11 |]
                        ]
                with
                | [ lumen; vessel; wire; annotated ] ->
                    Expect.equal found.Classes (Map [ 1, lumen; 2, vessel; 3, wire ]) "positions in numpy's order"
                    Expect.equal found.Annotated (Some annotated) "all but the ignored ones"
                | _ -> failtest "four draws"
            }

            test "a region that does not occur is no class, and the next keep their numbers" {
                let found =
                    ClassLocations.ofDataset
                        regions
                        (map (labels.Data |> Array.map (fun label -> if label = 2s then 0s else label)))

                Expect.equal (found.Classes |> Map.toList |> List.map fst) [ 2; 3 ] "classes"
                Expect.equal (Array.sort found.Classes[2]) [| 1; 6; 11 |] "the vessel is its wall"
            }
        ]
