namespace SkeletonRecall.Benchmarks

open System
open SkeletonRecall

/// How many tubes a mask has and how thick they are.
type Tubes =
    {
        /// The share of the grid that they fill, 0 to 1; drawing ends as soon as it is reached.
        Share: float
        /// The radius of the thinnest tube, in voxels.
        Thinnest: float
        /// The radius of the thickest tube, in voxels.
        Thickest: float
    }

/// Masks of random tubes, the same for the same seed on every machine.
[<RequireQualifiedAccess>]
module Masks =

    /// Thin tubes of a volume, 3 % of it.
    let thinVolume: Tubes =
        {
            Share = 0.03
            Thinnest = 1.5
            Thickest = 4.0
        }

    /// Thick tubes of a volume, 20 % of it.
    let fatVolume: Tubes =
        {
            Share = 0.2
            Thinnest = 6.0
            Thickest = 14.0
        }

    /// Thin tubes of a plane, 5 % of it.
    let thinPlane: Tubes =
        {
            Share = 0.05
            Thinnest = 1.5
            Thickest = 4.0
        }

    /// Thick tubes of a plane, 25 % of it.
    let fatPlane: Tubes =
        {
            Share = 0.25
            Thinnest = 15.0
            Thickest = 40.0
        }

    /// Labels of the classes 1 to 3, one tube after the other: each starts anywhere, bends as it goes, and ends at the
    /// border or after twice the longest axis. Where tubes meet, the first one's class stays.
    let labels (tubes: Tubes) (seed: int) (extent: Extent) : LabelMap =
        let random = Random seed
        let cells = Array.zeroCreate<int16> extent.Count
        let wanted = int (tubes.Share * float extent.Count)
        let longest = max extent.Depth (max extent.Height extent.Width)
        let mutable filled = 0

        let ball (slice: float) (row: float) (column: float) (radius: float) (label: int16) : unit =
            let range (centre: float) (size: int) : struct (int * int) =
                struct (max 0 (int (ceil (centre - radius))), min (size - 1) (int (floor (centre + radius))))

            let struct (top, bottom) = range slice extent.Depth
            let struct (first, last) = range row extent.Height
            let struct (left, right) = range column extent.Width

            for z in top..bottom do
                for y in first..last do
                    for x in left..right do
                        let far =
                            (float z - slice) ** 2.0 + (float y - row) ** 2.0 + (float x - column) ** 2.0

                        let at = Extent.index extent z y x

                        if far <= radius * radius && cells[at] = 0s && filled < wanted then
                            cells[at] <- label
                            filled <- filled + 1

        // Three numbers from -1 to 1; planes stay flat.
        let direction () : struct (float * float * float) =
            let entry () = 2.0 * random.NextDouble() - 1.0
            let down = entry ()
            struct ((if extent.Rank = 2 then 0.0 else down), entry (), entry ())

        let tube (label: int16) : unit =
            let radius =
                tubes.Thinnest + (tubes.Thickest - tubes.Thinnest) * random.NextDouble()

            let stride = max 1.0 (radius / 3.0)
            let mutable z = float (extent.Depth - 1) * random.NextDouble()
            let mutable y = float (extent.Height - 1) * random.NextDouble()
            let mutable x = float (extent.Width - 1) * random.NextDouble()
            let mutable struct (down, along, across) = direction ()
            let mutable left = 2.0 * float longest

            let isInside (place: float) (size: int) : bool =
                place >= 0.0 && place <= float (size - 1)

            while left > 0.0
                  && filled < wanted
                  && isInside z extent.Depth
                  && isInside y extent.Height
                  && isInside x extent.Width do
                ball z y x radius label
                let struct (bendDown, bendAlong, bendAcross) = direction ()
                down <- down + 0.2 * bendDown
                along <- along + 0.2 * bendAlong
                across <- across + 0.2 * bendAcross
                let length = sqrt (down * down + along * along + across * across)
                down <- down / length
                along <- along / length
                across <- across / length
                z <- z + stride * down
                y <- y + stride * along
                x <- x + stride * across
                left <- left - stride

        let mutable drawn = 0

        while filled < wanted do
            tube (int16 (drawn % 3 + 1))
            drawn <- drawn + 1

        Volume.create extent cells

    /// A prediction that is right in two classes of the truth and wrong in the third.
    let prediction (truth: LabelMap) (other: LabelMap) : Mask =
        Array.map2 (fun right wrong -> right > 1s || wrong = 1s) truth.Data other.Data
        |> Volume.create truth.Extent
        |> Mask.ofVolume id
