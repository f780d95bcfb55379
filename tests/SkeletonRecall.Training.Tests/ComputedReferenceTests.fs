/// The cases of `data/expected/computed_reference` whose masks are image files: pairs, and the classes of volumes. Those
/// that are arrays are compared by `Agreement.computed_reference`.
module SkeletonRecall.Tests.ComputedReferenceTests

open System.IO
open System.Text.Json
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private data (path: string) : string =
    Golden.sharedPath ("data" :: List.ofArray (path.Split '/'))

let private cases: Lazy<JsonElement list> =
    lazy
        (use document =
            JsonDocument.Parse(File.ReadAllText(data "expected/computed_reference/cases.json"))

         [ yield! document.RootElement.Clone().GetProperty("cases").EnumerateArray() ])

let private withKey (key: string) : JsonElement list =
    cases.Value |> List.filter (fun case -> fst (case.TryGetProperty key))

// Above 127 of 8 bits.
let private mask (path: string) : Mask =
    let image = Reader.image [ data path ] |> Problem.orThrow

    Array.sub image.Data 0 image.Extent.Count
    |> Volume.create image.Extent
    |> Mask.ofVolume (fun value -> value > 127.0f)

let private connectivities (rank: int) : Connectivity list =
    if rank = 2 then
        [ Connectivity.Four; Connectivity.Eight ]
    else
        [ Connectivity.Six; Connectivity.Eighteen; Connectivity.TwentySix ]

let private requireTopology (mask: Mask) (wanted: JsonElement) (name: string) : unit =
    let rank = mask.Extent.Rank
    let number (key: string) = wanted.GetProperty(key).GetInt32()
    Expect.equal (Mask.count mask) (number "foreground") $"%s{name}: voxels"

    connectivities rank
    |> List.iteri (fun at connectivity ->
        Expect.equal
            (Components.count connectivity mask)
            (number $"components_connectivity%d{at + 1}")
            $"%s{name}: components by %A{connectivity}")

    Expect.equal
        (Topology.euler (List.last (connectivities rank)) mask)
        (number "euler_full_connectivity")
        $"%s{name}: Euler number"

    Expect.equal
        (Topology.euler (List.head (connectivities rank)) mask)
        (number "euler_face_connectivity")
        $"%s{name}: Euler number by faces"

    let betti = Topology.betti (ConnectivityPair.standard rank) mask

    Expect.equal
        ([ betti.B0; betti.B1; betti.B2 ] |> List.take rank)
        [
            for number in wanted.GetProperty("betti_full_connectivity_gudhi").EnumerateArray() -> number.GetInt32()
        ]
        $"%s{name}: Betti numbers"

let private close (got: float) (wanted: JsonElement) (name: string) : unit =
    let wanted = wanted.GetDouble()

    Expect.isLessThanOrEqual
        (abs (got - wanted))
        (1e-12 * max 1.0 (abs wanted))
        $"%s{name}: %.17g{got}, not %.17g{wanted}"

[<Tests>]
let tests =
    testList
        "ComputedReference"
        [
            test "pairs: overlap, centreline, surfaces and topology" {
                let pairs = withKey "metrics_skeletonize_zhang"
                Expect.equal pairs.Length 2 "pairs"

                for case in pairs do
                    let prediction = mask (string (case.GetProperty "pred"))
                    let truth = mask (string (case.GetProperty "gt"))
                    let scores = case.GetProperty "metrics_skeletonize_zhang"

                    let value (profile: Profile) (measure: Measure) =
                        Measures.ofPair profile [ measure ] None prediction truth |> List.head |> snd

                    for key, measure in
                        [
                            "tprec", Measure.TopologyPrecision
                            "tsens", Measure.TopologySensitivity
                            "cldice", Measure.ClDice
                            "dice", Measure.Dice
                            "jaccard", Measure.IoU
                        ] do
                        close (value Profile.paper measure) (scores.GetProperty key) key

                    let surface = case.GetProperty "surface"

                    let together =
                        { Profile.paper with
                            Surface =
                                { Profile.paper.Surface with
                                    Direction = Direction.Together
                                }
                        }

                    for key, profile, measure in
                        [
                            "hd", Profile.paper, Measure.HausdorffDistance
                            "hd95_max_of_directed", Profile.paper, Measure.HausdorffDistance95
                            "hd95_pooled", together, Measure.HausdorffDistance95
                            "assd_pooled_mean", Profile.paper, Measure.SymmetricSurfaceDistance
                            "mean_of_directed_means", Profile.paper, Measure.MeanSurfaceDistance
                        ] do
                        close (value profile measure) (surface.GetProperty key) key

                    requireTopology prediction (case.GetProperty "pred_topology") "prediction"
                    requireTopology truth (case.GetProperty "gt_topology") "truth"
            }

            test "classes of volumes: topology" {
                let volumes = withKey "per_label_topology"
                Expect.equal volumes.Length 2 "volumes"

                for case in volumes do
                    let labels, _ =
                        Reader.mask (data (string (case.GetProperty "source"))) |> Problem.orThrow

                    for entry in case.GetProperty("per_label_topology").EnumerateObject() do
                        requireTopology
                            (labels |> Mask.ofVolume (fun label -> string label = entry.Name))
                            entry.Value
                            $"class %s{entry.Name}"
            }
        ]
