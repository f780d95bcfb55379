namespace SkeletonRecall.Charts

open System
open Giraffe.ViewEngine
open SkeletonRecall
open SkeletonRecall.Training

/// An overlay with its pixels classified and counted.
type internal Picture =
    {
        Overlay: CaseOverlay
        Classes: Volume<PixelClass>
        Counts: CentrelineCounts
    }

/// The overlays of the report.
[<RequireQualifiedAccess>]
module internal Pictures =

    /// Throws ArgumentException when image, truth and prediction are not of one extent.
    let ofOverlay (overlay: CaseOverlay) : Picture =
        Extent.requireEqual $"overlay of %s{overlay.Case}" overlay.Image.Extent overlay.Truth.Extent
        let classes = Overlay.classify overlay.Prediction overlay.Truth

        {
            Overlay = overlay
            Classes = classes
            Counts = Overlay.counts classes
        }

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

    let private dataUri (raster: Raster) : string =
        "data:image/png;base64," + Convert.ToBase64String(Png.encode raster)

    let private css (pixel: PixelClass) : string =
        let struct (red, green, blue, opacity) = Overlay.colour pixel
        $"rgba(%d{red},%d{green},%d{blue},%s{Numeral.machine (Math.Round(float opacity / 255.0, 3))})"

    /// What the colours mean, and the switch that leaves the images alone.
    let legend: XmlNode =
        let key (style: string) (pixel: PixelClass) (words: string) =
            li
                []
                [
                    span [ _class $"key %s{style}"; _style $"--key:%s{css pixel}" ] [ str words ]
                ]

        ul
            [ _class "legend" ]
            [
                key "" FoundCentreline "centreline found"
                key "" MissedCentreline "missed: true, not predicted"
                key "" InventedCentreline "invented: predicted, not true"
                key "area" PredictedArea "predicted area"
                li [] [ label [] [ input [ _type "checkbox"; _id "bare" ]; str "image alone" ] ]
            ]

    let private drawn (names: string list) (picture: Picture) : XmlNode =
        let {
                Overlay = overlay
                Classes = classes
                Counts = counts
            } =
            picture

        let truth = counts.Found + counts.Missed

        let missed =
            if truth = 0 then
                "no true centreline"
            else
                $"missed %s{Numeral.count counts.Missed} of %s{Numeral.count truth} px (%s{Numeral.percent (float counts.Missed / float truth)})"

        let words = $"%s{missed}, invented %s{Numeral.count counts.Invented} px"
        let extent = classes.Extent
        // A picture that is wider than its place is shown smaller than it is: without smoothing, lines would get holes.
        let large = extent.Width > 512

        figure
            []
            [
                button
                    [
                        _type "button"
                        _class (if large then "picture" else "picture crisp")
                        attr "aria-pressed" "false"
                        attr "aria-label" $"Enlarge %s{overlay.Case}, %s{overlay.Run}"
                    ]
                    [
                        img
                            [
                                _src (dataUri (Overlay.paint (Overlay.thicken classes)))
                                _alt $"%s{overlay.Case}, %s{overlay.Run}: centreline %s{words}."
                                _width (Numeral.count extent.Width)
                                _height (Numeral.count extent.Height)
                            ]
                    ]
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
        article
            [
                _class "case"
                _id id
                // Inherited, so that the pictures of all runs share one copy of the image.
                _style $"--image:url(%s{dataUri (Overlay.grey pictures.Head.Overlay.Image)})"
            ]
            [
                div [] (h3 [] [ str case ] :: Tables.oneCase names scores case)
                div [ _class "pictures" ] (List.map (drawn names) pictures)
            ]
