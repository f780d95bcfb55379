namespace SkeletonRecall.Charts

open System
open Giraffe.ViewEngine
open SkeletonRecall
open SkeletonRecall.Training

/// The overlays of the report.
[<RequireQualifiedAccess>]
module internal Pictures =

    /// Cases by name, the worst first: by the lowest clDice of any run, then by the largest share of the drawn centreline
    /// that is wrong; cases without either last.
    let worstFirst (scores: (string * Scores list) list) (pictures: Picture list) : string list =
        let lowest (values: float list) =
            values |> List.filter (Double.IsNaN >> not) |> List.fold min infinity

        let keyed (key: float list -> float) (values: (string * float) list) =
            values
            |> List.groupBy fst
            |> List.map (fun (case, values) -> case, key (List.map snd values))
            |> Map.ofList

        let scored =
            scores |> List.collect (fun (_, scores) -> Comparison.perCase _.ClDice scores)

        let drawn =
            pictures
            |> List.map (fun picture -> picture.Overlay.Case, Overlay.wrongShare picture.Counts)

        let byScore = keyed lowest scored
        let byShare = keyed List.max drawn

        List.map fst scored @ List.map fst drawn
        |> List.distinct
        |> List.sortBy (fun case ->
            Map.tryFind case byScore |> Option.defaultValue infinity,
            -(Map.tryFind case byShare |> Option.defaultValue 0.0),
            case)

    /// What the colours mean, and the switch that leaves the images alone.
    let legend: XmlNode =
        let key (style: string) (pixel: PixelClass) (words: string) =
            li
                []
                [
                    span [ _class $"key %s{style}"; _style $"--key:%s{Picture.css pixel}" ] [ str words ]
                ]

        ul
            [ _class "legend" ]
            [
                key "" FoundCentreline "centreline found"
                key "" MissedCentreline "missed: true, not predicted"
                key "" InventedCentreline "invented: predicted, not true"
                key "area" PredictedArea "predicted area"
                li [] [ span [ _class "key ring" ] [ str "break" ] ]
                li [] [ span [ _class "key diamond" ] [ str "false bridge" ] ]
                li [] [ label [] [ input [ _type "checkbox"; _id "bare" ]; str "image alone" ] ]
            ]

    let private plane (names: string list) (picture: Picture) : XmlNode =
        let overlay = picture.Overlay
        let extent = picture.Classes.Extent
        let words = Picture.words picture

        let at (voxel: int) =
            let struct (_, row, column) = Picture.place extent voxel
            Some(float column + 0.5, float row + 0.5)

        figure
            []
            [
                Picture.framed
                    $"%s{overlay.Case}, %s{overlay.Run}"
                    words
                    ""
                    picture.Classes
                    (Picture.marks (extent.Width, 1.0) (extent.Height, 1.0) at picture)
                figcaption [] [ Tables.runName names overlay.Run; span [ _class "note" ] [ str words ] ]
            ]

    /// One case: its scores and the picture of each run. `pictures` holds at least one. `id` is the block's anchor.
    let case
        (names: string list)
        (scores: (string * Scores list) list)
        (id: string)
        (case: string)
        (pictures: Picture list)
        : XmlNode =
        let isPlane = pictures.Head.Classes.Extent.Rank = 2

        let style =
            if isPlane then
                // Inherited, so that the pictures of all runs share one copy of the image.
                [
                    _style $"--image:url(%s{Picture.dataUri (Overlay.grey pictures.Head.Overlay.Image)})"
                ]
            else
                []

        let parts =
            if isPlane then
                List.map (plane names) pictures
            else
                pictures
                |> List.mapi (fun run picture -> Space.drawn names $"%s{id}-space-%d{run}" picture)
                |> List.concat

        let form = if isPlane then "" else " volume"

        article
            ([ _class "case"; _id id ] @ style)
            [
                div [] (h3 [] [ str case ] :: Tables.oneCase names scores case)
                div [ _class $"pictures%s{form}" ] parts
            ]
