module SkeletonRecall.Tests.GraphTextTests

open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// A T of 1 x 5 and 3 rows down, 0.5 mm by 2 mm, and a voxel alone.
let private graph: SkeletonGraph =
    let extent = Extent.plane 5 7

    let labels =
        Array.init extent.Count (fun at ->
            let row, column = at / 7, at % 7

            if row = 0 && column < 5 then 1s
            elif column = 2 && row < 3 then 2s
            elif row = 4 && column = 6 then 3s
            else 0s)
        |> Volume.create extent
        |> Volume.withSpacing (Spacing.ofList [ 0.5; 2.0 ])

    Mask.ofVolume (fun label -> label > 0s) labels
    |> SkeletonGraph.ofMask
    |> SkeletonGraph.withRadii (Volume.create extent (Array.init extent.Count (fun at -> float at / 8.0)))
    |> SkeletonGraph.withClasses labels

[<Tests>]
let tests =
    testList
        "GraphText"
        [
            test "nodes as a table" {
                Expect.equal
                    (GraphText.nodes graph)
                    ("node,kind,degree,class,voxels,row,column,radius_mm,tunnels\n"
                     + "0,end,1,1,1,0,0,0,0\n"
                     + "1,junction,3,1,1,0,2,0.25,0\n"
                     + "2,end,1,1,1,0,4,0.5,0\n"
                     + "3,end,1,2,1,2,2,2,0\n"
                     + "4,isolated,0,3,1,4,6,4.25,0\n")
                    "table"
            }

            test "branches as a table" {
                Expect.equal
                    (GraphText.branches graph)
                    ("branch,from,to,class,voxels,length_mm,chord_mm,tortuosity,mean_radius_mm,min_radius_mm,max_radius_mm\n"
                     + "0,0,1,1,3,4,4,1,0.125,0,0.25\n"
                     + "1,1,2,1,3,4,4,1,0.375,0.25,0.5\n"
                     + "2,1,3,2,3,1,1,1,1.125,0.25,2\n")
                    "table"
            }

            test "a ring has no ends and no tortuosity" {
                let ring =
                    Volume.create (Extent.plane 3 3) [| 0; 1; 0; 1; 0; 1; 0; 1; 0 |]
                    |> Mask.ofVolume (fun value -> value = 1)
                    |> SkeletonGraph.ofMask

                let line = (GraphText.branches ring).Split('\n')[1]
                Expect.stringStarts line "0,,,0,4,5.65685424949238" "ends and length"
                Expect.stringEnds line ",0,,,," "no chord, tortuosity and radii"
            }

            test "JSON has every voxel" {
                use document = JsonDocument.Parse(GraphText.json graph)
                let root = document.RootElement
                let branches = root.GetProperty "branches"
                Expect.equal (branches.GetArrayLength()) 3 "branches"
                Expect.equal (root.GetProperty("spacing_mm").GetRawText()) "[0.5,2]" "spacing"
                Expect.equal (root.GetProperty("components").GetInt32()) 2 "components"
                let down = branches[2]
                Expect.equal (down.GetProperty("voxels").GetRawText()) "[[0,2],[1,2],[2,2]]" "voxels"
                Expect.equal (down.GetProperty("radii_mm").GetRawText()) "[0.25,1.125,2]" "radii"
                Expect.equal (down.GetProperty("class").GetInt32()) 2 "class"
                Expect.equal (root.GetProperty("nodes").GetArrayLength()) 5 "nodes"
            }

            test "without radii there is null" {
                let bare =
                    Volume.create (Extent.space 1 1 2) [| 1; 1 |]
                    |> Mask.ofVolume (fun value -> value = 1)
                    |> SkeletonGraph.ofMask

                use document = JsonDocument.Parse(GraphText.json bare)
                let node = document.RootElement.GetProperty("nodes")[0]
                Expect.equal (node.GetProperty("radius_mm").ValueKind) JsonValueKind.Null "radius"
                Expect.equal (node.GetProperty("voxels").GetRawText()) "[[0,0,0]]" "slice, row, column"
                Expect.stringContains (GraphText.nodes bare) "slice,row,column" "axes"
            }
        ]
