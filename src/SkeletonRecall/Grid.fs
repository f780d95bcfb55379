namespace SkeletonRecall

open System

/// The size of a plane (height, width) or of a volume (depth, height, width), in pixels or voxels.
/// It carries its rank: a volume of one slice is never taken for a plane.
[<Sealed>]
type Extent private (rank: int, depth: int, height: int, width: int) =
    static member internal Make(rank: int, depth: int, height: int, width: int) : Extent =
        let check (name: string) (size: int) =
            if size < 1 then
                invalidArg name $"An axis must be at least 1 long; %s{name} is %d{size}."

        check (nameof depth) depth
        check (nameof height) height
        check (nameof width) width

        let plane = int64 height * int64 width

        // The product of three may be more than 64 bits hold.
        if plane > int64 Array.MaxLength || plane * int64 depth > int64 Array.MaxLength then
            invalidArg
                "shape"
                $"%d{depth} x %d{height} x %d{width} is more than one array holds (%d{Array.MaxLength} elements)."

        Extent(rank, depth, height, width)

    /// 2 for a plane, 3 for a volume.
    member _.Rank: int = rank
    /// Number of slices; 1 for a plane.
    member _.Depth: int = depth
    /// Number of rows.
    member _.Height: int = height
    /// Number of columns.
    member _.Width: int = width
    /// Number of pixels or voxels.
    member _.Count: int = depth * height * width

    /// The axes, slowest first: [height; width] or [depth; height; width].
    member _.Shape: int list =
        if rank = 2 then
            [ height; width ]
        else
            [ depth; height; width ]

    override this.Equals(other: obj | null) : bool =
        match other with
        | :? Extent as that -> this.Shape = that.Shape
        | _ -> false

    override this.GetHashCode() : int = hash this.Shape
    override this.ToString() : string = String.Join(" x ", this.Shape)

/// Making and comparing extents.
[<RequireQualifiedAccess>]
module Extent =

    /// A plane of the given height and width. Throws ArgumentException when an axis is shorter than 1.
    let plane (height: int) (width: int) : Extent = Extent.Make(2, 1, height, width)

    /// A volume of the given depth, height and width. Throws ArgumentException when an axis is shorter than 1.
    let space (depth: int) (height: int) (width: int) : Extent = Extent.Make(3, depth, height, width)

    /// An extent of two or three axes, slowest first. Throws ArgumentException for any other number of axes.
    let ofShape (shape: int list) : Extent =
        match shape with
        | [ height; width ] -> plane height width
        | [ depth; height; width ] -> space depth height width
        | _ ->
            invalidArg
                (nameof shape)
                $"A plane has 2 axes and a volume 3; %d{List.length shape} were given (%A{shape})."

    /// The row-major position of a voxel: (slice * height + row) * width + column.
    let index (extent: Extent) (slice: int) (row: int) (column: int) : int =
        (slice * extent.Height + row) * extent.Width + column

    /// Throws ArgumentException, naming both, unless the two extents are equal.
    let requireEqual (name: string) (wanted: Extent) (got: Extent) : unit =
        if got <> wanted then
            invalidArg name $"The extent is %O{got} where %O{wanted} is wanted."

/// Distance between neighbouring voxel centres in mm, one entry per axis, slowest first.
[<Sealed>]
type Spacing private (values: float list) =
    static member internal Make(values: float list) : Spacing =
        for value in values do
            if not (Double.IsFinite value && value > 0.0) then
                invalidArg "spacing" $"A spacing is a positive number of mm; got %g{value} in %A{values}."

        if values.Length < 2 || values.Length > 3 then
            invalidArg "spacing" $"A spacing has 2 or 3 entries, one per axis; got %A{values}."

        Spacing(values)

    /// 2 for a plane, 3 for a volume.
    member _.Rank: int = values.Length
    /// The spacings in mm, slowest axis first.
    member _.Values: float list = values

    override this.Equals(other: obj | null) : bool =
        match other with
        | :? Spacing as that -> this.Values = that.Values
        | _ -> false

    override this.GetHashCode() : int = hash values

    override _.ToString() : string =
        let texts =
            values
            |> List.map (fun value -> value.ToString("R", Globalization.CultureInfo.InvariantCulture))

        String.Join(" x ", texts) + " mm"

/// Making spacings.
[<RequireQualifiedAccess>]
module Spacing =

    /// A spacing of two or three positive entries in mm, slowest axis first; throws ArgumentException otherwise.
    let ofList (values: float list) : Spacing = Spacing.Make values

    /// 1 mm along each of `rank` axes.
    let unit (rank: int) : Spacing = Spacing.Make(List.replicate rank 1.0)
