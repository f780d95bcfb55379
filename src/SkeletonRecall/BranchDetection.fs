namespace SkeletonRecall

/// How much of the truth's branches a prediction finds, and what it adds.
type BranchDetection =
    {
        /// Branches of the truth's skeleton.
        Branches: int
        /// Those of which the prediction holds enough.
        Detected: int
        /// Those that the prediction holds on both sides of a gap.
        Broken: int
        /// Branches of the prediction's skeleton of which the truth holds too little.
        Invented: int
        /// Length of the truth's branches in mm.
        Length: float
        /// Length of their steps whose two voxels the prediction holds, in mm.
        LengthDetected: float
    }

/// Detection of branches, as airway challenges score it (M. Zhang et al., "Multi-site, multi-domain airway tree modeling
/// (ATM'22)", 2023): branches are those of the graph of the truth's skeleton.
[<RequireQualifiedAccess>]
module BranchDetection =

    /// The share of a branch's voxels that must be held: ATM'22's.
    [<Literal>]
    let Share = 0.8

    // Which of a branch's voxels a mask holds.
    let private held (inside: byte[]) (branch: SkeletonBranch) : bool[] =
        branch.Voxels |> Array.map (fun voxel -> inside[voxel] <> 0uy)

    let private share (held: bool[]) : float =
        float (held |> Array.filter id |> Array.length) / float held.Length

    // Whether some voxels are missing between two that are held; a ring has no sides.
    let private broken (branch: SkeletonBranch) (held: bool[]) : bool =
        match branch.Ends with
        | None -> Array.contains true held && Array.contains false held
        | Some _ ->
            let first = System.Array.IndexOf(held, true)

            first >= 0
            && System.Array.IndexOf(held, false, first, System.Array.LastIndexOf(held, true) - first)
               >= 0

    let private heldLength (extent: Extent) (spacing: Spacing) (branch: SkeletonBranch) (held: bool[]) : float =
        let sides =
            match spacing.Values with
            | [ deep; down; along ] -> [| deep; down; along |]
            | values -> Array.ofList (1.0 :: values)

        let step (from: int) (until: int) =
            let square (axis: int) (before: int) (after: int) =
                let side = sides[axis] * float (after - before)
                side * side

            let width, height = extent.Width, extent.Height

            sqrt (
                square 0 (from / width / height) (until / width / height)
                + square 1 (from / width % height) (until / width % height)
                + square 2 (from % width) (until % width)
            )

        let last = branch.Voxels.Length - 1
        let mutable sum = 0.0

        for at in 1..last do
            if held[at - 1] && held[at] then
                sum <- sum + step branch.Voxels[at - 1] branch.Voxels[at]

        if branch.Ends.IsNone && last > 0 && held[last] && held[0] then
            sum <- sum + step branch.Voxels[last] branch.Voxels[0]

        sum

    /// Counts branches from masks whose skeletons are at hand; a branch is detected when the given share (0 to 1) of its
    /// voxels is held, and invented when less than the rest of that share is. Lengths are by the truth's spacing.
    /// Throws ArgumentException when extents differ or the share is out of range.
    let ofSkeletons
        (least: float)
        (prediction: Mask)
        (predictionSkeleton: Mask)
        (truth: Mask)
        (truthSkeleton: Mask)
        : BranchDetection =
        if not (least > 0.0 && least <= 1.0) then
            invalidArg (nameof least) $"The share of a branch lies above 0 and up to 1; got %g{least}."

        for mask in [ predictionSkeleton; truth; truthSkeleton ] do
            Extent.requireEqual (nameof truth) prediction.Extent mask.Extent

        let ours = SkeletonGraph.ofMask predictionSkeleton
        let theirs = SkeletonGraph.ofMask truthSkeleton
        let predicted = (Mask.toVolume prediction).Data
        let real = (Mask.toVolume truth).Data
        let found = theirs.Branches |> Array.map (held predicted)

        let count (predicate: SkeletonBranch -> bool[] -> bool) =
            Array.map2 predicate theirs.Branches found |> Array.filter id |> Array.length

        let length (branch: SkeletonBranch) (held: bool[]) =
            heldLength truth.Extent truth.Spacing branch held

        {
            Branches = theirs.Branches.Length
            Detected = count (fun _ held -> share held >= least)
            Broken = count broken
            Invented =
                ours.Branches
                |> Array.filter (fun branch -> share (held real branch) < 1.0 - least)
                |> Array.length
            Length =
                theirs.Branches
                |> Array.sumBy (fun branch -> length branch (Array.create branch.Voxels.Length true))
            LengthDetected = Array.map2 length theirs.Branches found |> Array.sum
        }

    /// Counts branches of a prediction and the truth at ATM'22's share; skeletons are Zhang's in planes and Lee's in
    /// volumes. Throws ArgumentException when the extents differ.
    let measure (prediction: Mask) (truth: Mask) : BranchDetection =
        ofSkeletons Share prediction (Skeleton.thin prediction) truth (Skeleton.thin truth)
