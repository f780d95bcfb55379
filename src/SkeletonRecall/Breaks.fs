namespace SkeletonRecall

open System.Collections.Generic

/// A connected stretch of a skeleton that lies outside another mask.
type Stretch =
    {
        /// Row-major positions of its voxels, ascending.
        Voxels: int[]
        /// The position of the voxel that lies nearest to the mean of all: where a mark belongs.
        Middle: int
        /// How many parts of the other mask it touches that do not hang together beside it.
        Ends: int
    }

/// Where a prediction breaks the true centreline, and where it joins what is apart.
///
/// A break is a connected stretch of the true skeleton outside the prediction that leads from one part of the prediction
/// to another. Parts that hang together beside the stretch count as one, so that a line which is merely displaced, and a
/// notch that leaves the vessel connected, are no breaks; a gap in a loop is one, although the prediction hangs together
/// around it. "Beside" is what lies within the structure's own width (the largest box around a voxel of the stretch that
/// lies in its own mask) and two voxels more. A false bridge is the same with the masks exchanged.
[<RequireQualifiedAccess>]
module Breaks =

    // What a displaced line may lie beyond the structure's own width.
    let private slack = 2

    let private holds (mask: Mask) (slice: int) (row: int) (column: int) : bool =
        let extent = mask.Extent

        slice >= 0
        && slice < extent.Depth
        && row >= 0
        && row < extent.Height
        && column >= 0
        && column < extent.Width
        && (let bit = column + 1

            (mask.Words[Layout.row extent slice row + (bit >>> 6)] >>> (bit &&& 63)) &&& 1UL
            <> 0UL)

    // Calls the function for every voxel within `reach` steps along each axis; the slice of a plane stays.
    let inline private around
        (extent: Extent)
        (reach: int)
        (index: int)
        ([<InlineIfLambda>] visit: int -> int -> int -> unit)
        : unit =
        let column = index % extent.Width
        let row = index / extent.Width % extent.Height
        let slice = index / extent.Width / extent.Height
        let deep = if extent.Rank = 3 then reach else 0

        for z in max 0 (slice - deep) .. min (extent.Depth - 1) (slice + deep) do
            for y in max 0 (row - reach) .. min (extent.Height - 1) (row + reach) do
                for x in max 0 (column - reach) .. min (extent.Width - 1) (column + reach) do
                    visit z y x

    // The largest number of steps around a voxel of the mask that stay in it; the border of the image ends nothing.
    let private width (own: Mask) (index: int) : int =
        let mutable reach = 0
        let mutable inside = true

        while inside do
            let next = reach + 1
            let mutable whole = next < 256

            if whole then
                around own.Extent next index (fun z y x ->
                    if whole && not (holds own z y x) then
                        whole <- false)

            if whole then reach <- next else inside <- false

        reach

    // The parts of `other` beside the voxels that touch one of them, counted.
    let private ends (own: Mask) (other: Mask) (voxels: int[]) : int =
        let extent = other.Extent
        let reaches = voxels |> Array.map (fun voxel -> slack + width own voxel)
        let beside = HashSet<int>()

        for at in 0 .. voxels.Length - 1 do
            around extent reaches[at] voxels[at] (fun z y x ->
                if holds other z y x then
                    beside.Add(Extent.index extent z y x) |> ignore)

        let waiting = Stack<int>()
        let mutable parts = 0

        for voxel in voxels do
            around extent 1 voxel (fun z y x ->
                let seed = Extent.index extent z y x

                if beside.Remove seed then
                    parts <- parts + 1
                    waiting.Push seed

                    while waiting.Count > 0 do
                        around extent 1 (waiting.Pop()) (fun z y x ->
                            let next = Extent.index extent z y x

                            if beside.Remove next then
                                waiting.Push next))

        parts

    let private middle (extent: Extent) (voxels: int[]) : int =
        let column (index: int) = float (index % extent.Width)

        let row (index: int) =
            float (index / extent.Width % extent.Height)

        let slice (index: int) =
            float (index / extent.Width / extent.Height)

        let mean (coordinate: int -> float) = voxels |> Array.averageBy coordinate
        let x, y, z = mean column, mean row, mean slice

        voxels
        |> Array.minBy (fun index -> (column index - x) ** 2.0 + (row index - y) ** 2.0 + (slice index - z) ** 2.0)

    /// Every connected stretch of `skeleton` outside `other`, in the order of a raster scan; `own` is the mask that the
    /// skeleton was thinned from. Neighbours are those that share at least a corner.
    /// Throws ArgumentException when the extents differ.
    let stretches (own: Mask) (skeleton: Mask) (other: Mask) : Stretch list =
        Extent.requireEqual (nameof skeleton) own.Extent skeleton.Extent
        Extent.requireEqual (nameof other) own.Extent other.Extent
        let extent = own.Extent
        let pair = ConnectivityPair.standard extent.Rank

        let struct (labels, count) =
            Components.label pair.Foreground (Mask.difference skeleton other)

        let found = Array.init count (fun _ -> List<int>())

        for index in 0 .. labels.Data.Length - 1 do
            let label = labels.Data[index]

            if label > 0 then
                found[label - 1].Add index

        [
            for voxels in found ->
                let voxels = voxels.ToArray()

                {
                    Voxels = voxels
                    Middle = middle extent voxels
                    Ends = ends own other voxels
                }
        ]

    /// The breaks: missed stretches of the true skeleton that lead from one part of the prediction to another.
    /// Throws ArgumentException when the extents differ.
    let breaks (prediction: Mask) (truth: Mask) : Stretch list =
        Extent.requireEqual (nameof truth) prediction.Extent truth.Extent

        stretches truth (Skeleton.thin truth) prediction
        |> List.filter (fun stretch -> stretch.Ends > 1)

    /// The false bridges: invented stretches of the prediction's skeleton that lead from one part of the truth to another.
    /// Throws ArgumentException when the extents differ.
    let bridges (prediction: Mask) (truth: Mask) : Stretch list = breaks truth prediction
