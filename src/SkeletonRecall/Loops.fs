namespace SkeletonRecall

open System.Collections.Generic

/// The cells of masks of volumes, and loops among them that span their first homology.
[<RequireQualifiedAccess>]
module internal Loops =

    // Cells are named by their lowest vertex: axis 0 is the slice, 1 the row, 2 the column; an edge by its axis, a square
    // by the axis that it stands across. Each vertex holds its cells' bits: edges 1, 2, 4; squares 8, 16, 32; itself 64.
    let edge (axis: int) : byte = byte (1 <<< axis)
    let square (axis: int) : byte = byte (8 <<< axis)

    [<Literal>]
    let private Vertex = 64uy

    /// The vertices of the box that holds the cells of masks of an extent.
    [<Sealed>]
    type Box(closed: bool, extent: Extent) =
        let more = if closed then 1 else 0
        let sizes = [| extent.Depth + more; extent.Height + more; extent.Width + more |]
        let steps = [| sizes[1] * sizes[2]; sizes[2]; 1 |]
        member _.Sizes: int[] = sizes
        member _.Steps: int[] = steps
        member _.Count: int = sizes[0] * steps[0]

        /// The coordinate of a vertex along an axis.
        member _.At (vertex: int) (axis: int) : int =
            match axis with
            | 0 -> vertex / steps[0]
            | 1 -> vertex / steps[1] % sizes[1]
            | _ -> vertex % sizes[2]

    /// The cells of a mask: of closed cubes (26 neighbours), or of all cells whose corners are voxels (6 neighbours).
    let cells (closed: bool) (mask: Mask) : byte[] =
        let extent = mask.Extent
        let box = Box(closed, extent)
        let depth, height, width = box.Sizes[0], box.Sizes[1], box.Sizes[2]
        // One voxel of background all round.
        let wide, high = extent.Width + 2, extent.Height + 2
        let voxels = Array.zeroCreate<byte>((extent.Depth + 2) * high * wide)
        let data = (Mask.toVolume mask).Data

        for slice in 0 .. extent.Depth - 1 do
            for row in 0 .. extent.Height - 1 do
                System.Array.Copy(
                    data,
                    Extent.index extent slice row 0,
                    voxels,
                    ((slice + 1) * high + row + 1) * wide + 1,
                    extent.Width
                )

        let result = Array.zeroCreate<byte> box.Count
        // The voxels that a vertex's cells look at lie ahead of it, or behind it where voxels are cubes around vertices.
        let shift = if closed then 0 else 1

        for slice in 0 .. depth - 1 do
            for row in 0 .. height - 1 do
                let source = ((slice + shift) * high + row + shift) * wide + shift
                let target = (slice * height + row) * width
                let down, deep = wide, high * wide

                for column in 0 .. width - 1 do
                    let at = source + column
                    let v000, v001 = voxels[at], voxels[at + 1]
                    let v010, v011 = voxels[at + down], voxels[at + down + 1]
                    let v100, v101 = voxels[at + deep], voxels[at + deep + 1]
                    let v110, v111 = voxels[at + deep + down], voxels[at + deep + down + 1]

                    result[target + column] <-
                        if closed then
                            // The cube ahead is v111.
                            let s0, s1, s2 = v011 ||| v111, v101 ||| v111, v110 ||| v111
                            let e0 = s1 ||| v100 ||| v110
                            let e1 = s0 ||| v010 ||| v110
                            let e2 = s0 ||| v001 ||| v101
                            let all = v000 ||| v001 ||| v010 ||| v011 ||| v100 ||| v101 ||| v110 ||| v111

                            e0
                            ||| (e1 <<< 1)
                            ||| (e2 <<< 2)
                            ||| (s0 <<< 3)
                            ||| (s1 <<< 4)
                            ||| (s2 <<< 5)
                            ||| (all <<< 6)
                        else
                            let e0, e1, e2 = v000 &&& v100, v000 &&& v010, v000 &&& v001
                            let s0 = e1 &&& v001 &&& v011
                            let s1 = e0 &&& v001 &&& v101
                            let s2 = e0 &&& v010 &&& v110

                            e0
                            ||| (e1 <<< 1)
                            ||| (e2 <<< 2)
                            ||| (s0 <<< 3)
                            ||| (s1 <<< 4)
                            ||| (s2 <<< 5)
                            ||| (v000 <<< 6)

        result

    /// Loops that span H1 of the cells, each as the edges (4 * vertex + axis) that it runs through. There may be a few
    /// more than H1 needs.
    let spanning (box: Box) (cells: byte[]) : int[] list =
        let count = box.Count
        let steps = box.Steps
        let parents = Array.create count -2
        let depths = Array.zeroCreate<int> count
        // Edges whose class is a sum of classes of loops that are listed already.
        let known = Array.zeroCreate<byte> count
        let fresh = Stack<int>()
        let queue = Queue<int>()

        let note (vertex: int) (axis: int) =
            known[vertex] <- known[vertex] ||| edge axis
            fresh.Push(4 * vertex + axis)

        for root in 0 .. count - 1 do
            if cells[root] &&& Vertex <> 0uy && parents[root] = -2 then
                parents[root] <- -1
                queue.Enqueue root

                while queue.Count > 0 do
                    let at = queue.Dequeue()

                    for axis in 0..2 do
                        if cells[at] &&& edge axis <> 0uy && parents[at + steps[axis]] = -2 then
                            let next = at + steps[axis]
                            parents[next] <- 4 * at + axis
                            depths[next] <- depths[at] + 1
                            note at axis
                            queue.Enqueue next

                        let before = at - steps[axis]

                        if before >= 0 && cells[before] &&& edge axis <> 0uy && parents[before] = -2 then
                            parents[before] <- 4 * before + axis
                            depths[before] <- depths[at] + 1
                            note before axis
                            queue.Enqueue before

        // A square with one edge left tells that edge's class.
        let settle (corner: int) (first: int) (second: int) =
            if cells[corner] &&& square (3 - first - second) <> 0uy then
                let mutable missing = 0
                let mutable last = 0

                let inline look (vertex: int) (axis: int) =
                    if known[vertex] &&& edge axis = 0uy then
                        missing <- missing + 1
                        last <- 4 * vertex + axis

                look corner first
                look corner second
                look (corner + steps[second]) first
                look (corner + steps[first]) second

                if missing = 1 then
                    note (last >>> 2) (last &&& 3)

        let spread () =
            while fresh.Count > 0 do
                let code = fresh.Pop()
                let vertex, axis = code >>> 2, code &&& 3

                for other in 0..2 do
                    if other <> axis then
                        settle vertex axis other

                        if vertex >= steps[other] then
                            settle (vertex - steps[other]) axis other

        let climb (loop: ResizeArray<int>) (vertex: int) : int =
            let code = parents[vertex]
            loop.Add code
            let low = code >>> 2
            if low = vertex then low + steps[code &&& 3] else low

        let loopOf (vertex: int) (axis: int) : int[] =
            let loop = ResizeArray [ 4 * vertex + axis ]
            let mutable left = vertex
            let mutable right = vertex + steps[axis]

            while left <> right do
                if depths[left] >= depths[right] then
                    left <- climb loop left
                else
                    right <- climb loop right

            loop.ToArray()

        spread ()

        [
            for vertex in 0 .. count - 1 do
                for axis in 0..2 do
                    if cells[vertex] &&& edge axis <> 0uy && known[vertex] &&& edge axis = 0uy then
                        note vertex axis
                        spread ()
                        loopOf vertex axis
        ]
