namespace SkeletonRecall

open System

/// What a node of a skeleton's graph is, by the number of branch ends that meet there.
[<RequireQualifiedAccess>]
type NodeKind =
    /// No branch: a voxel, or a few that all touch, alone.
    | Isolated
    /// One: where a curve ends.
    | End
    /// Two: a place on a curve where the skeleton is thicker than one voxel.
    | Joint
    /// Three or more: where curves meet.
    | Junction

/// A node of a skeleton's graph. The arrays are the graph's own and must not be changed.
type SkeletonNode =
    {
        /// What meets in it.
        Kind: NodeKind
        /// How many ends of branches meet here; a branch that comes back counts twice.
        Degree: int
        /// Row-major positions of its voxels, ascending.
        Voxels: int[]
        /// The mean of its voxels' coordinates, in voxels, slowest axis first.
        Centre: float list
        /// The largest distance to the background among its voxels in mm; NaN where no distances were given.
        Radius: float
        /// The class that most of its voxels have, the smaller of equals; 0 where no labels were given.
        Class: int16
        /// Holes of a plane, or tunnels, that the node's own voxels close; 0 but for rings of voxels that are all junctions.
        Tunnels: int
        /// Cavities that the node's own voxels close; nearly always 0.
        Cavities: int
    }

/// A branch of a skeleton's graph: a curve between two nodes, or a ring. The arrays are the graph's own and must not be
/// changed.
type SkeletonBranch =
    {
        /// The numbers of the nodes at its first and last voxel; None for a ring without any node.
        Ends: (int * int) option
        /// Row-major positions of the voxels along it. The first and the last are voxels of the nodes; those between (of
        /// a ring, all) are the branch's own.
        Voxels: int[]
        /// The length of its steps in mm, from node to node; of a ring, once around.
        Length: float
        /// The straight distance of its first and last voxel in mm; 0 for a ring.
        Chord: float
        /// Distance to the background at each voxel in mm; empty where no distances were given.
        Radii: float[]
        /// The class that most of its own voxels have (of a branch without any, its end voxels), the smaller of equals;
        /// 0 where no labels were given.
        Class: int16
    }

/// A skeleton as curves.
type SkeletonGraph =
    {
        /// The size of the skeleton's grid.
        Extent: Extent
        /// Distance between voxel centres in mm.
        Spacing: Spacing
        /// In raster order of their first voxels.
        Nodes: SkeletonNode[]
        /// In raster order of their first voxels; rings without a node come last.
        Branches: SkeletonBranch[]
    }

/// Graphs of skeletons.
///
/// Two voxels that touch follow one another unless another voxel of the skeleton lies in the box that the two span, so
/// that a corner of a staircase is no junction. Voxels with more than two neighbours in that sense, and places where the
/// skeleton is thicker than one voxel, are gathered: those that touch are one node. All other voxels lie on branches or
/// are ends. With V nodes, E branches and C components, a skeleton has
/// E - V + C (rings without a node taken for one node each) plus the sum of the nodes' `Tunnels`
/// tunnels (holes of a plane) under 26/6 (8/4) connectivity, and its cavities are those of its nodes.
[<RequireQualifiedAccess>]
module SkeletonGraph =

    let private place (extent: Extent) (position: int) : struct (int * int * int) =
        struct (position / extent.Width / extent.Height,
                position / extent.Width % extent.Height,
                position % extent.Width)

    // The straight distance of two voxels in mm.
    let private distance (extent: Extent) (spacing: Spacing) : int -> int -> float =
        let sides =
            Array.append (Array.zeroCreate (3 - extent.Rank)) (Array.ofList spacing.Values)

        fun from until ->
            let struct (c, b, a) = place extent from
            let struct (z, y, x) = place extent until
            let dz = float (z - c) * sides[0]
            let dy = float (y - b) * sides[1]
            let dx = float (x - a) * sides[2]
            sqrt (dz * dz + dy * dy + dx * dx)

    // The topology of a few voxels by themselves.
    let private topology (extent: Extent) (voxels: int[]) : Betti =
        if voxels.Length < 4 then
            { B0 = 1; B1 = 0; B2 = 0 }
        else
            let slices = voxels |> Array.map (fun voxel -> voxel / extent.Width / extent.Height)
            let rows = voxels |> Array.map (fun voxel -> voxel / extent.Width % extent.Height)
            let columns = voxels |> Array.map (fun voxel -> voxel % extent.Width)
            let size (along: int[]) : int = Array.max along - Array.min along + 1

            let box =
                if extent.Rank = 2 then
                    Extent.plane (size rows) (size columns)
                else
                    Extent.space (size slices) (size rows) (size columns)

            let data = Array.zeroCreate<bool> box.Count
            let first = Extent.index box (Array.min slices) (Array.min rows) (Array.min columns)

            for at in 0 .. voxels.Length - 1 do
                data[Extent.index box slices[at] rows[at] columns[at] - first] <- true

            Volume.create box data
            |> Mask.ofVolume id
            |> Topology.betti (ConnectivityPair.standard extent.Rank)

    let private centre (extent: Extent) (voxels: int[]) : float list =
        let mean (axis: struct (int * int * int) -> int) =
            voxels |> Array.averageBy (fun voxel -> float (axis (place extent voxel)))

        let row = mean (fun (struct (_, y, _)) -> y)
        let column = mean (fun (struct (_, _, x)) -> x)

        if extent.Rank = 2 then
            [ row; column ]
        else
            [ mean (fun (struct (z, _, _)) -> z); row; column ]

    let private kind (degree: int) : NodeKind =
        match degree with
        | 0 -> NodeKind.Isolated
        | 1 -> NodeKind.End
        | 2 -> NodeKind.Joint
        | _ -> NodeKind.Junction

    let private node (extent: Extent) (degree: int) (voxels: int[]) : SkeletonNode =
        let betti = topology extent voxels

        {
            Kind = kind degree
            Degree = degree
            Voxels = voxels
            Centre = centre extent voxels
            Radius = nan
            Class = 0s
            Tunnels = betti.B1
            Cavities = betti.B2
        }

    let private branch (distance: int -> int -> float) (ends: (int * int) option) (voxels: int[]) : SkeletonBranch =
        let mutable length = 0.0

        for at in 1 .. voxels.Length - 1 do
            length <- length + distance voxels[at - 1] voxels[at]

        let chord = distance voxels[0] voxels[voxels.Length - 1]

        {
            Ends = ends
            Voxels = voxels
            Length = if ends.IsNone then length + chord else length
            Chord = if ends.IsNone then 0.0 else chord
            Radii = [||]
            Class = 0s
        }

    /// The graph of a skeleton, without radii and classes. Any mask has one; one that is no skeleton is mostly nodes.
    /// The result depends on the mask alone.
    let ofMask (skeleton: Mask) : SkeletonGraph =
        let extent = skeleton.Extent
        let trace = Tracing.ofMask skeleton
        let members = trace.Nodes
        let degrees = Array.zeroCreate<int> members.Length
        let distance = distance extent skeleton.Spacing

        let branches =
            trace.Paths
            |> Array.map (fun (struct (first, last, path)) ->
                degrees[first] <- degrees[first] + 1
                degrees[last] <- degrees[last] + 1
                branch distance (Some(first, last)) path)

        {
            Extent = extent
            Spacing = skeleton.Spacing
            Nodes = members |> Array.mapi (fun number voxels -> node extent degrees[number] voxels)
            Branches = Array.append branches (trace.Rings |> Array.map (branch distance None))
        }

    /// The voxels of a branch that belong to no node.
    let ownVoxels (branch: SkeletonBranch) : ReadOnlySpan<int> =
        match branch.Ends with
        | None -> ReadOnlySpan branch.Voxels
        | Some _ -> ReadOnlySpan(branch.Voxels, 1, branch.Voxels.Length - 2)

    /// Length by chord: 1 for a straight branch; NaN for a ring, and infinite for one that ends where it began.
    let tortuosity (branch: SkeletonBranch) : float =
        if branch.Ends.IsNone then
            nan
        else
            branch.Length / branch.Chord

    /// The same graph with radii: distances to the background in mm, as `Distance.toBackground` gives them of the mask
    /// that was thinned. Throws ArgumentException when the extents differ.
    let withRadii (distances: Volume<float>) (graph: SkeletonGraph) : SkeletonGraph =
        Extent.requireEqual (nameof distances) graph.Extent distances.Extent
        let at (voxel: int) : float = distances.Data[voxel]

        { graph with
            Nodes =
                graph.Nodes
                |> Array.map (fun node ->
                    { node with
                        Radius = node.Voxels |> Array.map at |> Array.max
                    })
            Branches =
                graph.Branches
                |> Array.map (fun branch ->
                    { branch with
                        Radii = Array.map at branch.Voxels
                    })
        }

    // The most frequent label at some voxels, the smallest of equals.
    let private majority (labels: LabelMap) (voxels: ReadOnlySpan<int>) : int16 =
        let found = Array.zeroCreate<int16> voxels.Length

        for at in 0 .. found.Length - 1 do
            found[at] <- labels.Data[voxels[at]]

        Array.sortInPlace found
        let mutable best = found[0]
        let mutable most = 0
        let mutable start = 0

        for at in 1 .. found.Length do
            if at = found.Length || found[at] <> found[start] then
                if at - start > most then
                    most <- at - start
                    best <- found[start]

                start <- at

        best

    /// The same graph with classes. Throws ArgumentException when the extents differ.
    let withClasses (labels: LabelMap) (graph: SkeletonGraph) : SkeletonGraph =
        Extent.requireEqual (nameof labels) graph.Extent labels.Extent

        { graph with
            Nodes =
                graph.Nodes
                |> Array.map (fun node ->
                    { node with
                        Class = majority labels (ReadOnlySpan node.Voxels)
                    })
            Branches =
                graph.Branches
                |> Array.map (fun branch ->
                    let own = ownVoxels branch

                    { branch with
                        Class = majority labels (if own.IsEmpty then ReadOnlySpan branch.Voxels else own)
                    })
        }

    /// The skeleton that the graph was made of.
    let toMask (graph: SkeletonGraph) : Mask =
        let data = Array.zeroCreate<bool> graph.Extent.Count

        for node in graph.Nodes do
            for voxel in node.Voxels do
                data[voxel] <- true

        for branch in graph.Branches do
            for voxel in branch.Voxels do
                data[voxel] <- true

        Volume.create graph.Extent data
        |> Volume.withSpacing graph.Spacing
        |> Mask.ofVolume id

    /// The length of all branches in mm.
    let length (graph: SkeletonGraph) : float =
        graph.Branches |> Array.sumBy (fun branch -> branch.Length)

    /// The number of components: of nodes that branches join, and of rings without a node.
    let components (graph: SkeletonGraph) : int =
        let parents = Array.init graph.Nodes.Length id
        let mutable count = graph.Nodes.Length

        let root (node: int) : int =
            let mutable at = node

            while parents[at] <> at do
                parents[at] <- parents[parents[at]]
                at <- parents[at]

            at

        for branch in graph.Branches do
            match branch.Ends with
            | None -> count <- count + 1
            | Some(first, last) ->
                let first = root first
                let last = root last

                if first <> last then
                    parents[max first last] <- min first last
                    count <- count - 1

        count

    /// The number of independent rings of branches: branches - nodes + components, a ring without a node taken for a
    /// branch that comes back to a node of its own. With the `Tunnels` of the nodes it is the skeleton's B1.
    let cycles (graph: SkeletonGraph) : int =
        let loose = graph.Branches |> Array.filter (fun branch -> branch.Ends.IsNone)
        graph.Branches.Length - graph.Nodes.Length - loose.Length + components graph
