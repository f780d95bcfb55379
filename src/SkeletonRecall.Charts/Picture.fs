namespace SkeletonRecall.Charts

open System
open Giraffe.ViewEngine
open SkeletonRecall
open SkeletonRecall.Training

/// An overlay with its voxels classified and counted, and what is broken or joined in it.
type internal Picture =
    {
        Overlay: CaseOverlay
        Classes: Volume<PixelClass>
        Counts: CentrelineCounts
        /// The skeleton of the prediction.
        Line: Mask
        Breaks: Stretch list
        Bridges: Stretch list
        /// The longest of what is missed or invented, which slices show; the middle of the truth without any.
        Worst: int
    }

/// Making pictures, and the parts that those of planes and of volumes share.
[<RequireQualifiedAccess>]
module internal Picture =

    /// Throws ArgumentException when image, truth and prediction are not of one extent.
    let ofOverlay (overlay: CaseOverlay) : Picture =
        Extent.requireEqual $"overlay of %s{overlay.Case}" overlay.Image.Extent overlay.Truth.Extent
        let classes = Overlay.classify overlay.Prediction overlay.Truth
        let line = Skeleton.thin overlay.Prediction

        let missed =
            Breaks.stretches overlay.Truth (Skeleton.thin overlay.Truth) overlay.Prediction

        let invented = Breaks.stretches overlay.Prediction line overlay.Truth
        let leads (stretch: Stretch) = stretch.Ends > 1
        let breaks, bridges = List.filter leads missed, List.filter leads invented

        // What is broken comes before what is merely missing.
        let worst =
            [ breaks @ bridges; missed @ invented ]
            |> List.tryFind (List.isEmpty >> not)
            |> Option.map (List.maxBy (fun stretch -> stretch.Voxels.Length))

        let middle () =
            let voxels =
                (Mask.toVolume overlay.Truth).Data
                |> Array.indexed
                |> Array.filter (fun (_, voxel) -> voxel <> 0uy)
                |> Array.map fst

            if voxels.Length = 0 then
                classes.Extent.Count / 2
            else
                voxels[voxels.Length / 2]

        {
            Overlay = overlay
            Classes = classes
            Counts = Overlay.counts classes
            Line = line
            Breaks = breaks
            Bridges = bridges
            Worst = worst |> Option.map _.Middle |> Option.defaultWith middle
        }

    /// Slice, row and column of a voxel.
    let place (extent: Extent) (voxel: int) : struct (int * int * int) =
        struct (voxel / extent.Width / extent.Height, voxel / extent.Width % extent.Height, voxel % extent.Width)

    let private several (count: int) (one: string) : string =
        $"%s{Numeral.count count} %s{one}" + (if count = 1 then "" else "s")

    /// What is missed, invented, broken and joined, in words.
    let words (picture: Picture) : string =
        let counts = picture.Counts
        let truth = counts.Found + counts.Missed

        let unit = if picture.Classes.Extent.Rank = 2 then "px" else "voxels"

        let missed =
            if truth = 0 then
                "no true centreline"
            else
                $"missed %s{Numeral.count counts.Missed} of %s{Numeral.count truth} %s{unit} (%s{Numeral.percent (float counts.Missed / float truth)})"

        let breaks = several picture.Breaks.Length "break"
        let bridges = several picture.Bridges.Length "false bridge"
        $"%s{missed}, invented %s{Numeral.count counts.Invented} %s{unit}; %s{breaks}, %s{bridges}"

    /// A picture as the address of itself.
    let dataUri (raster: Raster) : string =
        "data:image/png;base64," + Convert.ToBase64String(Png.encode raster)

    /// A class's colour in CSS.
    let css (pixel: PixelClass) : string =
        let struct (red, green, blue, opacity) = Overlay.colour pixel
        $"rgba(%d{red},%d{green},%d{blue},%s{Numeral.machine (Math.Round(float opacity / 255.0, 3))})"

    // The picture may be stretched: a ring is round, and a diamond even, where it is shown.
    let private mark (style: string) (words: string) (across: float) (down: float) (x: float, y: float) : XmlNode =
        let number (value: float) = Numeral.machine (Math.Round(value, 2))

        let title = tag "title" [] [ str words ]

        if style = "break" then
            tag
                "ellipse"
                [
                    _class style
                    attr "cx" (number x)
                    attr "cy" (number y)
                    attr "rx" (number across)
                    attr "ry" (number down)
                ]
                [ title ]
        else
            let corner (right: float) (below: float) =
                $"%s{number (x + 1.2 * right * across)},%s{number (y + 1.2 * below * down)}"

            tag
                "polygon"
                [
                    _class style
                    attr "points" $"%s{corner 0.0 -1.0} %s{corner 1.0 0.0} %s{corner 0.0 1.0} %s{corner -1.0 0.0}"
                ]
                [ title ]

    /// A ring around every break and a diamond around every false bridge of a picture whose pixels are so wide and so tall
    /// (mm); `at` gives column and row of a voxel, where the picture shows it.
    let marks
        (width: int, wide: float)
        (height: int, tall: float)
        (at: int -> (float * float) option)
        (picture: Picture)
        : XmlNode list =
        let side = max (float width * wide) (float height * tall)
        // At least five of the smaller side of a pixel.
        let radius = max (5.0 * min wide tall) (0.022 * side)

        let around (style: string) (word: string) (stretches: Stretch list) =
            stretches
            |> List.choose (fun stretch ->
                let length = several stretch.Voxels.Length "voxel"

                at stretch.Middle
                |> Option.map (mark style $"%s{word} of %s{length}" (radius / wide) (radius / tall)))

        match
            around "break" "break" picture.Breaks
            @ around "bridge" "false bridge" picture.Bridges
        with
        | [] -> []
        | marks ->
            [
                tag
                    "svg"
                    [
                        _class "marks"
                        attr "viewBox" $"0 0 %d{width} %d{height}"
                        attr "preserveAspectRatio" "none"
                        attr "aria-hidden" "true"
                    ]
                    marks
            ]

    /// The classes over the image, which the style's `--image` gives; a click enlarges it. A picture that is wider than its
    /// place is shown smaller than it is: without smoothing, lines would get holes.
    let framed
        (name: string)
        (words: string)
        (shape: string)
        (classes: Volume<PixelClass>)
        (marks: XmlNode list)
        : XmlNode =
        let extent = classes.Extent
        let crisp = if extent.Width > 512 then "" else " crisp"

        button
            [
                _type "button"
                _class $"picture%s{crisp}"
                _style shape
                attr "aria-pressed" "false"
                attr "aria-label" $"Enlarge %s{name}"
            ]
            (img
                [
                    _src (dataUri (Overlay.paint (Overlay.thicken classes)))
                    _alt $"%s{name}: centreline %s{words}."
                    _width (Numeral.count extent.Width)
                    _height (Numeral.count extent.Height)
                ]
             :: marks)
