namespace SkeletonRecall.Training

open SkeletonRecall

/// Probabilities of one case as they are kept in a file.
type Probabilities =
    {
        Channels: int
        Extent: Extent
        Spacing: Spacing
        Geometry: Geometry
        /// (channels, spatial...), row-major.
        Data: float32[]
    }

/// Probabilities in nnU-Net's .npz files: an array `probabilities` of (channels, z, y, x), float32. Beside it stand spacing,
/// origin and direction, which nnU-Net keeps in a pickle.
[<RequireQualifiedAccess>]
module ProbabilityFile =

    let private floats (values: float list) : NpyArray =
        {
            Shape = [ values.Length ]
            Values = Float64s(Array.ofList values)
        }

    /// Writes a file; a plane has one slice in it, as in nnU-Net.
    let save (path: string) (probabilities: Probabilities) : Result<unit, Problem> =
        let extent = probabilities.Extent

        let arrays =
            [
                "probabilities",
                {
                    Shape = [ probabilities.Channels; extent.Depth; extent.Height; extent.Width ]
                    Values = Float32s probabilities.Data
                }
                "spacing", floats probabilities.Spacing.Values
                "origin", floats probabilities.Geometry.Origin
                "direction", floats probabilities.Geometry.Direction
            ]

        Files.writeAtomically path (Npz.encode arrays)

    let private tryFloats (arrays: Map<string, NpyArray>) (name: string) : float list option =
        match Map.tryFind name arrays with
        | Some { Values = Float64s values } -> Some(List.ofArray values)
        | _ -> None

    let private decode (arrays: Map<string, NpyArray>) : Result<Probabilities, string> =
        match Map.tryFind "probabilities" arrays with
        | Some {
                   Shape = [ channels; depth; height; width ]
                   Values = Float32s data
               } ->
            let spacing = tryFloats arrays "spacing"
            let isPlane = spacing |> Option.map (fun values -> values.Length = 2)

            // nnU-Net's own files do not say; its planes have one slice.
            let extent =
                if Option.defaultValue (depth = 1) isPlane then
                    Extent.plane height width
                else
                    Extent.space depth height width

            let geometry =
                match tryFloats arrays "origin", tryFloats arrays "direction" with
                | Some origin, Some direction -> Geometry.create origin direction
                | _ -> Geometry.standard extent.Rank

            Ok
                {
                    Channels = channels
                    Extent = extent
                    Spacing =
                        spacing
                        |> Option.map Spacing.ofList
                        |> Option.defaultValue (Spacing.unit extent.Rank)
                    Geometry = geometry
                    Data = data
                }
        | _ -> Error "it holds no array \"probabilities\" of (channels, z, y, x) in float32"

    /// Reads a file of this program or of nnU-Net; the latter's spacing and place are not known.
    let load (path: string) : Result<Probabilities, Problem> =
        Files.withStream path "probabilities are wanted: predict with --save_probabilities" (fun stream ->
            Npz.decode stream |> Result.map Map.ofList |> Result.bind decode)
