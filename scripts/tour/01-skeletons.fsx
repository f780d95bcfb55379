// dotnet build -c Release && dotnet fsi scripts/tour/01-skeletons.fsx
#load "../init.fsx"

// # Skeletons and tubes
//
// Skeleton Recall asks a network for one thing only: find every voxel near the centreline of the label. So the label
// is thinned to its skeleton, the skeleton is thickened to a tube, and the tube keeps the label's class.

open SkeletonRecall

// Labels are a flat array of class ids over an extent. A picture of text will do:

let picture =
    [
        ".........................."
        "..####............####...."
        "..########....########...."
        "....#################....."
        ".......############......."
        "..........#######........."
        "..........######.........."
        "..........#####..2222222.."
        "..........#####222222222.."
        "..........##########222..."
        "..........#####..........."
        "..........#####..........."
    ]

let labels: LabelMap =
    let extent = Extent.plane picture.Length picture.Head.Length

    let classOf (letter: char) =
        match letter with
        | '#' -> 1s
        | '2' -> 2s
        | _ -> 0s

    picture |> Seq.concat |> Seq.map classOf |> Seq.toArray |> Volume.create extent

let show (title: string) (volume: LabelMap) =
    printfn "\n%s" title

    for row in volume.Data |> Array.chunkBySize volume.Extent.Width do
        row
        |> Array.map (fun value ->
            match value with
            | 0s -> '.'
            | 1s -> '#'
            | other -> char (int '0' + int other))
        |> System.String
        |> printfn "  %s"

show "the labels" labels

// The whole step is a pipeline of total functions, each of which can be used alone:

let bare = labels |> Tube.binarize |> Skeleton.thin |> Tube.assignClasses labels
show "their skeleton (scikit-image's, bit for bit)" bare

let tube = Tube.ofLabels Tube.standard labels
show "the tube: two steps of dilation, clipped by the labels" tube

// What the picture is made of, counted: connected pieces and loops.

let betti = Topology.betti (ConnectivityPair.standard 2) (Tube.binarize labels)

printfn $"\n%d{betti.B0} connected component, %d{betti.B1} loops (8-connected foreground, 4-connected background)"

// Cut the vessel in two and see which measure notices. Dice hardly moves; the count of components does.

let cut: LabelMap =
    Volume.create labels.Extent (labels.Data |> Array.mapi (fun i value -> if i / 26 = 5 then 0s else value))

let truth, prediction = Tube.binarize labels, Tube.binarize cut
let overlap = Overlap.measure prediction truth
let centreline = Centreline.measure prediction truth
let errors = Topology.errors (ConnectivityPair.standard 2) prediction truth

printfn
    $"one row erased: Dice %.3f{Overlap.dice overlap}, clDice %.3f{centreline.ClDice}, b0 error %d{errors.B0}, b1 error %d{errors.B1}"
