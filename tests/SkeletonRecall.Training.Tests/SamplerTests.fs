module SkeletonRecall.Tests.SamplerTests

open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private rng (seed: int) : Rng = Seed.rng (Seed.ofInt seed)

/// A case whose image counts the pixels from 1 and whose labels are given.
let private caseOf (extent: Extent) (label: int -> int16) : Case =
    Case.create
        (CaseId.ofString "counted")
        (Image.create 1 extent (Array.init extent.Count (fun i -> float32 (i + 1))))
        (Some(Volume.create extent (Array.init extent.Count label)))

[<Tests>]
let tests =
    testList
        "Sampler"
        [
            // nnU-Net's numbers for an oversampling of 0.33.
            for batch, wanted in [ 2, 1; 3, 1; 4, 1; 5, 2; 6, 2; 9, 3; 12, 4 ] do
                test $"of a batch of %d{batch}, %d{wanted} patches must show foreground" {
                    let forced = List.init batch (Sampler.forced 0.33 batch)

                    Expect.equal
                        forced
                        (List.replicate (batch - wanted) false @ List.replicate wanted true)
                        "the last ones"
                }

            test "corners by hand" {
                let corners shape initial final =
                    let struct (low, high) = Sampler.corners shape initial final
                    low, high

                Expect.equal (corners 100 40 40) (0, 60) "inside"
                Expect.equal (corners 100 45 40) (-3, 58) "an odd need"
                Expect.equal (corners 30 40 40) (-5, -5) "a case that is too small"
                Expect.equal (corners 31 40 40) (-5, -4) "too small by an odd number"
            }

            test "positions of every label that occurs are found, in numpy's order" {
                let labels = [| 0s; 2s; 0s; 2s; 1s; 2s |]
                let prepared = Sampler.prepare None (caseOf (Extent.plane 2 3) (fun i -> labels[i]))

                Expect.equal
                    (prepared.Locations |> Map.map (fun _ found -> Array.sort found))
                    (Map [ 1, [| 4 |]; 2, [| 1; 3; 5 |] ])
                    "positions"
                // RandomState(1234): a permutation of 1, then one of 3.
                let random = NumpyRandom 1234u
                random.Permutation 1 |> ignore
                let order = random.Permutation 3
                Expect.equal prepared.Locations[2] (order |> Array.map (fun i -> [| 1; 3; 5 |][i])) "order"
            }

            test "of many positions ten thousand or a hundredth are kept" {
                let prepared = Sampler.prepare None (caseOf (Extent.plane 110 100) (fun _ -> 1s))
                Expect.equal prepared.Locations[1].Length 10000 "kept"
                Expect.equal (Array.distinct prepared.Locations[1]).Length 10000 "all different"
            }

            test "a forced patch shows its voxel, wherever it lies" {
                for position in [ 0; 9; 44; 90; 99 ] do
                    let case = caseOf (Extent.plane 10 10) (fun i -> if i = position then 5s else 0s)
                    let prepared = Sampler.prepare None case

                    for seed in 1..5 do
                        let patch = Sampler.cut [ 6; 6 ] [ 4; 4 ] true (rng seed) prepared
                        Expect.contains patch.Labels.Data 5s $"position %d{position}"
            }

            test "a forced patch near the far end reaches beyond it, as in nnU-Net" {
                let prepared =
                    Sampler.prepare None (caseOf (Extent.plane 10 10) (fun i -> if i = 99 then 1s else 0s))

                let patch = Sampler.cut [ 4; 4 ] [ 4; 4 ] true (rng 1) prepared
                Expect.equal patch.Labels.Data[..4] [| 0s; 0s; 0s; -1s; 0s |] "begins at 7, 7"
            }

            test "each class has the same chance, however large" {
                let prepared =
                    Sampler.prepare
                        None
                        (caseOf (Extent.plane 20 20) (fun i ->
                            if i = 210 then 2s
                            elif i < 100 then 1s
                            else 0s))

                let stream = rng 3

                let hits =
                    List.init 300 (fun _ -> Sampler.cut [ 1; 1 ] [ 1; 1 ] true stream prepared)
                    |> List.filter (fun patch -> patch.Labels.Data[0] = 2s)

                Expect.isTrue (hits.Length > 110 && hits.Length < 190) $"%d{hits.Length} of 300"
            }

            test "random patches reach every corner and no further" {
                let prepared = Sampler.prepare None (caseOf (Extent.plane 5 4) (fun _ -> 0s))
                let stream = rng 4

                let firsts =
                    List.init 200 (fun _ -> (Sampler.cut [ 3; 3 ] [ 3; 3 ] false stream prepared).Image.Data[0])
                    |> List.distinct
                    |> List.sort

                Expect.equal firsts [ 1f; 2f; 5f; 6f; 9f; 10f ] "first pixels"
                // Without foreground a forced patch is a random one.
                let patch = Sampler.cut [ 3; 3 ] [ 3; 3 ] true stream prepared
                Expect.all patch.Labels.Data (fun label -> label = 0s) "inside"
            }

            test "with an ignore label random patches are centred on annotated voxels" {
                let case = caseOf (Extent.plane 20 20) (fun i -> if i = 250 then 0s else 2s)
                let prepared = Sampler.prepare (Some 2) case
                Expect.equal prepared.Annotated (Some [| 250 |]) "annotated"
                Expect.isTrue prepared.Locations.IsEmpty "the ignore label is no class"
                let patch = Sampler.cut [ 3; 3 ] [ 3; 3 ] false (rng 5) prepared
                Expect.equal patch.Labels.Data[4] 0s "the middle"
            }

            test "a plane out of a volume is one slice; forced, the slice of its voxel" {
                let prepared =
                    Sampler.prepare None (caseOf (Extent.space 6 5 5) (fun i -> if i / 25 = 4 then 1s else 0s))

                let patch = Sampler.cut [ 5; 5 ] [ 5; 5 ] true (rng 6) prepared
                Expect.equal patch.Image.Extent (Extent.plane 5 5) "extent"
                Expect.exists patch.Labels.Data (fun label -> label = 1s) "slice 4"

                let slices =
                    List.init 100 (fun seed -> (Sampler.cut [ 5; 5 ] [ 5; 5 ] false (rng seed) prepared).Image.Data[0])
                    |> List.distinct

                Expect.equal slices.Length 6 "random patches come from every slice"
            }

            test "volumes are cut along three axes" {
                let prepared = Sampler.prepare None (Toy.rod 8 9 10)
                let patch = Sampler.cut [ 5; 6; 7 ] [ 4; 4; 4 ] true (rng 7) prepared
                Expect.equal patch.Image.Extent (Extent.space 5 6 7) "extent"
                Expect.exists patch.Labels.Data (fun label -> label > 0s) "foreground"
            }

            test "cases without labels and sizes that do not fit are refused" {
                let case = caseOf (Extent.plane 4 4) (fun _ -> 0s)

                let refused (action: unit -> unit) =
                    Expect.throwsT<System.ArgumentException> action "refused"

                refused (fun () -> Sampler.prepare None { case with Labels = None } |> ignore)
                let prepared = Sampler.prepare None case
                refused (fun () -> Sampler.cut [ 4; 4 ] [ 5; 4 ] false (rng 1) prepared |> ignore)
                refused (fun () -> Sampler.cut [ 2; 4; 4 ] [ 2; 4; 4 ] false (rng 1) prepared |> ignore)
            }
        ]
