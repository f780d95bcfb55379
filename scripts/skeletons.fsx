// How far apart the tubes of `--skeletons patch` and `--skeletons cached` are, and what they cost.
//
//     dotnet fsi scripts/skeletons.fsx PATCH MASK...
//
// Each label map (.png or .npy, planes or volumes; any value above 0 is foreground) is cut and augmented as in training,
// with patches of PATCH voxels along each axis (fewer where the map is smaller), and each patch gets both tubes.
// Printed: Dice of the two tubes over all patches, over those that were only cropped, those that were mirrored along all
// axes as well, and those that were rotated and scaled; the share of skeleton recall's target that each mode has and the other lacks;
// milliseconds per patch for the tube alone, and for all else that the mode adds.
#load "init.fsx"

open System
open System.Diagnostics
open SkeletonRecall
open SkeletonRecall.Training

let patchSize, files =
    match fsi.CommandLineArgs |> Array.toList with
    | _ :: size :: (_ :: _ as files) -> int size, files
    | _ ->
        eprintfn "usage: dotnet fsi scripts/skeletons.fsx PATCH MASK..."
        exit 2

type Sums() =
    member val Both = 0L with get, set
    member val Patch = 0L with get, set
    member val Cached = 0L with get, set

    member sums.Dice = 2.0 * float sums.Both / float (sums.Patch + sums.Cached)

let add (sums: Sums) (patch: int16[]) (cached: int16[]) =
    for at in 0 .. patch.Length - 1 do
        if patch[at] > 0s then
            sums.Patch <- sums.Patch + 1L

        if cached[at] > 0s then
            sums.Cached <- sums.Cached + 1L

        if patch[at] > 0s && cached[at] > 0s then
            sums.Both <- sums.Both + 1L

let draws = 60

for file in files do
    let labels, _ = Reader.mask file |> Problem.orThrow
    let labels = labels |> Volume.map (fun label -> if label > 0s then 1s else 0s)
    let image = Image.create 1 labels.Extent (Array.zeroCreate labels.Extent.Count)
    let case = Case.create (CaseId.ofString "case") image (Some labels)
    let clock = Stopwatch.StartNew()
    let skeletonized = Case.skeletonize Tube.standard None labels.Extent.Rank case
    let once = clock.Elapsed.TotalMilliseconds
    let final = labels.Extent.Shape |> List.map (min patchSize)
    // A third of the patches is cropped alone, a third cropped and mirrored, a third turned and scaled as well.
    let turning =
        { Augment.options with
            Rotation = 1.0
            Scaling = 1.0
        }

    let initial = Augment.initialSize turning final
    let prepared = Sampler.prepare None skeletonized
    let cropped, mirrored, turned, all = Sums(), Sums(), Sums(), Sums()
    let mutable patchTime, cachedTime, moveTime = 0.0, 0.0, 0.0

    for draw in 0 .. draws - 1 do
        let rng = Seed.rng (Seed.child draw (Seed.ofInt 1))

        let options, sums =
            match draw % 3 with
            | 0 -> Augment.still, cropped
            | 1 -> { Augment.still with Mirror = 1.0 }, mirrored
            | _ -> { turning with Mirror = 0.5 }, turned

        let ready =
            Sampler.cut initial final true rng prepared
            |> Augment.spatial options final rng
            |> Augment.mirror options rng
            |> Augment.removeOutside

        let time (work: unit -> 'T) : struct ('T * float) =
            let start = clock.Elapsed.TotalMilliseconds
            let result = work ()
            struct (result, clock.Elapsed.TotalMilliseconds - start)

        // The first two runs warm up.
        for warm in [ true; true; false ] do
            let struct (ofPatch, first) =
                time (fun () -> Tube.ofLabels Tube.standard ready.Labels)

            let struct (ofCase, second) =
                time (fun () -> PatchSkeleton.tube Tube.standard ready.Labels ready.Skeleton.Value)

            let struct (_, third) =
                time (fun () ->
                    CaseSkeleton.cut
                        (Extent.ofShape initial)
                        (List.map (fun _ -> 0) initial)
                        skeletonized.Skeleton.Value
                    |> PatchSkeleton.map [| 1.0; 0.1; 0.0; 0.0; 1.0; 0.0; 0.0; 0.0; 1.0 |])

            if not warm then
                patchTime <- patchTime + first
                cachedTime <- cachedTime + second
                moveTime <- moveTime + third
                add all ofPatch.Data ofCase.Data
                add sums ofPatch.Data ofCase.Data

    let share (part: int64) (whole: int64) =
        100.0 * (1.0 - float part / float whole)

    printfn
        "%s: %O, patch %A, skeleton made in %.0f ms; Dice %.4f (cropped %.4f, mirrored %.4f, turned %.4f); only in patch mode %.2f %%, only in cached mode %.2f %%; ms per patch: patch %.2f, cached %.2f + %.2f"
        (IO.Path.GetFileName file)
        labels.Extent
        final
        once
        all.Dice
        cropped.Dice
        mirrored.Dice
        turned.Dice
        (share all.Both all.Patch)
        (share all.Both all.Cached)
        (patchTime / float draws)
        (cachedTime / float draws)
        (moveTime / float draws)
