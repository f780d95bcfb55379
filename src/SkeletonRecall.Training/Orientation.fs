namespace SkeletonRecall.Training

open SkeletonRecall

/// Turning volumes so that their axes run as near as they can to right, anterior and superior (RAS), and back: what
/// nnU-Net's NibabelIOWithReorient does, with nibabel's choice of axes (io_orientation). Voxels change places, never values.
[<RequireQualifiedAccess>]
module Orientation =

    /// For each axis of the world (x, y, z): the axis of the array (0 = x) that runs along it, and whether it runs against
    /// RAS. Closest pairs are found first.
    let axes (geometry: Geometry) : (int * bool) list =
        let rank = geometry.Rank
        let entry (world: int) (axis: int) = geometry.Direction[world * rank + axis]

        let rec choose (worlds: int list) (axes: int list) : (int * int) list =
            match worlds with
            | [] -> []
            | _ ->
                let world, axis =
                    List.allPairs worlds axes
                    |> List.maxBy (fun (world, axis) -> abs (entry world axis))

                (world, axis)
                :: choose (List.except [ world ] worlds) (List.except [ axis ] axes)

        choose [ 0 .. rank - 1 ] [ 0 .. rank - 1 ]
        |> List.sortBy fst
        |> List.map (fun (world, axis) ->
            // x and y of LPS run against RAS.
            let sign = if world < 2 then -1.0 else 1.0
            axis, sign * entry world axis < 0.0)

    // Strides of the array's axes, x first, and their lengths.
    let private strides (extent: Extent) : int list * int list =
        let lengths = List.rev extent.Shape
        List.truncate lengths.Length (List.scan (*) 1 lengths), lengths

    // Copies so that target axis i runs along source axis (fst turns[i]), against it where (snd turns[i]).
    let private copy (turns: (int * bool) list) (channels: int) (extent: Extent) (data: 'T[]) : Extent * 'T[] =
        let steps, lengths = strides extent

        let turned = turns |> List.map (fun (axis, _) -> lengths[axis])
        let target = Extent.ofShape (List.rev turned)

        let signed =
            turns
            |> List.map (fun (axis, against) -> if against then -steps[axis] else steps[axis])

        let start =
            turns
            |> List.sumBy (fun (axis, against) -> if against then steps[axis] * (lengths[axis] - 1) else 0)

        let alongX, alongY = signed[0], signed[1]
        let alongZ = if signed.Length > 2 then signed[2] else 0
        let result = Array.zeroCreate<'T> data.Length
        let mutable at = 0

        for channel in 0 .. channels - 1 do
            for slice in 0 .. target.Depth - 1 do
                for row in 0 .. target.Height - 1 do
                    let mutable from = channel * extent.Count + start + slice * alongZ + row * alongY

                    for _ in 1 .. target.Width do
                        result[at] <- data[from]
                        at <- at + 1
                        from <- from + alongX

        target, result

    let private along (turns: (int * bool) list) (spacing: Spacing) : Spacing =
        let values = List.rev spacing.Values
        turns |> List.map (fun (axis, _) -> values[axis]) |> List.rev |> Spacing.ofList

    // How to get back.
    let private inverse (turns: (int * bool) list) : (int * bool) list =
        List.init turns.Length (fun source ->
            let target = turns |> List.findIndex (fun (axis, _) -> axis = source)
            target, snd turns[target])

    /// The geometry of a grid after it is turned to RAS.
    let turned (geometry: Geometry) (extent: Extent) (spacing: Spacing) : Geometry =
        let turns = axes geometry
        let _, lengths = strides extent
        let steps = List.rev spacing.Values

        let origin =
            (geometry.Origin, turns)
            ||> List.fold (fun origin (axis, against) ->
                if against then
                    let length = float (lengths[axis] - 1) * steps[axis]
                    List.map2 (fun place side -> place + length * side) origin (geometry.Axis axis)
                else
                    origin)

        turns
        |> List.map (fun (axis, against) ->
            geometry.Axis axis
            |> List.map (fun value -> if against then -value + 0.0 else value))
        |> Geometry.ofAxes origin

    /// The image turned to RAS; one that runs so already is given back as it is.
    let toRas (image: Image) : Image =
        let turns = axes image.Geometry

        if turns = List.init image.Extent.Rank (fun axis -> axis, false) then
            image
        else
            let extent, data = copy turns image.Channels image.Extent image.Data

            {
                Channels = image.Channels
                Extent = extent
                Spacing = along turns image.Spacing
                Geometry = turned image.Geometry image.Extent image.Spacing
                Data = data
            }

    /// A label map on a grid of this geometry, turned to RAS. Throws ArgumentException when the ranks differ.
    let labelsToRas (geometry: Geometry) (labels: LabelMap) : LabelMap =
        if geometry.Rank <> labels.Extent.Rank then
            invalidArg (nameof geometry) $"A geometry of rank %d{geometry.Rank} does not fit %O{labels.Extent}."

        let turns = axes geometry
        let extent, data = copy turns 1 labels.Extent labels.Data
        Volume.create extent data |> Volume.withSpacing (along turns labels.Spacing)

    /// A label map in RAS, turned back onto the grid that had this geometry before it was turned.
    /// Throws ArgumentException when the ranks differ.
    let labelsFromRas (original: Geometry) (labels: LabelMap) : LabelMap =
        if original.Rank <> labels.Extent.Rank then
            invalidArg (nameof original) $"A geometry of rank %d{original.Rank} does not fit %O{labels.Extent}."

        let back = inverse (axes original)
        let extent, data = copy back 1 labels.Extent labels.Data
        Volume.create extent data |> Volume.withSpacing (along back labels.Spacing)
