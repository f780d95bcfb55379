namespace SkeletonRecall.Benchmarks

open System
open System.Globalization
open SkeletonRecall

/// Memory of skeletons and of topology, each measured in a process of its own.
[<RequireQualifiedAccess>]
module MemoryCases =

    /// The arguments of the process of each.
    [<Literal>]
    let Command = "memory"

    let private cube (side: int) : Extent = Extent.space side side side

    // MiB beyond the labels and the tube, whose memory is there before.
    let private tube (side: int) : float =
        let run (labels: LabelMap) (target: int16[]) : unit =
            Tube.ofLabelsInto Tube.standard labels.Extent labels.Spacing (ReadOnlySpan labels.Data) (Span target)

        let small = Masks.labels Masks.thinVolume 1 (cube 32)
        run small (Array.zeroCreate small.Data.Length)
        let labels = Masks.labels Masks.thinVolume 1 (cube side)
        // Written to, so that its pages are there.
        let target = Array.create labels.Data.Length 7s
        let peak = PeakMemory.above (fun () -> run labels target)
        GC.KeepAlive target
        peak

    let private betti (side: int) : float =
        let numbers (mask: Mask) =
            Topology.betti (ConnectivityPair.standard 3) mask |> ignore

        let mask (side: int) =
            Tube.binarize (Masks.labels Masks.thinVolume 1 (cube side))

        numbers (mask 32)
        let whole = mask side
        PeakMemory.above (fun () -> numbers whole)

    /// What the process does that `compare` starts: prints MiB.
    let child (arguments: string list) : unit =
        match arguments with
        | [ "tube"; side ] -> printfn "%.17g" (tube (int side))
        | [ "betti"; side ] -> printfn "%.17g" (betti (int side))
        | other -> invalidArg (nameof arguments) $"tube or betti and a side are wanted, not %A{other}."

    let private measured (kind: string) (side: int) : float =
        Double.Parse((PeakMemory.child [ Command; kind; string side ] [])[0], CultureInfo.InvariantCulture)

    /// Measures and prints the rows whose names hold the text; none where the system does not tell a process's peak. `quick`
    /// takes a smaller volume.
    let run (quick: bool) (only: string) : Row list =
        let side = if quick then 256 else 512
        let arrays = 4.0 * float side ** 3.0 / 1048576.0

        let row (name: string) (ours: unit -> float) (limit: float) (whose: string) : (string * (unit -> Row)) =
            name,
            (fun () ->
                let ours = ours ()

                {
                    Name = name
                    Ours = ours
                    Theirs = limit
                    Equal = ours <= limit
                    Whose = whose
                })

        let rows =
            [
                row
                    $"tubed skeleton %d{side}^3 thin, MiB beyond input and output"
                    (fun () -> measured "tube" side)
                    (0.15 * arrays)
                    $"the goal: 0.15 of the %.0f{arrays} MiB of both"
                row "Betti numbers 128^3, MiB beyond the mask" (fun () -> measured "betti" 128) 4.0 "the goal"
            ]
            |> List.filter (fun (name, _) -> PeakMemory.isKnown && name.Contains only)

        if not rows.IsEmpty then
            printfn "\n%-58s %10s %10s  %-5s  %s" "memory" "ours MiB" "limit MiB" "holds" "limit is"

        rows
        |> List.map (fun (_, measure) ->
            let row = measure ()
            let holds = if row.Equal then "yes" else "NO"
            printfn "%-58s %10.2f %10.2f  %-5s  %s" row.Name row.Ours row.Theirs holds row.Whose
            row)
