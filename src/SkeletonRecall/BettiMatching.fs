namespace SkeletonRecall

open System.Numerics

/// Components, holes or tunnels, and cavities of two masks, told apart by whether they correspond in space.
type BettiMatching =
    {
        /// Those of the prediction that match one of the truth.
        Matched: Betti
        /// Those of the prediction alone.
        Invented: Betti
        /// Those of the truth alone.
        Missed: Betti
    }

/// Betti matching of binary masks (N. Stucki et al., "Topologically faithful image segmentation via induced matching of
/// persistence barcodes", ICML 2023; in volumes "Efficient Betti matching enables topology-aware 3D segmentation via
/// persistent homology", 2024).
///
/// A feature of the prediction matches one of the truth when both die in the union of the masks at the same moment, while
/// the union grows to the whole image, cell by cell in raster order. Where masks have two values that order alone decides
/// between features that die together; it is the reference's (nstucki/Betti-Matching-3D), and with 4/8 and 6/26 so are
/// the numbers. The one component that never dies counts as matched as soon as neither mask is empty; the reference,
/// which leaves it out, agrees unless exactly one mask is empty.
[<RequireQualifiedAccess>]
module BettiMatching =

    // In raster order the union grows from the first voxel on, and takes in one component after the other: of those that
    // hold voxels of both masks, each dies for both, save the one that is there first. A pair is matched as well where a
    // component of one mask alone and one of the other were taken in before that one.
    let private components (pair: ConnectivityPair) (prediction: Mask) (truth: Mask) : int =
        let all = Mask.union prediction truth
        let extent = all.Extent
        let struct (labels, count) = Components.label pair.Foreground all
        let data = labels.Data
        // 1 with voxels of the prediction, 2 of the truth.
        let owners = Array.zeroCreate<byte>(count + 1)
        let moments = Array.create (count + 1) System.Int64.MaxValue

        let inline mark (mask: Mask) (owner: byte) =
            for slice in 0 .. extent.Depth - 1 do
                for row in 0 .. extent.Height - 1 do
                    let start = Layout.row extent slice row
                    let first = Extent.index extent slice row 0 - 1

                    for word in 0 .. Layout.stride extent - 1 do
                        let bits = mask.Words[start + word]
                        // One voxel of each run in the word.
                        let mutable runs = bits &&& ~~~(bits <<< 1)

                        while runs <> 0UL do
                            let label = data[first + 64 * word + BitOperations.TrailingZeroCount runs]
                            owners[label] <- owners[label] ||| owner
                            runs <- runs &&& (runs - 1UL)

        mark prediction 1uy
        mark truth 2uy

        // When the union, without any mask in it, would reach a voxel: by the edge from the first neighbour before it.
        let moment (slice: int) (row: int) (column: int) : int64 =
            let place (slice: int) (row: int) (column: int) =
                (int64 slice * int64 (extent.Height + 1) + int64 row) * int64 (extent.Width + 1)
                + int64 column

            if slice > 0 then 3L * place (slice - 1) row column
            elif row > 0 then 3L * place 0 (row - 1) column + 1L
            elif column > 0 then 3L * place 0 0 (column - 1) + 2L
            else -1L

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Extent.index extent slice row 0
                let mutable before = 0

                for column in 0 .. extent.Width - 1 do
                    let label = data[start + column]

                    if label <> before then
                        if label <> 0 then
                            moments[label] <- min moments[label] (moment slice row column)

                        before <- label

        let mutable common = 0
        let firsts = Array.create 4 System.Int64.MaxValue

        for label in 1..count do
            let owner = int owners[label]
            firsts[owner] <- min firsts[owner] moments[label]

            if owner = 3 then
                common <- common + 1

        let both = not (Mask.isEmpty prediction || Mask.isEmpty truth)

        if
            both
            && firsts[1] < System.Int64.MaxValue
            && firsts[2] < System.Int64.MaxValue
            && max firsts[1] firsts[2] < firsts[3]
        then
            common + 1
        else
            common

    // Components of the background, and which of them are enclosed.
    let private background (connectivity: Connectivity) (mask: Mask) : struct (int[] * bool[]) =
        let extent = mask.Extent
        let struct (labels, count) = Components.label connectivity (Mask.complement mask)
        let data = labels.Data
        let enclosed = Array.create (count + 1) true
        enclosed[0] <- false

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Extent.index extent slice row 0

                if
                    row = 0
                    || row = extent.Height - 1
                    || (extent.Rank = 3 && (slice = 0 || slice = extent.Depth - 1))
                then
                    for at in start .. start + extent.Width - 1 do
                        enclosed[data[at]] <- false
                else
                    enclosed[data[start]] <- false
                    enclosed[data[start + extent.Width - 1]] <- false

        struct (data, enclosed)

    // A hole of a plane or a cavity of a volume dies with the last voxel of it that the union leaves free.
    let private enclosed (pair: ConnectivityPair) (prediction: Mask) (truth: Mask) : int =
        let extent = prediction.Extent
        let struct (ours, ourHoles) = background pair.Background prediction
        let struct (theirs, theirHoles) = background pair.Background truth
        let ourLast = Array.create ourHoles.Length -1
        let theirLast = Array.create theirHoles.Length -1
        let free = Mask.complement (Mask.union prediction truth)

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                let start = Layout.row extent slice row
                let first = Extent.index extent slice row 0 - 1

                for word in 0 .. Layout.stride extent - 1 do
                    let bits = free.Words[start + word]
                    // The last voxel of each run in the word.
                    let mutable runs = bits &&& ~~~(bits >>> 1)

                    while runs <> 0UL do
                        let at = first + 64 * word + BitOperations.TrailingZeroCount runs
                        ourLast[ours[at]] <- at
                        theirLast[theirs[at]] <- at
                        runs <- runs &&& (runs - 1UL)

        let mutable matched = 0

        for hole in 1 .. ourHoles.Length - 1 do
            let last = ourLast[hole]

            if
                ourHoles[hole]
                && last >= 0
                && theirHoles[theirs[last]]
                && theirLast[theirs[last]] = last
            then
                matched <- matched + 1

        matched

    /// The matching of a prediction with the truth, by dimension.
    /// Throws ArgumentException when the extents differ, unless the pair is dual and of the masks' rank, and for pairs with
    /// 18, whose persistence no filtration of cells has.
    let measure (pair: ConnectivityPair) (prediction: Mask) (truth: Mask) : BettiMatching =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent

        if
            pair.Foreground = Connectivity.Eighteen
            || pair.Background = Connectivity.Eighteen
        then
            invalidArg
                (nameof pair)
                $"Betti matching is served under 8/4, 4/8, 26/6 and 6/26; got %s{ConnectivityPair.print pair}."

        let ours = Topology.betti pair prediction
        let theirs = Topology.betti pair truth
        let least (number: Betti -> int) = min (number ours) (number theirs)

        let ifAny (number: Betti -> int) (matched: unit -> int) =
            if least number = 0 then 0 else matched ()

        let holes (number: Betti -> int) =
            ifAny number (fun () -> enclosed pair prediction truth)

        let tunnels () =
            ifAny (fun betti -> betti.B1) (fun () ->
                Tunnels.matched (pair.Foreground = Connectivity.TwentySix) prediction truth)

        let plane = prediction.Extent.Rank = 2

        let matched =
            {
                B0 = ifAny (fun betti -> betti.B0) (fun () -> components pair prediction truth)
                B1 = if plane then holes (fun betti -> betti.B1) else tunnels ()
                B2 = if plane then 0 else holes (fun betti -> betti.B2)
            }

        let minus (betti: Betti) =
            {
                B0 = betti.B0 - matched.B0
                B1 = betti.B1 - matched.B1
                B2 = betti.B2 - matched.B2
            }

        {
            Matched = matched
            Invented = minus ours
            Missed = minus theirs
        }

    /// The Betti matching error by dimension: features of either mask that match none of the other.
    let errors (matching: BettiMatching) : Betti =
        {
            B0 = matching.Invented.B0 + matching.Missed.B0
            B1 = matching.Invented.B1 + matching.Missed.B1
            B2 = matching.Invented.B2 + matching.Missed.B2
        }
