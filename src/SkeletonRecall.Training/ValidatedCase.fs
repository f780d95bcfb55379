namespace SkeletonRecall.Training

open System
open System.IO
open SkeletonRecall

/// A whole validation case as a run leaves it, on the grid that the network saw.
type ValidatedCase =
    {
        /// The case's name.
        Case: string
        /// The first channel, for the eye: 0 to 255.
        Image: Volume<byte>
        Truth: LabelMap
        Prediction: LabelMap
    }

/// What the last validation on whole cases leaves in a run's folder: validation_views/CASE.npz with image, truth, prediction and
/// spacing, and validation_views/summary.json, nnU-Net's with all measures.
[<RequireQualifiedAccess>]
module ValidatedCase =

    /// The folder's name.
    let folder: string = "validation_views"

    /// An image in 8 bits, from its 0.5th percentile (0) to its 99.5th (255); values that are not finite are 0, an image of
    /// one value is 128.
    let grey (image: Volume<float32>) : Volume<byte> =
        let sorted = image.Data |> Array.filter Single.IsFinite |> Array.sort

        let percentile (share: float) =
            if sorted.Length = 0 then
                0.0
            else
                float sorted[int (Math.Round(share * float (sorted.Length - 1)))]

        let low = percentile 0.005
        let range = percentile 0.995 - low

        image
        |> Volume.map (fun value ->
            if not (Single.IsFinite value) then
                0uy
            elif range <= 0.0 then
                128uy
            else
                byte (Math.Clamp(Math.Round(255.0 * (float value - low) / range), 0.0, 255.0)))

    /// A case from what the network saw and said. Axes and spacing are the label map's.
    let create (case: string) (image: Image) (truth: LabelMap) (prediction: LabelMap) : ValidatedCase =
        {
            Case = case
            Image =
                Array.sub image.Data 0 image.Extent.Count
                |> Volume.create image.Extent
                |> grey
                |> Volume.withSpacing image.Spacing
            // What lies outside of the image counts as background.
            Truth =
                truth
                |> Volume.map (fun label -> max 0s label)
                |> Volume.withSpacing image.Spacing
            Prediction = Volume.withSpacing image.Spacing prediction
        }

    let private file (run: string) (case: string) : string =
        Path.Combine(run, folder, case + ".npz")

    /// Writes a case below a run's folder.
    let write (run: string) (case: ValidatedCase) : Result<unit, Problem> =
        let shape = case.Image.Extent.Shape

        let arrays =
            [
                "image",
                {
                    Shape = shape
                    Values = UInt8s case.Image.Data
                }
                "truth", Npy.ofLabels case.Truth
                "prediction", Npy.ofLabels case.Prediction
                "spacing",
                {
                    Shape = [ shape.Length ]
                    Values = Float64s(Array.ofList case.Image.Spacing.Values)
                }
            ]

        Files.writeAtomically (file run case.Case) (Npz.encode arrays)

    let private read (path: string) : Result<ValidatedCase, Problem> =
        let wrong =
            Error(Unreadable(path, "it is none of the files that a validation leaves"))

        try
            use stream = File.OpenRead path

            match Npz.decode stream |> Result.map Map.ofList with
            | Error reason -> Error(Unreadable(path, reason))
            | Ok arrays ->
                match
                    arrays.TryFind "image",
                    arrays.TryFind "spacing",
                    arrays.TryFind "truth",
                    arrays.TryFind "prediction"
                with
                | Some { Shape = shape; Values = UInt8s image },
                  Some { Values = Float64s spacing },
                  Some truth,
                  Some prediction when spacing.Length = shape.Length && (shape.Length = 2 || shape.Length = 3) ->
                    let spacing = Spacing.ofList (List.ofArray spacing)

                    match Npy.toLabels truth, Npy.toLabels prediction with
                    | Ok truth, Ok prediction ->
                        let image = Volume.create (Extent.ofShape shape) image

                        if truth.Extent <> image.Extent || prediction.Extent <> image.Extent then
                            wrong
                        else
                            Ok
                                {
                                    Case = Path.GetFileNameWithoutExtension path |> string
                                    Image = Volume.withSpacing spacing image
                                    Truth = Volume.withSpacing spacing truth
                                    Prediction = Volume.withSpacing spacing prediction
                                }
                    | _ -> wrong
                | _ -> wrong
        with
        | :? UnauthorizedAccessException -> Error(Unreadable(path, "there is no permission to read it"))
        | :? IOException as error -> Error(Unreadable(path, error.Message.TrimEnd '.'))
        | :? ArgumentException -> wrong

    /// The names of the cases that a run's last validation left, sorted; none without any.
    let names (run: string) : string list =
        let folder = Path.Combine(run, folder)

        if Directory.Exists folder then
            Directory.GetFiles(folder, "*.npz")
            |> Array.map (fun path -> Path.GetFileNameWithoutExtension path |> string)
            |> Array.sortWith (fun left right -> String.CompareOrdinal(left, right))
            |> List.ofArray
        else
            []

    /// One of them.
    let load (run: string) (case: string) : Result<ValidatedCase, Problem> = read (file run case)

    /// Writes the scores of a run's last validation as nnU-Net's summary.json.
    let writeScores (run: string) (scores: Scores list) : Result<unit, Problem> =
        let files (case: string) = file run case, file run case
        Store.writeText (Path.Combine(run, folder, "summary.json")) (Summary.json files scores)

    /// The scores of a run's last validation; none where it had none.
    let scores (run: string) : Result<Scores list, Problem> =
        let path = Path.Combine(run, folder, "summary.json")

        if File.Exists path then
            Store.readText path "the scores of a validation are wanted"
            |> Result.bind (Summary.parse path)
            |> Result.map fst
        else
            Ok []
