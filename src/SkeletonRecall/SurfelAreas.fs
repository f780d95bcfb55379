namespace SkeletonRecall

/// The area of the piece of surface that passes between eight voxels (the length of the contour between four pixels), by
/// which of them belong to the mask: the convention of google-deepmind/surface-distance, which cuts cubes by marching
/// cubes (lookup_tables.py; Apache-2.0). A voxel's bit counts backwards from the last: 1 for the one at (1, 1, 1), 2 for
/// (1, 1, 0), 4 for (1, 0, 1) and so on to 128 for (0, 0, 0).
[<RequireQualifiedAccess>]
module internal SurfelAreas =

    // For each of the codes 0 to 127 the normals of its triangles, without signs, in eighths: one digit per axis. A code
    // and its complement have the same pieces.
    let private normals: string =
        "|111|111|220,220|111|202,202|111,111|111,222,400|111|111,111|202,202|111,222,400|220,220|"
        + "111,222,400|111,222,400|400,400|111|022,022|111,111|040,111,222|111,111|004,111,222|111,111,111|"
        + "111,111,222,222|111,111|022,022,111|111,202,202|022,111,202,333|111,220,220|022,111,220,333|"
        + "111,111,222,400|111,222,400|111|111,111|022,022|040,111,222|111,111|111,202,202|022,022,111|"
        + "022,111,202,333|111,111|111,111,111|004,111,222|111,111,222,222|111,220,220|111,111,222,400|"
        + "022,111,220,333|111,222,400|220,220|040,111,222|040,111,222|040,040|111,220,220|111,202,220,333|"
        + "040,111,111,222|040,111,222|111,220,220|040,111,111,222|111,202,220,333|040,111,222|220,220,220,220|"
        + "111,220,220|111,220,220|220,220|111|111,111|111,111|111,220,220|022,022|004,111,222|022,022,111|"
        + "022,111,220,333|111,111|111,111,111|111,202,202|111,111,222,400|040,111,222|111,111,222,222|"
        + "022,111,202,333|111,222,400|202,202|004,111,222|111,202,202|111,202,220,333|004,111,222|004,004|"
        + "004,111,111,222|004,111,222|111,202,202|004,111,111,222|202,202,202,202|111,202,202|111,202,220,333|"
        + "004,111,222|111,202,202|202,202|111,111|111,111,111|022,022,111|040,111,111,222|022,022,111|"
        + "004,111,111,222|022,022,022,022|022,022,111|111,111,111|111,111,111,111|004,111,111,222|111,111,111|"
        + "040,111,111,222|111,111,111|022,022,111|111,111|111,222,400|111,111,222,222|022,111,202,333|"
        + "040,111,222|022,111,220,333|004,111,222|022,022,111|022,022|111,111,222,400|111,111,111|111,202,202|"
        + "111,111|111,220,220|111,111|111,111|111"

    let private triangles: float list list[] =
        normals.Split '|'
        |> Array.map (fun code ->
            [
                for triangle in code.Split(',', System.StringSplitOptions.RemoveEmptyEntries) ->
                    [ for digit in triangle -> float (int digit - int '0') / 8.0 ]
            ])

    /// The area in mm^2 for each of the 256 codes of eight voxels of a spacing in mm.
    let ofSpace (spacing: Spacing) : float[] =
        let deep, down, along =
            match spacing.Values with
            | [ deep; down; along ] -> deep, down, along
            | values -> invalidArg (nameof spacing) $"A volume has 3 spacings; got %A{values}."

        let sides = [ down * along; deep * along; deep * down ]

        let area (normal: float list) =
            List.map2 (fun part side -> (part * side) ** 2.0) normal sides
            |> List.sum
            |> sqrt

        Array.init 256 (fun code -> triangles[min code (255 - code)] |> List.sumBy area)

    /// The length in mm for each of the 16 codes of four pixels of a spacing in mm.
    let ofPlane (spacing: Spacing) : float[] =
        let down, along =
            match spacing.Values with
            | [ down; along ] -> down, along
            | values -> invalidArg (nameof spacing) $"A plane has 2 spacings; got %A{values}."

        let corner = 0.5 * sqrt (down * down + along * along)

        Array.init 16 (fun code ->
            match min code (15 - code) with
            | 0 -> 0.0
            | 3 -> along
            | 5 -> down
            | 6 -> 2.0 * corner
            | _ -> corner)
