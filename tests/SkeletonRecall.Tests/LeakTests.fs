module SkeletonRecall.Tests.LeakTests

open System
open System.Globalization
open System.IO
open TorchSharp
open Expecto
open SkeletonRecall

let private passes: int = 2000

/// Classes or regions of 24 x 24 voxels, of which every seventh does not count, with skeletons.
let target (regions: bool) : Target =
    let voxels = 24 * 24
    let label (index: int) = index / 5 % 3
    let isTube (index: int) = index % 4 < 2

    let valid =
        Tensors.ofBytes [ 1L; 1L; 24L; 24L ] (Array.init voxels (fun index -> if index % 7 = 0 then 0uy else 1uy))

    let channels (isInside: int -> bool) =
        Tensors.ofBytes
            [ 1L; 3L; 24L; 24L ]
            (Array.init (3 * voxels) (fun index ->
                if label index = index / voxels && isInside index then
                    1uy
                else
                    0uy))

    let ids (isInside: int -> bool) =
        Tensors.ofInt16
            [ 1L; 1L; 24L; 24L ]
            (Array.init voxels (fun index -> if isInside index then int16 (label index) else 0s))

    (if regions then
         Target.ofRegions (channels (fun _ -> true))
         |> Target.withSkeleton (channels isTube)
     else
         Target.ofClasses (ids (fun _ -> true)) |> Target.withSkeleton (ids isTube))
    |> Target.withValid valid

/// MiB of the process that lie in memory, after a collection; 0 where the system does not say.
let private residentMiB () : float =
    GC.Collect()
    GC.WaitForPendingFinalizers()
    GC.Collect()

    if File.Exists "/proc/self/statm" then
        let pages = (File.ReadAllText "/proc/self/statm").Split(' ')[1]

        float (Int64.Parse(pages, CultureInfo.InvariantCulture))
        * float Environment.SystemPageSize
        / 1048576.0
    else
        0.0

/// MiB by which memory grows over the last three quarters of the passes, and live tensors over all but the first. A slope goes on
/// in both halves of that stretch, what the process takes for itself comes once: the half that grew less counts twice.
let private growth (work: unit -> unit) : struct (float * int64) =
    work ()
    let alive = Tensors.liveCount ()

    let memoryAfter (count: int) : float =
        for _ in 1..count do
            work ()

        residentMiB ()

    let first = memoryAfter (passes / 4 - 1)
    let second = memoryAfter (3 * passes / 8)
    let third = memoryAfter (3 * passes / 8)
    struct (2.0 * min (second - first) (third - second), Tensors.liveCount () - alive)

/// A pass's logits alone have 13.5 KiB: what keeps a tensor of their size in each pass grows by 20 MiB.
let private tolerance: float = 6.0

let private repeated (loss: RepeatedLoss) : Test =
    testCase loss.Name (fun () ->
        use _scope = Tensors.scope ()

        let logits =
            (Array.init (3 * 24 * 24) (fun index -> 3.0 * sin (12.9898 * float index)))
            |> Tensors.ofDoubles [ 1L; 3L; 24L; 24L ]
            |> _.requires_grad_(true)

        let target = target loss.Regions

        let struct (memory, alive) =
            growth (fun () ->
                use value = loss.Loss logits target
                value.backward ())

        Expect.equal alive 0L $"tensors alive after %d{passes} passes"
        Expect.isLessThan memory tolerance "MiB more")

[<Tests>]
let tests =
    testSequenced (
        testList
            "Leak"
            [
                testList "2000 passes leave neither tensors nor memory" (List.map repeated EveryLoss.all)

                testCase "a leak of native memory is found" (fun () ->
                    use _scope = Tensors.scope ()
                    let kept = ResizeArray<IO.MemoryMappedFiles.MemoryMappedViewAccessor>()
                    let pages = Array.create (1 <<< 22) 1uy
                    let calls = ref 0

                    // Mapped pages are always new, where the heap may reuse what earlier tests freed.
                    let struct (memory, _) =
                        growth (fun () ->
                            calls.Value <- calls.Value + 1

                            if calls.Value % 100 = 0 then
                                use file = IO.MemoryMappedFiles.MemoryMappedFile.CreateNew(null, pages.LongLength)
                                let view = file.CreateViewAccessor()
                                view.WriteArray(0L, pages, 0, pages.Length)
                                kept.Add view)

                    for view in kept do
                        view.Dispose()

                    if File.Exists "/proc/self/statm" then
                        Expect.isGreaterThan memory tolerance "MiB more")
            ]
    )
