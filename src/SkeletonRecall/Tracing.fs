namespace SkeletonRecall

open System
open System.Collections.Generic
open System.Numerics

/// What a skeleton falls into; voxels by their row-major positions.
type internal Traced =
    {
        /// The voxels of each node, ascending; nodes in raster order of their first voxels.
        Nodes: int[][]
        /// The numbers of the first and the last node, and the voxels from one to the other, ends included.
        Paths: struct (int * int * int[])[]
        /// Rings without a node, once around.
        Rings: int[][]
    }

/// Nodes of a skeleton and the paths between them; `SkeletonGraph` says by which rule.
[<RequireQualifiedAccess>]
module internal Tracing =

    // While tracing: what owns each voxel (-1: a branch, or nobody yet) and the branches found so far, as voxel numbers.
    type private Trace =
        {
            Strands: Strands
            Owner: int[]
            Members: ResizeArray<ResizeArray<int>>
            Visited: bool[]
            Paths: ResizeArray<int[]>
            Rings: ResizeArray<int[]>
        }

    let inline private eachDirection (directions: uint32) ([<InlineIfLambda>] act: int -> unit) : unit =
        let mutable rest = directions

        while rest <> 0u do
            act (BitOperations.TrailingZeroCount rest)
            rest <- rest &&& (rest - 1u)

    let private own (trace: Trace) (owner: int) (number: int) : unit =
        trace.Owner[number] <- owner
        trace.Members[owner].Add number

    // Gathers places that touch one another, and takes each other voxel with fewer than two links as a node of its own.
    let private gather (trace: Trace) : unit =
        let strands = trace.Strands

        let isPlace =
            Array.init trace.Owner.Length (fun number ->
                BitOperations.PopCount strands.Links[number] > 2 || strands.IsThick number)

        let waiting = Stack<int>()

        for number in 0 .. trace.Owner.Length - 1 do
            if trace.Owner[number] < 0 then
                let place = isPlace[number]

                if place || BitOperations.PopCount strands.Links[number] < 2 then
                    let owner = trace.Members.Count
                    trace.Members.Add(ResizeArray())
                    own trace owner number

                    if place then
                        waiting.Push number

                    while waiting.Count > 0 do
                        let at = waiting.Pop()

                        eachDirection strands.Touching[at] (fun direction ->
                            let other = strands.Neighbour(at, direction)

                            if trace.Owner[other] < 0 && isPlace[other] then
                                own trace owner other
                                waiting.Push other)

    // The voxel that follows `at` when one comes from `from`, or -1.
    let private next (trace: Trace) (from: int) (at: int) : int =
        let mutable rest = trace.Strands.Links[at]
        let mutable found = -1

        while found < 0 && rest <> 0u do
            let other = trace.Strands.Neighbour(at, BitOperations.TrailingZeroCount rest)
            rest <- rest &&& (rest - 1u)

            if other <> from then
                found <- other

        found

    // Whether all voxels of a path touch each other.
    let private isClose (extent: Extent) (positions: int[]) (path: ResizeArray<int>) : bool =
        let within (axis: int -> int) : bool =
            let mutable low = Int32.MaxValue
            let mutable high = -1

            for number in path do
                let at = axis positions[number]
                low <- min low at
                high <- max high at

            high - low <= 1

        path.Count <= 8
        && within (fun position -> position % extent.Width)
        && within (fun position -> position / extent.Width % extent.Height)
        && within (fun position -> position / extent.Width / extent.Height)

    // Follows every link that leaves a node. A path that comes back to its node without leaving the 2 x 2 x 2 window in
    // which it began closes no ring: its voxels join the node.
    let private follow (extent: Extent) (trace: Trace) : unit =
        let strands = trace.Strands
        let path = ResizeArray<int>()

        for number in 0 .. trace.Owner.Length - 1 do
            let owner = trace.Owner[number]

            if owner >= 0 && not trace.Visited[number] then
                eachDirection strands.Links[number] (fun direction ->
                    let first = strands.Neighbour(number, direction)
                    let direct = trace.Owner[first] >= 0

                    if
                        (direct && trace.Owner[first] <> owner && first > number)
                        || (not direct && not trace.Visited[first])
                    then
                        path.Clear()
                        path.Add number
                        path.Add first
                        let mutable before = number
                        let mutable at = first

                        while trace.Owner[at] < 0 do
                            trace.Visited[at] <- true
                            let following = next trace before at
                            before <- at
                            at <- following
                            path.Add at

                        if
                            path.Count > 2
                            && trace.Owner[at] = owner
                            && isClose extent strands.Positions path
                        then
                            for inner in 1 .. path.Count - 2 do
                                own trace owner path[inner]
                        else
                            trace.Paths.Add(path.ToArray()))

        for number in 0 .. trace.Owner.Length - 1 do
            if trace.Owner[number] < 0 && not trace.Visited[number] then
                path.Clear()
                let mutable before = -1
                let mutable at = number

                while not trace.Visited[at] do
                    trace.Visited[at] <- true
                    path.Add at
                    let following = next trace before at
                    before <- at
                    at <- following

                trace.Rings.Add(path.ToArray())

    /// The nodes, paths and rings of a mask.
    let ofMask (skeleton: Mask) : Traced =
        let strands = Strands.Of skeleton
        let positions = strands.Positions

        let trace =
            {
                Strands = strands
                Owner = Array.create positions.Length -1
                Members = ResizeArray()
                Visited = Array.zeroCreate positions.Length
                Paths = ResizeArray()
                Rings = ResizeArray()
            }

        gather trace
        follow skeleton.Extent trace
        let voxels = Array.map (fun (number: int) -> positions[number])

        // A node may have got a voxel that lies before its first one.
        let members =
            trace.Members.ToArray()
            |> Array.map (fun group -> group.ToArray() |> Array.sort)

        let order =
            Array.init members.Length id |> Array.sortBy (fun owner -> members[owner][0])

        let numbers = Array.zeroCreate<int> members.Length
        order |> Array.iteri (fun number owner -> numbers[owner] <- number)

        {
            Nodes = order |> Array.map (fun owner -> voxels members[owner])
            Paths =
                trace.Paths.ToArray()
                |> Array.map (fun path ->
                    let first = numbers[trace.Owner[path[0]]]
                    let last = numbers[trace.Owner[path[path.Length - 1]]]
                    struct (first, last, voxels path))
            Rings = trace.Rings.ToArray() |> Array.map voxels
        }
