// dotnet build -c Release && dotnet fsi scripts/tour/02-losses.fsx
#load "../init.fsx"

// # Losses are functions
//
// A loss takes logits (batch, class, spatial...) and the target of one head and returns a number that can be
// differentiated. Everything else is built from that one type.

open TorchSharp
open SkeletonRecall

LibTorch.ensure ()

// A bar nine pixels wide as label.

let extent = Extent.plane 24 40

let inside (row: int) (column: int) =
    abs (row - 12) <= 4 && column >= 4 && column < 36

let classes (predicate: int -> int -> bool) : int16[] =
    Array.init extent.Count (fun i -> if predicate (i / 40) (i % 40) then 1s else 0s)

let labels: LabelMap = Volume.create extent (classes inside)
let tube = Tube.ofLabels Tube.standard labels

let ofIds (ids: int16[]) : Tensor =
    Tensors.ofInt16 [ 1L; 1L; 24L; 40L ] ids

let target: Target =
    Target.ofClasses (ofIds labels.Data) |> Target.withSkeleton (ofIds tube.Data)

/// Logits of two classes that are sure of `found` and sure of nothing else.
let logitsOf (found: int -> int -> bool) : Tensor =
    let score =
        classes found |> Array.map (fun label -> if label = 1s then 3.0f else -3.0f)

    Tensors.ofArray [ 1L; 2L; 24L; 40L ] (Array.append (Array.map (~-) score) score)

let whole = logitsOf inside
let broken = logitsOf (fun row column -> inside row column && abs (column - 20) > 1)
let thin = logitsOf (fun row column -> inside row column && abs (row - 12) <= 2)

let report (name: string) (logits: Tensor) =
    let terms =
        Objective.breakdown Objective.skeletonRecall logits target
        |> List.map (fun (term, value) -> $"%s{term} %8.4f{value}")
        |> String.concat "  "

    printfn $"%-28s{name}  %s{terms}"

// The label, a prediction with a gap, and one that is complete but too thin. Dice and cross-entropy prefer the one with
// the gap; recall of the skeleton prefers the one that is whole.

report "all of it" whole
report "a gap of three columns" broken
report "complete, but too thin" thin

// The paper's objective is a sum, and sums of losses are losses:

let paper: Loss =
    Loss.sum
        [
            CrossEntropy.loss CrossEntropy.standard
            SoftDice.loss SoftDice.standard
            Loss.weighted 1.0 (SoftRecall.loss SoftRecall.standard)
        ]

let value = (paper broken target).item<float32>()
printfn $"\npaper's loss of the broken bar, from its parts: %.6f{value}"

// The same objective has a text form, which the command line, run.json and the checkpoint share. What is wrong with a
// text is said with a finger on the character.

match Objective.parse "dice + ce + 1.0*skeleton-recall" with
| Ok objective -> printfn $"from its text: %.6f{(Objective.headLoss objective broken target).item<float32>()}"
| Error message -> printfn $"%s{message}"

match Objective.parse "dice + ce + 1.0*skeleton-recal" with
| Ok _ -> invalidOp "this text should have been refused"
| Error message -> printfn $"\n%s{message}"

// Gradients are what trains: each term is checked against finite differences by `Loss.check`.

let check = Loss.check paper broken target

printfn
    $"\nlargest gradient %.3g{check.LargestGradient}, off by at most %.1g{check.LargestDifference}; tensors left alive: %d{check.LeftAlive}"

if not check.Passed then
    exit 1
