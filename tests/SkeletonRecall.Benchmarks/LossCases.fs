namespace SkeletonRecall.Benchmarks

open System
open System.Diagnostics
open System.Globalization
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training

/// A loss against another, forward and backward, in one process that does nothing else.
type private LossCase =
    {
        Name: string
        /// As the program is told it.
        Key: string
        Batch: int
        Classes: int
        Extent: Extent
        /// Of logits, labels and skeleton.
        Ours: Tensor -> Tensor -> Tensor -> Tensor
        Theirs: Tensor -> Tensor -> Tensor -> Tensor
        /// What ours must equal, in value and gradient; None where there is no second form of it.
        Exact: (Tensor -> Tensor -> Tensor -> Tensor) option
        TheirsIs: string
        /// The largest wanted share of their time, and of their memory.
        Time: float option
        Memory: float option
        /// theirs.py's operation for theirs.
        Python: string option
    }

/// The cost of losses: time and memory of forward and backward, on one thread, in a process of its own with glibc told to
/// keep the memory that it has, which `compare` starts.
[<RequireQualifiedAccess>]
module LossCases =

    let private target (labels: Tensor) (skeleton: Tensor) : Target =
        Target.ofClasses labels |> Target.withSkeleton skeleton

    let private diceAndEntropy (logits: Tensor) (labels: Tensor) (_: Tensor) : Tensor =
        Upstream.dice logits labels + Upstream.crossEntropy logits labels

    let private all (logits: Tensor) (labels: Tensor) (skeleton: Tensor) : Tensor =
        diceAndEntropy logits labels skeleton + Upstream.recall logits skeleton

    let private onTop (logits: Tensor) (labels: Tensor) (skeleton: Tensor) : Tensor =
        Loss.sum
            [
                fun logits _ -> diceAndEntropy logits labels skeleton
                SoftRecall.loss SoftRecall.standard
            ]
            logits
            (target labels skeleton)

    let private fused (logits: Tensor) (labels: Tensor) (skeleton: Tensor) : Tensor =
        Objective.headLoss Objective.skeletonRecall logits (target labels skeleton)

    let private fusedWithoutRecall (logits: Tensor) (labels: Tensor) (_: Tensor) : Tensor =
        Objective.headLoss Objective.nnunet logits (Target.ofClasses labels)

    let private recall (logits: Tensor) (labels: Tensor) (skeleton: Tensor) : Tensor =
        SoftRecall.loss SoftRecall.standard logits (target labels skeleton)

    let private clDice (logits: Tensor) (labels: Tensor) (skeleton: Tensor) : Tensor =
        SoftClDice.loss SoftClDice.standard logits (target labels skeleton)

    let private size (batch: int) (classes: int) (extent: Extent) : string =
        let shape = extent.Shape
        $"%d{batch}x%d{classes}x%d{shape.Head}^%d{shape.Length}"

    let private against
        (what: string)
        (ours: Tensor -> Tensor -> Tensor -> Tensor)
        (batch: int, classes: int, extent: Extent)
        (time: float)
        (memory: float option)
        : LossCase =
        {
            Name = $"%s{what} %s{size batch classes extent}"
            Key = $"%s{what.Split(' ')[0]}-%s{size batch classes extent}"
            Batch = batch
            Classes = classes
            Extent = extent
            Ours = ours
            Theirs = diceAndEntropy
            Exact = Some all
            TheirsIs = "upstream's Dice + CE"
            Time = Some time
            Memory = memory
            Python = Some "dice_ce"
        }

    let private cube (side: int) : Extent = Extent.space side side side

    /// A member of the family alone.
    let private family (batch: int, classes: int, extent: Extent) (name: string, loss: Loss) : LossCase =
        {
            Name = $"%s{name} alone %s{size batch classes extent}"
            Key = $"family-%s{name}-%s{size batch classes extent}"
            Batch = batch
            Classes = classes
            Extent = extent
            Ours = fun logits labels skeleton -> loss logits (target labels skeleton)
            Theirs = diceAndEntropy
            Exact = None
            TheirsIs = "upstream's Dice + CE"
            Time = None
            Memory = None
            Python = None
        }

    let private cases: LossCase list =
        [
            against "added recall: upstream's Dice + CE + ours" onTop (1, 2, cube 128) 1.2 None
            against "added recall: upstream's Dice + CE + ours" onTop (1, 14, cube 96) 1.07 None
            against "fused Dice + CE + recall" fused (1, 14, cube 96) 0.67 (Some 1.0)
            against "fused Dice + CE + recall" fused (1, 2, cube 128) 1.15 (Some 1.0)
            against "fused Dice + CE + recall" fused (2, 2, Extent.plane 512 512) 1.15 (Some 1.0)
            for batch, classes, extent in [ 1, 2, cube 128; 1, 14, cube 96 ] do
                {
                    Name = $"fused with recall, against fused Dice + CE %s{size batch classes extent}"
                    Key = $"with-recall-%s{size batch classes extent}"
                    Batch = batch
                    Classes = classes
                    Extent = extent
                    Ours = fused
                    Theirs = fusedWithoutRecall
                    Exact = Some all
                    TheirsIs = "our Dice + CE, fused"
                    Time = None
                    Memory = None
                    Python = None
                }
            {
                Name = $"recall against clDice(10) %s{size 1 2 (cube 128)}"
                Key = "recall-against-cldice"
                Batch = 1
                Classes = 2
                Extent = cube 128
                Ours = recall
                Theirs = clDice
                Exact = Some(fun logits _ skeleton -> Upstream.recall logits skeleton)
                TheirsIs = "our soft clDice, 10 iterations"
                Time = None
                Memory = None
                Python = None
            }
            yield! FamilyCases.members |> List.map (family (2, 2, Extent.plane 512 512))
            yield! FamilyCases.members |> List.map (family (1, 2, cube 128))
        ]

    // Labels are drawn in three classes; octants make more of them.
    let private inputs (case: LossCase) : float32[] * int16[] * int16[] =
        let random = Random 7
        let extent = case.Extent

        let tubes =
            if extent.Rank = 2 then
                Masks.thinPlane
            else
                Masks.thinVolume

        let drawn =
            [|
                for sample in 1 .. case.Batch do
                    let labels = Masks.labels tubes sample extent

                    Volume.create
                        extent
                        (labels.Data
                         |> Array.mapi (fun at label ->
                             if label = 0s then
                                 0s
                             else
                                 let octant = 8 * at / extent.Count
                                 int16 (1 + (int label + 3 * octant) % (case.Classes - 1))))
            |]

        let logits =
            Array.init (case.Batch * case.Classes * extent.Count) (fun _ -> float32 (4.0 * random.NextDouble() - 2.0))

        logits,
        drawn |> Array.collect (fun labels -> labels.Data),
        drawn |> Array.collect (fun labels -> (Tube.ofLabels Tube.standard labels).Data)

    let private tensors (case: LossCase) : Tensor * Tensor * Tensor =
        let logits, labels, skeleton = inputs case

        let shape (channels: int) =
            int64 case.Batch :: int64 channels :: List.map int64 case.Extent.Shape

        let logits = Tensors.ofArray (shape case.Classes) logits
        logits.requires_grad_ true, Tensors.ofInt16 (shape 1) labels, Tensors.ofInt16 (shape 1) skeleton

    let private differentiate
        (loss: Tensor -> Tensor -> Tensor -> Tensor)
        (logits: Tensor, labels: Tensor, skeleton: Tensor)
        : unit =
        use _scope = Tensors.scope ()
        let value = loss logits labels skeleton
        let gradients = torch.autograd.grad ([| value |], [| logits |])
        gradients[0].Dispose()

    /// Value and gradient of the fast form against the composed one: 1e-5, and 1e-6 of the largest entry.
    let private agrees (case: LossCase) (logits: Tensor, labels: Tensor, skeleton: Tensor) : bool =
        Tensors.measured (fun () ->
            let both (loss: Tensor -> Tensor -> Tensor -> Tensor) =
                let value = loss logits labels skeleton
                Tensors.item value, (torch.autograd.grad ([| value |], [| logits |]))[0]

            case.Exact
            |> Option.forall (fun exact ->
                let value, gradient = both case.Ours
                let wanted, wantedGradient = both exact
                let largest (tensor: Tensor) = Tensors.item (tensor.abs().max())

                abs (value - wanted) <= 1e-5 * abs wanted
                && largest (gradient - wantedGradient) <= 1e-6 * largest wantedGradient))

    /// Milliseconds of ours and theirs: the shortest of rounds in which each runs once.
    let private rounds (seconds: float) (case: LossCase) (tensors: Tensor * Tensor * Tensor) : struct (float * float) =
        let clock = Stopwatch.StartNew()
        let mutable ours = infinity
        let mutable theirs = infinity
        let mutable round = 0

        let time (loss: Tensor -> Tensor -> Tensor -> Tensor) : float =
            let start = Stopwatch.GetTimestamp()
            differentiate loss tensors
            (Stopwatch.GetElapsedTime start).TotalMilliseconds

        while round < 3 || (clock.Elapsed.TotalSeconds < seconds && round < 1000) do
            let first, second = time case.Theirs, time case.Ours

            // The first rounds are the compiler's.
            if round > 0 then
                theirs <- min theirs first
                ours <- min ours second

            round <- round + 1

        struct (ours, theirs)

    /// MiB that one pass of a loss takes at its height, above the inputs. A pass of small tensors comes first, for what is
    /// loaded and compiled once.
    let private peak (case: LossCase) (loss: Tensor -> Tensor -> Tensor -> Tensor) : float =
        use _scope = Tensors.scope ()

        let small =
            { case with
                Extent = Extent.ofShape (List.map (fun _ -> 16) case.Extent.Shape)
            }

        differentiate loss (tensors small)
        let inputs = tensors case
        PeakMemory.above (fun () -> differentiate loss inputs)

    let private find (key: string) : LossCase =
        cases |> List.find (fun case -> case.Key = key)

    /// What the process does that `compare` starts: `time KEY SECONDS`, `ours KEY` or `theirs KEY` (memory), `save KEY
    /// FOLDER`. Prints numbers in one line.
    let child (arguments: string list) : unit =
        LibTorch.ensure ()
        torch.set_num_threads 1

        match arguments with
        | [ "time"; key; seconds ] ->
            use _scope = Tensors.scope ()
            let case = find key
            let tensors = tensors case
            let equal = agrees case tensors

            let struct (ours, theirs) =
                rounds (Double.Parse(seconds, CultureInfo.InvariantCulture)) case tensors

            printfn "%.17g %.17g %b" ours theirs equal
        | [ "ours"; key ] -> printfn "%.17g" (peak (find key) (find key).Ours)
        | [ "theirs"; key ] -> printfn "%.17g" (peak (find key) (find key).Theirs)
        | other -> invalidArg (nameof arguments) $"time, ours or theirs and a case are wanted, not %A{other}."

    let private start (arguments: string list) : string[] =
        PeakMemory.child ("loss" :: arguments) Python.settings

    let private number (text: string) : float =
        Double.Parse(text, CultureInfo.InvariantCulture)

    let private goal (limit: float option) : string =
        match limit with
        | Some limit -> sprintf "%.2f" limit
        | None -> "-"

    /// The line above the rows.
    let header: string =
        sprintf "%-52s %10s %11s %12s %5s  %-5s  %s" "loss" "ours" "theirs" "ours/theirs" "goal" "equal" "theirs is"

    let private print (row: Row) (unit: string) (limit: float option) (compared: bool) : unit =
        let equal =
            if not compared then "-"
            elif row.Equal then "yes"
            else "NO"

        printfn
            "%-52s %7.2f %s %8.2f %s %12.3f %5s  %-5s  %s"
            row.Name
            row.Ours
            unit
            row.Theirs
            unit
            (row.Ours / row.Theirs)
            (goal limit)
            equal
            row.Whose

    let private pythons (python: Python option) (seconds: float) (case: LossCase) : string =
        match python, case.Python with
        | Some python, Some operation ->
            let logits, labels, _ = inputs case

            let shape (channels: int) =
                case.Batch :: channels :: case.Extent.Shape

            let arrays: NpyArray list =
                [
                    {
                        Shape = shape case.Classes
                        Values = Float32s logits
                    }
                    {
                        Shape = shape 1
                        Values = Int16s labels
                    }
                ]

            try
                let struct (time, _) = Python.time python operation seconds arrays
                sprintf "; Python's torch: %.1f ms" time
            with :? InvalidOperationException ->
                "; no torch in Python"
        | _ -> ""

    /// Measures and prints the cases whose name holds the text; time in ms, then memory in MiB where the system tells it.
    /// `quick` leaves out those without a goal.
    let run (python: Python option) (quick: bool) (only: string) : Row list =
        printfn "\n%s" header

        [
            for case in cases do
                if not (quick && case.Time.IsNone) && case.Name.Contains only then
                    let seconds = if quick || case.Exact.IsNone then 2.0 else 6.0
                    let words = start [ "time"; case.Key; $"%g{seconds}" ]

                    let row =
                        {
                            Name = case.Name
                            Ours = number words[0]
                            Theirs = number words[1]
                            Equal = words[2] = "true"
                            Whose = case.TheirsIs + pythons python (min seconds 2.0) case
                        }

                    print row "ms " case.Time case.Exact.IsSome
                    row

                    if PeakMemory.isKnown then
                        let memory =
                            { row with
                                Name = $"%s{case.Name}, peak MiB"
                                Ours = number (Array.head (start [ "ours"; case.Key ]))
                                Theirs = number (Array.head (start [ "theirs"; case.Key ]))
                                Whose = case.TheirsIs
                            }

                        print memory "MiB" case.Memory case.Exact.IsSome
                        memory
        ]
