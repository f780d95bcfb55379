namespace SkeletonRecall.Training

open System

/// Where a grid lies in the world, as ITK has it: millimetres; left, posterior and superior are positive. Axes here are in
/// ITK's order, x first (the array's last axis), unlike those of `Extent` and `Spacing`.
[<Sealed>]
type Geometry private (origin: float list, direction: float list) =
    static member internal Make(origin: float list, direction: float list) : Geometry =
        let rank = origin.Length

        if rank < 2 || rank > 3 || direction.Length <> rank * rank then
            invalidArg
                "origin"
                $"An origin has 2 or 3 entries and a direction that many squared; got %A{origin} and %A{direction}."

        if not (List.forall Double.IsFinite (origin @ direction)) then
            invalidArg "origin" $"Origin and direction are numbers; got %A{origin} and %A{direction}."

        Geometry(origin, direction)

    /// 2 for a plane, 3 for a volume.
    member _.Rank: int = origin.Length
    /// The place of the first voxel's centre: x, y and z.
    member _.Origin: float list = origin
    /// A matrix, row by row, whose column i is the unit vector along which axis i (x, y, z) runs.
    member _.Direction: float list = direction

    /// The unit vector along which axis i (0 = x) runs.
    member this.Axis(axis: int) : float list =
        List.init this.Rank (fun row -> direction[row * this.Rank + axis])

    override this.Equals(other: obj | null) : bool =
        match other with
        | :? Geometry as that -> this.Origin = that.Origin && this.Direction = that.Direction
        | _ -> false

    override _.GetHashCode() : int = hash (origin, direction)

    override _.ToString() : string =
        $"origin %A{origin}, direction %A{direction}"

/// Making and comparing geometries.
[<RequireQualifiedAccess>]
module Geometry =

    /// An origin (x, y and, in space, z) and a direction (row by row). Throws ArgumentException for other numbers of
    /// entries and for those that are not finite.
    let create (origin: float list) (direction: float list) : Geometry = Geometry.Make(origin, direction)

    /// The origin at zero, the axes along the world's: what files have that say nothing.
    let standard (rank: int) : Geometry =
        Geometry.Make(
            List.replicate rank 0.0,
            List.init (rank * rank) (fun at -> if at % (rank + 1) = 0 then 1.0 else 0.0)
        )

    /// From the vectors along which the axes run, x first, each of unit length.
    let ofAxes (origin: float list) (axes: float list list) : Geometry =
        Geometry.Make(origin, List.concat (List.transpose axes))

    /// Whether two geometries agree but for rounding: origins within `tolerance` mm, directions within `tolerance`.
    let near (tolerance: float) (left: Geometry) (right: Geometry) : bool =
        left.Rank = right.Rank
        && List.forall2
            (fun (one: float) (other: float) -> abs (one - other) <= tolerance)
            (left.Origin @ left.Direction)
            (right.Origin @ right.Direction)
