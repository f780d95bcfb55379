namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// What the tubes of training are grown from.
[<RequireQualifiedAccess>]
type SkeletonSource =
    /// The skeleton of each patch, made after augmentation, as upstream does.
    | Patch
    /// The skeleton of the whole case, made once, moved with each patch and painted there.
    | Cached

/// Names of the sources.
[<RequireQualifiedAccess>]
module SkeletonSource =

    /// `patch` or `cached`.
    let print (source: SkeletonSource) : string =
        match source with
        | SkeletonSource.Patch -> "patch"
        | SkeletonSource.Cached -> "cached"

    /// The source of a name; None for any other than `patch` and `cached`.
    let tryParse (name: string) : SkeletonSource option =
        match name with
        | "patch" -> Some SkeletonSource.Patch
        | "cached" -> Some SkeletonSource.Cached
        | _ -> None

/// A curve of a case's skeleton. The arrays are not to be changed.
type Strand =
    {
        /// The class that most of its voxels have; where skeletons are made class by class, their class.
        Class: int16
        /// Row-major positions of its voxels in the case; each touches the next. One position for a voxel alone.
        Voxels: int[]
        /// Distance to the background at each voxel in mm.
        Radii: float32[]
    }

/// The skeleton of a whole case as curves.
type CaseSkeleton =
    {
        /// The size of the case.
        Extent: Extent
        /// Whether each slice of a volume has a skeleton of its own, for configurations whose patches are planes.
        Slicewise: bool
        /// The branches, and the links inside its nodes.
        Strands: Strand[]
    }

/// Making the skeletons of cases, and cutting patches out of them.
[<RequireQualifiedAccess>]
module CaseSkeleton =

    // Links between the voxels of a node that touch each other, so that drawing leaves no gap there.
    let private links (extent: Extent) (shift: int) (node: SkeletonNode) : Strand[] =
        let strand (voxels: int[]) : Strand =
            {
                Class = node.Class
                Voxels = voxels |> Array.map (fun voxel -> voxel + shift)
                Radii = Array.create voxels.Length (float32 node.Radius)
            }

        if node.Voxels.Length = 1 then
            if node.Degree = 0 then [| strand node.Voxels |] else [||]
        else
            let touches (voxel: int) (other: int) =
                let apart (axis: int -> int) = abs (axis voxel - axis other)

                other > voxel
                && apart (fun at -> at % extent.Width) <= 1
                && apart (fun at -> at / extent.Width % extent.Height) <= 1
                && apart (fun at -> at / extent.Width / extent.Height) <= 1

            [|
                for number in 0 .. node.Voxels.Length - 1 do
                    let voxel = node.Voxels[number]
                    // Voxels ascend, so that those of later slices are out of reach.
                    let farthest = voxel + (extent.Height + 1) * extent.Width + 1
                    let mutable next = number + 1

                    while next < node.Voxels.Length && node.Voxels[next] <= farthest do
                        if touches voxel node.Voxels[next] then
                            strand [| voxel; node.Voxels[next] |]

                        next <- next + 1
            |]

    let private strands (shift: int) (graph: SkeletonGraph) : Strand[] =
        let ofBranch (branch: SkeletonBranch) : Strand =
            let closed (items: 'T[]) =
                if branch.Ends.IsNone then
                    Array.append items [| items[0] |]
                else
                    items

            {
                Class = branch.Class
                Voxels = closed branch.Voxels |> Array.map (fun voxel -> voxel + shift)
                Radii = closed branch.Radii |> Array.map float32
            }

        Array.append (Array.map ofBranch graph.Branches) (Array.collect (links graph.Extent shift) graph.Nodes)

    /// The skeleton that `Tube.ofLabels` grows with these options, for the whole case at once or, `slicewise`, for each
    /// slice of a volume as a plane. The radius of the options plays no part. Throws ArgumentException as `Tube.ofLabels`
    /// does, and for slices of a plane.
    let ofLabels (options: TubeOptions) (slicewise: bool) (labels: LabelMap) : CaseSkeleton =
        let extent = labels.Extent

        if slicewise && extent.Rank = 2 then
            invalidArg (nameof slicewise) $"A plane of %O{extent} has no slices."

        {
            Extent = extent
            Slicewise = slicewise
            Strands =
                if slicewise then
                    let plane = Extent.plane extent.Height extent.Width
                    let spacing = Spacing.ofList labels.Spacing.Values.Tail

                    Array.init extent.Depth (fun slice ->
                        Array.sub labels.Data (slice * plane.Count) plane.Count
                        |> Volume.create plane
                        |> Volume.withSpacing spacing
                        |> TubeGraph.ofLabels options
                        |> strands (slice * plane.Count))
                    |> Array.concat
                else
                    strands 0 (TubeGraph.ofLabels options labels)
        }

    // How far beyond a patch pieces are kept: tubes may reach into it.
    let private margin = 32

    /// What a patch of the case shows: the box of extent `size` whose first corner is `origin` (one entry per axis of
    /// the case), and a little around it. A plane's size out of a volume is one slice.
    /// Throws ArgumentException for an origin of another rank, and for a slice of a skeleton that was not made slice by
    /// slice.
    let cut (size: Extent) (origin: int list) (skeleton: CaseSkeleton) : PatchSkeleton =
        let extent = skeleton.Extent

        if origin.Length <> extent.Rank || size.Rank > extent.Rank then
            invalidArg (nameof origin) $"A patch of %O{size} at %A{origin} does not fit a case of %O{extent}."

        if (size.Rank < extent.Rank) <> skeleton.Slicewise then
            invalidArg
                (nameof size)
                $"A patch of %O{size} and a skeleton of %O{extent} made slice by slice (%b{skeleton.Slicewise}) do not fit each other."

        let slice, row, column =
            match origin with
            | [ row; column ] -> 0, row, column
            | _ -> origin[0], origin[1], origin[2]

        let width, height = extent.Width, extent.Height
        let beside = if skeleton.Slicewise then 0 else margin
        let most = skeleton.Strands |> Array.sumBy (fun strand -> strand.Voxels.Length)
        let coordinates = Array.zeroCreate<float32>(6 * most)
        let classes = Array.zeroCreate<int16> most
        let mutable count = 0
        let middle (length: int) : float32 = float32 (length - 1) / 2.0f
        let middleSlice = float32 slice + middle size.Depth
        let middleRow = float32 row + middle size.Height
        let middleColumn = float32 column + middle size.Width

        for strand in skeleton.Strands do
            let voxels = strand.Voxels
            let mutable before = false
            let mutable lastZ, lastY, lastX = 0.0f, 0.0f, 0.0f

            for at in 0 .. voxels.Length - 1 do
                let line = voxels[at] / width
                let z = line / height
                let y = line - z * height
                let x = voxels[at] - line * width

                let here =
                    uint (x - column + margin) < uint (size.Width + 2 * margin)
                    && uint (y - row + margin) < uint (size.Height + 2 * margin)
                    && uint (z - slice + beside) < uint (size.Depth + 2 * beside)

                let nowZ = float32 z - middleSlice
                let nowY = float32 y - middleRow
                let nowX = float32 x - middleColumn

                // A voxel alone is a piece from itself to itself.
                if at = 0 && voxels.Length = 1 then
                    lastZ <- nowZ
                    lastY <- nowY
                    lastX <- nowX

                if (at > 0 || voxels.Length = 1) && (before || here) then
                    coordinates[6 * count] <- lastZ
                    coordinates[6 * count + 1] <- lastY
                    coordinates[6 * count + 2] <- lastX
                    coordinates[6 * count + 3] <- nowZ
                    coordinates[6 * count + 4] <- nowY
                    coordinates[6 * count + 5] <- nowX
                    classes[count] <- strand.Class
                    count <- count + 1

                before <- here
                lastZ <- nowZ
                lastY <- nowY
                lastX <- nowX

        {
            Coordinates = Array.sub coordinates 0 (6 * count)
            Classes = Array.sub classes 0 count
        }
