namespace SkeletonRecall.Benchmarks

open SkeletonRecall
open SkeletonRecall.Tests

/// The obvious way, one voxel at a time: what stands in where no Python has scikit-image.
[<RequireQualifiedAccess>]
module Plain =

    /// Zhang's skeleton of a plane, Lee's of a volume.
    let thin (mask: Mask) : Mask =
        if mask.Extent.Rank = 2 then
            PlainPlane.thin mask
        else
            PlainVolume.thin mask

    /// One step of the cross.
    let dilate (extent: Extent) (cells: byte[]) : byte[] =
        let steps =
            let connectivity =
                if extent.Rank = 2 then
                    Connectivity.Four
                else
                    Connectivity.Six

            List.toArray (Connectivity.neighbours connectivity)

        let grown = Array.copy cells

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                for column in 0 .. extent.Width - 1 do
                    if cells[Extent.index extent slice row column] <> 0uy then
                        for struct (down, along, across) in steps do
                            let slice = slice + down
                            let row = row + along
                            let column = column + across

                            if
                                uint slice < uint extent.Depth
                                && uint row < uint extent.Height
                                && uint column < uint extent.Width
                            then
                                grown[Extent.index extent slice row column] <- 1uy

        grown

    /// The tubed skeleton of radius 2.
    let tubed (labels: LabelMap) : int16[] =
        let skeleton =
            (labels |> Mask.ofVolume (fun label -> label > 0s) |> thin |> Mask.toVolume).Data

        skeleton
        |> dilate labels.Extent
        |> dilate labels.Extent
        |> Array.map2 (fun (label: int16) cell -> label * int16 cell) labels.Data

    /// The Euler number of a volume whose voxels are closed cubes: cubes, faces, edges and corners with their signs.
    /// Places of a grid twice as fine are odd inside a voxel and even between two.
    let euler (mask: Mask) : int =
        let extent = mask.Extent
        let cells = (Mask.toVolume mask).Data

        let near (place: int) (size: int) : struct (int * int) =
            struct (max 0 ((place - 1) / 2), min (size - 1) (place / 2))

        let mutable sum = 0

        for z in 0 .. 2 * extent.Depth do
            let struct (top, bottom) = near z extent.Depth

            for y in 0 .. 2 * extent.Height do
                let struct (first, last) = near y extent.Height

                for x in 0 .. 2 * extent.Width do
                    let struct (left, right) = near x extent.Width
                    let mutable touched = false

                    for slice in top..bottom do
                        for row in first..last do
                            for column in left..right do
                                touched <- touched || cells[Extent.index extent slice row column] <> 0uy

                    if touched then
                        sum <- sum + (if (z + y + x) % 2 = 0 then 1 else -1)

        sum

    /// Betti numbers of a volume, 26 neighbours in front and 6 behind.
    let betti (mask: Mask) : Betti =
        let extent = mask.Extent
        let struct (_, components) = PlainComponents.label Connectivity.TwentySix mask

        let struct (labels, found) =
            PlainComponents.label Connectivity.Six (Mask.complement mask)

        let outside = System.Collections.Generic.HashSet<int>()

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                for column in 0 .. extent.Width - 1 do
                    let isEnd (place: int) (size: int) = place = 0 || place = size - 1
                    let label = labels[Extent.index extent slice row column]

                    if
                        label > 0
                        && (isEnd slice extent.Depth || isEnd row extent.Height || isEnd column extent.Width)
                    then
                        outside.Add label |> ignore

        let cavities = found - outside.Count

        {
            B0 = components
            B1 = components + cavities - euler mask
            B2 = cavities
        }

    /// Topology precision, topology sensitivity and clDice.
    let clDice (prediction: Mask) (truth: Mask) : float[] =
        let share (skeleton: Mask) (mask: Mask) =
            float (Mask.count (Mask.intersect skeleton mask)) / float (Mask.count skeleton)

        let precision = share (thin prediction) truth
        let sensitivity = share (thin truth) prediction

        [|
            precision
            sensitivity
            2.0 * precision * sensitivity / (precision + sensitivity)
        |]

    /// The distance of each voxel of a volume to the nearest voxel that is not in the mask: along rows, then columns, then
    /// slices, at each place the least of all that a line offers.
    let distance (mask: Mask) : Volume<float> =
        let extent = mask.Extent

        let mutable squares =
            (Mask.toVolume mask).Data
            |> Array.map (fun cell -> if cell = 0uy then 0.0 else infinity)

        let along (length: int) (stride: int) : unit =
            squares <-
                Array.init squares.Length (fun at ->
                    let place = at / stride % length
                    let mutable best = squares[at]
                    let mutable far = 1

                    while far < length && float (far * far) < best do
                        let more = float (far * far)

                        if place >= far then
                            best <- min best (squares[at - far * stride] + more)

                        if place + far < length then
                            best <- min best (squares[at + far * stride] + more)

                        far <- far + 1

                    best)

        along extent.Width 1
        along extent.Height extent.Width
        along extent.Depth (extent.Width * extent.Height)
        Volume.create extent (Array.map sqrt squares)
