namespace SkeletonRecall

open System.Collections.Generic

/// Removing the spurs of a skeleton; `Skeleton.prune` says by which rule.
[<RequireQualifiedAccess>]
module internal Spurs =

    // Branches that were joined end to end, from node `First` to node `Last`. A node between two of them is a joint.
    type private Chain =
        {
            First: int
            Last: int
            Length: float
            Branches: int list
            Joints: int list
        }

    let private isSolid (node: SkeletonNode) : bool = node.Tunnels = 0 && node.Cavities = 0

    // One pass over a graph: the branches that are cut off and the nodes that go with them.
    let private cut (least: float) (graph: SkeletonGraph) : struct (HashSet<int> * HashSet<int>) =
        let nodes = graph.Nodes
        let chains = Dictionary<int, Chain>()
        // The chains that end at each node; one that comes back is there twice.
        let ends = nodes |> Array.map (fun _ -> List<int>())
        let order = PriorityQueue<int, struct (float * int)>()
        let mutable created = 0

        let isTip (node: int) =
            ends[node].Count = 1 && isSolid nodes[node]

        let isFork (node: int) =
            ends[node].Count > 2 || not (isSolid nodes[node])

        let isSpur (chain: Chain) =
            chain.Length < least
            && (isTip chain.First && isFork chain.Last || isTip chain.Last && isFork chain.First)

        let add (chain: Chain) =
            let number = created
            created <- created + 1
            chains[number] <- chain
            ends[chain.First].Add number
            ends[chain.Last].Add number
            order.Enqueue(number, struct (chain.Length, number))

        let remove (number: int) =
            let chain = chains[number]
            chains.Remove number |> ignore
            ends[chain.First].Remove number |> ignore
            ends[chain.Last].Remove number |> ignore

        // Two chains that meet at a node where nothing else does any more are one.
        let join (node: int) =
            if ends[node].Count = 2 && ends[node][0] <> ends[node][1] && isSolid nodes[node] then
                let left = ends[node][0]
                let right = ends[node][1]
                let one = chains[left]
                let other = chains[right]
                remove left
                remove right

                add
                    {
                        First = (if one.First = node then one.Last else one.First)
                        Last = (if other.First = node then other.Last else other.First)
                        Length = one.Length + other.Length
                        Branches = one.Branches @ other.Branches
                        Joints = node :: (one.Joints @ other.Joints)
                    }

        graph.Branches
        |> Array.iteri (fun number branch ->
            match branch.Ends with
            | Some(first, last) ->
                add
                    {
                        First = first
                        Last = last
                        Length = branch.Length
                        Branches = [ number ]
                        Joints = []
                    }
            | None -> ())

        for node in 0 .. nodes.Length - 1 do
            join node

        let branches = HashSet<int>()
        let gone = HashSet<int>()

        while order.Count > 0 do
            let number = order.Dequeue()

            match chains.TryGetValue number with
            | true, chain when isSpur chain ->
                let tip, fork =
                    if isTip chain.First && isFork chain.Last then
                        chain.First, chain.Last
                    else
                        chain.Last, chain.First

                remove number
                branches.UnionWith chain.Branches
                gone.UnionWith chain.Joints
                gone.Add tip |> ignore
                join fork
            | _ -> ()

        struct (branches, gone)

    let private without (graph: SkeletonGraph) (branches: HashSet<int>) (nodes: HashSet<int>) : SkeletonGraph =
        let kept (gone: HashSet<int>) (items: 'T[]) =
            items
            |> Array.indexed
            |> Array.filter (fun (number, _) -> not (gone.Contains number))
            |> Array.map snd

        { graph with
            Nodes = kept nodes graph.Nodes
            Branches = kept branches graph.Branches
        }

    // Of the voxels that a branch shares with its nodes only those of nodes that stay are kept.
    let private repaint (graph: SkeletonGraph) : Mask =
        let data = Array.zeroCreate<bool> graph.Extent.Count

        for node in graph.Nodes do
            for voxel in node.Voxels do
                data[voxel] <- true

        for branch in graph.Branches do
            for voxel in SkeletonGraph.ownVoxels branch do
                data[voxel] <- true

        Volume.create graph.Extent data
        |> Volume.withSpacing graph.Spacing
        |> Mask.ofVolume id

    /// The skeleton without spurs shorter than `least` mm.
    let rec prune (least: float) (skeleton: Mask) : Mask =
        let graph = SkeletonGraph.ofMask skeleton
        let struct (branches, nodes) = cut least graph

        if branches.Count = 0 then
            skeleton
        else
            // Where a spur left, its junction may have kept a voxel that now sticks out.
            prune least (repaint (without graph branches nodes))
