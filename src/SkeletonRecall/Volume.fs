namespace SkeletonRecall

/// Values on a grid of two or three dimensions, row-major (the last axis runs fastest).
/// The array is the volume's own: whoever hands one over must not change it afterwards.
[<Sealed>]
type Volume<'T> internal (extent: Extent, spacing: Spacing, data: 'T[]) =
    /// The size of the grid.
    member _.Extent: Extent = extent
    /// Distance between voxel centres, in mm.
    member _.Spacing: Spacing = spacing
    /// The values, row-major, `Extent.Count` of them.
    member _.Data: 'T[] = data

/// Class ids, 0 for background; int16 from file to batch.
type LabelMap = Volume<int16>

/// Making volumes and mapping over them.
[<RequireQualifiedAccess>]
module Volume =

    /// A volume over the given array, which is not copied; spacing 1 mm.
    /// Throws ArgumentException when the array's length is not the extent's count.
    let create (extent: Extent) (data: 'T[]) : Volume<'T> =
        if data.Length <> extent.Count then
            invalidArg (nameof data) $"%O{extent} needs %d{extent.Count} values; the array holds %d{data.Length}."

        Volume<'T>(extent, Spacing.unit extent.Rank, data)

    /// The same values with another spacing. Throws ArgumentException when the ranks differ.
    let withSpacing (spacing: Spacing) (volume: Volume<'T>) : Volume<'T> =
        if spacing.Rank <> volume.Extent.Rank then
            invalidArg (nameof spacing) $"A spacing of rank %d{spacing.Rank} does not fit the extent %O{volume.Extent}."

        Volume<'T>(volume.Extent, spacing, volume.Data)

    /// Each value through a function; extent and spacing stay.
    let map (mapping: 'T -> 'U) (volume: Volume<'T>) : Volume<'U> =
        Volume<'U>(volume.Extent, volume.Spacing, Array.map mapping volume.Data)

    /// Whether extents and values are the same. Spacing is not compared.
    let equal (left: Volume<'T>) (right: Volume<'T>) : bool =
        left.Extent = right.Extent && left.Data = right.Data
