namespace SkeletonRecall.Charts

open System
open System.Buffers.Binary
open Giraffe.ViewEngine
open SkeletonRecall

/// Volumes on the page: both skeletons in a view that turns, and three slices.
[<RequireQualifiedAccess>]
module internal Space =

    // Columns, rows and slices of voxels, 16 bits each.
    let private packed (extent: Extent) (voxels: int[]) : string =
        let bytes = Array.zeroCreate<byte>(6 * voxels.Length)

        voxels
        |> Array.iteri (fun at voxel ->
            let struct (slice, row, column) = Picture.place extent voxel

            let write (part: int) (value: int) =
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(6 * at + 2 * part), uint16 value)

            write 0 column
            write 1 row
            write 2 slice)

        Convert.ToBase64String bytes

    let private voxels (predicate: int -> bool) (count: int) : int[] =
        [|
            for voxel in 0 .. count - 1 do
                if predicate voxel then
                    voxel
        |]

    // The points of the view by colour, the marks, and the size in mm.
    let private json (picture: Picture) : string =
        let extent = picture.Classes.Extent
        let classes = picture.Classes.Data
        let line = (Mask.toVolume picture.Line).Data

        let group (colour: string) (points: int[]) =
            $"{{\"colour\":\"%s{colour}\",\"points\":\"%s{packed extent points}\"}}"

        let ofClass (pixel: PixelClass) =
            group (Picture.css pixel) (voxels (fun voxel -> classes[voxel] = pixel) extent.Count)

        let inside =
            voxels (fun voxel -> line[voxel] <> 0uy && classes[voxel] = PredictedArea) extent.Count

        let mark (kind: string) (stretch: Stretch) =
            let struct (slice, row, column) = Picture.place extent stretch.Middle
            $"[\"%s{kind}\",%d{column},%d{row},%d{slice}]"

        let marks =
            List.map (mark "break") picture.Breaks
            @ List.map (mark "bridge") picture.Bridges
            |> String.concat ","

        let groups =
            [
                group "rgba(150,158,165,1)" inside
                ofClass FoundCentreline
                ofClass InventedCentreline
                ofClass MissedCentreline
            ]
            |> String.concat ","

        let spacing =
            picture.Overlay.Image.Spacing.Values
            |> List.rev
            |> List.map Numeral.machine
            |> String.concat ","

        $"{{\"size\":[%d{extent.Width},%d{extent.Height},%d{extent.Depth}],\"spacing\":[%s{spacing}],\"groups\":[%s{groups}],\"marks\":[%s{marks}]}}"

    // The voxel that a pixel of a slice shows: axis 0 lies across slices, 1 across rows, 2 across columns. The last slice is
    // on top, where slices run up the picture.
    let private plane (axis: int) (extent: Extent) : struct (int * int * (int -> int -> int -> int)) =
        match axis with
        | 0 -> struct (extent.Height, extent.Width, fun at row column -> Extent.index extent at row column)
        | 1 ->
            struct (extent.Depth,
                    extent.Width,
                    fun at row column -> Extent.index extent (extent.Depth - 1 - row) at column)
        | _ ->
            struct (extent.Depth,
                    extent.Height,
                    fun at row column -> Extent.index extent (extent.Depth - 1 - row) column at)

    let private cut (axis: int) (at: int) (volume: Volume<'T>) : Volume<'T> =
        let struct (height, width, index) = plane axis volume.Extent

        Array.init (height * width) (fun pixel -> volume.Data[index at (pixel / width) (pixel % width)])
        |> Volume.create (Extent.plane height width)

    let private slice (picture: Picture) (axis: int) : XmlNode =
        let extent = picture.Classes.Extent
        let struct (depth, row, column) = Picture.place extent picture.Worst
        let at = List.item axis [ depth; row; column ]
        let classes = cut axis at picture.Classes
        let image = cut axis at picture.Overlay.Image
        let height, width = classes.Extent.Height, classes.Extent.Width

        let spacing = picture.Overlay.Image.Spacing.Values

        let tall, wide =
            match axis with
            | 0 -> spacing[1], spacing[2]
            | 1 -> spacing[0], spacing[2]
            | _ -> spacing[0], spacing[1]

        // Marks within two voxels of the slice.
        let where (voxel: int) =
            let struct (slice, row, column) = Picture.place extent voxel
            let places = [ slice; row; column ]
            let half (value: int) = float value + 0.5

            if abs (places[axis] - at) > 2 then
                None
            else
                match axis with
                | 0 -> Some(half column, half row)
                | 1 -> Some(half column, half (extent.Depth - 1 - slice))
                | _ -> Some(half row, half (extent.Depth - 1 - slice))

        let ratio =
            Numeral.machine (Math.Round(float width * wide / (float height * tall), 4))

        let title = List.item axis [ "slice"; "row"; "column" ]

        let words =
            $"%s{title} %s{Numeral.count (at + 1)} of %s{Numeral.count extent.Shape[axis]}"

        let overlay = picture.Overlay

        figure
            [ _style $"--image:url(%s{Picture.dataUri (Overlay.grey image)})" ]
            [
                Picture.framed
                    $"%s{overlay.Case}, %s{overlay.Run}, %s{words}"
                    (Picture.words picture)
                    $"aspect-ratio:%s{ratio}"
                    classes
                    (Picture.marks (width, wide) (height, tall) where picture)
                figcaption [] [ span [ _class "note" ] [ str words ] ]
            ]

    /// The view of one run's volume and three slices through the worst place. `id` names its data on the page.
    let drawn (names: string list) (id: string) (picture: Picture) : XmlNode list =
        let overlay = picture.Overlay
        let words = Picture.words picture

        figure
            [ _class "view" ]
            [
                tag
                    "canvas"
                    [
                        _class "space"
                        attr "data-space" id
                        attr "tabindex" "0"
                        attr "role" "img"
                        attr
                            "aria-label"
                            $"%s{overlay.Case}, %s{overlay.Run}: skeletons of truth and prediction, %s{words}. Drag or use the arrow keys to turn."
                    ]
                    []
                script [ _id id; _type "application/json" ] [ rawText (json picture) ]
                figcaption
                    []
                    [
                        Tables.runName names overlay.Run
                        span [ _class "note" ] [ str words ]
                        span
                            [ _class "note" ]
                            [ str "Drag turns, the wheel zooms. The slices go through the worst place." ]
                    ]
            ]
        :: List.map (slice picture) [ 0; 1; 2 ]
