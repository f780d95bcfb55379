namespace SkeletonRecall.Tests

open SkeletonRecall

/// Thinning of planes by the reference's table, one pixel at a time: what `Skeleton` must equal.
[<RequireQualifiedAccess>]
module PlainPlane =

    // Neighbours by weight: north-west 1, north 2, north-east 4, east 8, south-east 16, south 32, south-west 64, west 128.

    let private firstOnly =
        [ 3; 6; 11; 12; 14; 131; 134; 143; 159; 161; 194; 198; 207; 227; 231; 243 ]

    let private secondOnly =
        [ 24; 26; 56; 62; 63; 96; 104; 108; 126; 176; 192; 224; 248; 249; 252 ]

    let private both =
        [
            7
            10
            15
            28
            30
            31
            40
            60
            112
            120
            124
            130
            135
            160
            193
            195
            199
            225
            240
            241
        ]

    /// Per neighbourhood: bit 0 when the first pass deletes, bit 1 when the second does.
    let table: byte[] =
        let table = Array.zeroCreate<byte> 256
        firstOnly |> List.iter (fun code -> table[code] <- 1uy)
        secondOnly |> List.iter (fun code -> table[code] <- 2uy)
        both |> List.iter (fun code -> table[code] <- 3uy)
        table

    /// The skeleton of a plane. Each pass decides on what the one before left and removes all its pixels at once; the
    /// two passes alternate until neither removes any.
    let thin (mask: Mask) : Mask =
        let extent = mask.Extent
        let width = extent.Width + 2
        let cells = Array.zeroCreate<int>(width * (extent.Height + 2))
        let bytes = (Mask.toVolume mask).Data

        for row in 0 .. extent.Height - 1 do
            for column in 0 .. extent.Width - 1 do
                cells[(row + 1) * width + column + 1] <- int bytes[row * extent.Width + column]

        let code (at: int) : int =
            cells[at - width - 1]
            + 2 * cells[at - width]
            + 4 * cells[at - width + 1]
            + 8 * cells[at + 1]
            + 16 * cells[at + width + 1]
            + 32 * cells[at + width]
            + 64 * cells[at + width - 1]
            + 128 * cells[at - 1]

        let doomed = ResizeArray<int>()

        let pass (bit: byte) : bool =
            doomed.Clear()

            for at in width + 1 .. cells.Length - width - 2 do
                if cells[at] = 1 && table[code at] &&& bit <> 0uy then
                    doomed.Add at

            for at in doomed do
                cells[at] <- 0

            doomed.Count > 0

        let mutable changing = true

        while changing do
            let first = pass 1uy
            let second = pass 2uy
            changing <- first || second

        let thinned =
            Array.init extent.Count (fun at -> cells[(at / extent.Width + 1) * width + at % extent.Width + 1])

        Volume.create extent thinned
        |> Volume.withSpacing mask.Spacing
        |> Mask.ofVolume (fun cell -> cell = 1)
