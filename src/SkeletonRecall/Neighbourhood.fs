namespace SkeletonRecall

open System

/// The shape by which one step of a dilation grows, or of an erosion shrinks.
[<RequireQualifiedAccess>]
type Element =
    /// The voxel and its neighbours along the axes: 4 in a plane, 6 in a volume.
    | Cross
    /// The voxel and all that touch it: 8 in a plane, 26 in a volume.
    | Box
    /// All voxels whose centres are no farther away than a radius in mm, by the spacing of the mask; a finite number
    /// above 0. A distance that exceeds the radius by no more than rounding (1e-9 of it) is no farther.
    | Ball of millimetres: float

/// Which voxels count as neighbours: `Four` and `Eight` in a plane, `Six`, `Eighteen` and `TwentySix` in a volume.
[<RequireQualifiedAccess>]
type Connectivity =
    /// In a plane, pixels that share a side.
    | Four
    /// In a plane, pixels that share a side or a corner.
    | Eight
    /// In a volume, voxels that share a face.
    | Six
    /// In a volume, voxels that share a face or an edge.
    | Eighteen
    /// In a volume, voxels that share a face, an edge or a corner.
    | TwentySix

/// What connectivities say about rank and neighbours.
[<RequireQualifiedAccess>]
module Connectivity =

    /// 2 for those of a plane, 3 for those of a volume.
    let rank (connectivity: Connectivity) : int =
        match connectivity with
        | Connectivity.Four
        | Connectivity.Eight -> 2
        | Connectivity.Six
        | Connectivity.Eighteen
        | Connectivity.TwentySix -> 3

    /// The number of neighbours, which is also the name: 4, 8, 6, 18 or 26.
    let size (connectivity: Connectivity) : int =
        match connectivity with
        | Connectivity.Four -> 4
        | Connectivity.Eight -> 8
        | Connectivity.Six -> 6
        | Connectivity.Eighteen -> 18
        | Connectivity.TwentySix -> 26

    /// Throws ArgumentException when the connectivity is not one of the extent's rank.
    let requireRank (connectivity: Connectivity) (extent: Extent) : unit =
        if rank connectivity <> extent.Rank then
            let wanted = if extent.Rank = 2 then "4 or 8" else "6, 18 or 26"

            invalidArg
                (nameof connectivity)
                $"Connectivity %d{size connectivity} does not fit the extent %O{extent}; %s{wanted} is wanted."

    /// How many axes two neighbours may differ along.
    let internal order (connectivity: Connectivity) : int =
        match connectivity with
        | Connectivity.Four
        | Connectivity.Six -> 1
        | Connectivity.Eight
        | Connectivity.Eighteen -> 2
        | Connectivity.TwentySix -> 3

    /// The steps to all neighbours as (slice, row, column), in raster order; the voxel itself is not among them.
    let neighbours (connectivity: Connectivity) : struct (int * int * int) list =
        let slices = if rank connectivity = 3 then [ -1 .. 1 ] else [ 0 ]

        [
            for slice in slices do
                for row in -1 .. 1 do
                    for column in -1 .. 1 do
                        let distance = abs slice + abs row + abs column

                        if distance > 0 && distance <= order connectivity then
                            struct (slice, row, column)
        ]

/// The connectivity of a structure together with that of what surrounds it. Components, tunnels and cavities are only
/// well defined when the two are dual: 8 with 4, 26 with 6.
type ConnectivityPair =
    {
        /// How voxels of the structure hang together.
        Foreground: Connectivity
        /// How voxels outside the structure hang together.
        Background: Connectivity
    }

/// Pairs of dual connectivities and their text form.
[<RequireQualifiedAccess>]
module ConnectivityPair =

    /// The pair of a given foreground: 8/4, 4/8, 26/6, 6/26 or 18/6. The pair 6/18 is made by hand.
    let dual (foreground: Connectivity) : ConnectivityPair =
        let background =
            match foreground with
            | Connectivity.Four -> Connectivity.Eight
            | Connectivity.Eight -> Connectivity.Four
            | Connectivity.Six -> Connectivity.TwentySix
            | Connectivity.TwentySix -> Connectivity.Six
            | Connectivity.Eighteen -> Connectivity.Six

        {
            Foreground = foreground
            Background = background
        }

    /// 8/4 for rank 2 and 26/6 for rank 3, by which skeletons are thinned. Throws ArgumentException for other ranks.
    let standard (rank: int) : ConnectivityPair =
        match rank with
        | 2 -> dual Connectivity.Eight
        | 3 -> dual Connectivity.TwentySix
        | _ -> invalidArg (nameof rank) $"A plane has rank 2 and a volume rank 3; got %d{rank}."

    /// All pairs: 8/4 and 4/8 of planes; 26/6, 6/26, 18/6 and 6/18 of volumes.
    let all: ConnectivityPair list =
        [
            dual Connectivity.Eight
            dual Connectivity.Four
            dual Connectivity.TwentySix
            dual Connectivity.Six
            dual Connectivity.Eighteen
            {
                Foreground = Connectivity.Six
                Background = Connectivity.Eighteen
            }
        ]

    /// Foreground and background by their numbers of neighbours, as in "8/4".
    let print (pair: ConnectivityPair) : string =
        $"%d{Connectivity.size pair.Foreground}/%d{Connectivity.size pair.Background}"

    /// Throws ArgumentException unless the two are dual and of the extent's rank.
    let require (pair: ConnectivityPair) (extent: Extent) : unit =
        Connectivity.requireRank pair.Foreground extent

        if not (List.contains pair all) then
            let wanted = dual pair.Foreground
            invalidArg (nameof pair) $"%s{print pair} is no dual pair of connectivities; %s{print wanted} is."

    /// Reads "8/4", "4/8", "26/6", "6/26", "18/6" or "6/18"; any other text is an error that names them.
    let parse (text: string) : Result<ConnectivityPair, string> =
        match all |> List.tryFind (fun pair -> print pair = text.Trim()) with
        | Some pair -> Ok pair
        | None ->
            let names = String.Join(", ", List.map print all)
            Error $"\"%s{text}\" is no pair of connectivities; those known are %s{names}."
