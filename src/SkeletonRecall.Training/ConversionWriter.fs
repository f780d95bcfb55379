namespace SkeletonRecall.Training

open System
open System.IO
open SkeletonRecall

/// Writing converted cases.
[<RequireQualifiedAccess>]
module internal ConversionWriter =

    /// A case to convert.
    type Job =
        {
            Case: CaseId
            /// One file for each channel, or one of all.
            Images: string list
            Mask: string option
            IsTraining: bool
        }

    /// A mask by the recipe's rule.
    let readMask (recipe: Recipe) (path: string) : Result<MaskCoding.Mask, Problem> =
        match recipe.Rule with
        | MaskRule.Above threshold -> MaskCoding.above threshold path
        | MaskRule.Found _
        | MaskRule.Fixed _ -> MaskCoding.read path

    // numpy's files say nothing about their place.
    let private withSpacing (recipe: Recipe) (image: Image) : Image =
        match recipe.Spacing with
        | Some spacing when image.Extent.Rank = 3 && image.Spacing = Spacing.unit 3 ->
            { image with
                Spacing = Spacing.ofList [ spacing; spacing; spacing ]
            }
        | _ -> image

    /// The names of the channels, by the first image.
    let channelNames (recipe: Recipe) (image: Image) : string list =
        match recipe.Channels, image.Channels with
        | [], 1 -> [ "grey" ]
        | [], 3 -> [ "R"; "G"; "B" ]
        | [], 4 -> [ "R"; "G"; "B"; "A" ]
        | [], count -> List.init count (fun channel -> $"channel %d{channel}")
        | names, _ -> names

    /// The names of the classes, the background first.
    let labelNames (recipe: Recipe) (classes: int) : string list =
        let foreground =
            match recipe.Labels with
            | [] when classes = 2 -> [ "foreground" ]
            | [] -> List.init (classes - 1) (fun number -> $"class %d{number + 1}")
            | names -> names

        "background" :: foreground

    // What a file of this ending cannot hold.
    let private requireHeld (ending: string) (path: string) (image: Image) : Result<unit, Problem> =
        let isPixels = ending = ".png" || ending = ".bmp"
        let most = if ending = ".bmp" then 255.0f else 65535.0f

        if isPixels && image.Extent.Rank <> 2 then
            Error(
                Mismatch(path, "a volume", $"planes, as the other images are (%s{ending}): --ending .nii.gz takes both")
            )
        elif isPixels && not (List.contains image.Channels [ 1; 3; 4 ]) then
            Error(
                Mismatch(
                    path,
                    $"%d{image.Channels} channels",
                    $"1, 3 or 4 for %s{ending}: --ending .tif takes any number"
                )
            )
        elif
            isPixels
            && image.Data
               |> Array.exists (fun value -> value < 0.0f || value > most || value <> MathF.Round value)
        then
            Error(
                Mismatch(
                    path,
                    "values that are negative, fractional or too large",
                    $"whole numbers from 0 for %s{ending}: --ending .tif keeps them as they are"
                )
            )
        else
            Ok()

    let private isSameFile (ending: string) (path: string) : bool =
        path.EndsWith(ending, StringComparison.Ordinal)
        && not (VoxelFile.isJpegFile path)

    let private copy (source: string) (target: string) : Result<unit, Problem> =
        Files.withStream source "an image is wanted" (fun stream -> Ok(Files.writeAtomically target stream.CopyTo))
        |> Result.bind id

    /// What every case is written with.
    type Plan =
        {
            Recipe: Recipe
            Coding: MaskCoding.Coding option
            Channels: string list
            Ending: string
            /// Where it is written, before it gets its name.
            Folder: string
        }

    let private writeImage
        (plan: Plan)
        (path: string)
        (source: string)
        (stored: Image)
        (image: Image)
        : Result<unit, Problem> =
        // What can be copied is: compression and type stay as they are.
        if obj.ReferenceEquals(stored, image) && isSameFile plan.Ending source then
            copy source path
        elif image.Extent.Rank = 3 && image.Channels > 1 then
            Error(Mismatch(source, $"a volume of %d{image.Channels} channels", "one channel in a file"))
        else
            requireHeld plan.Ending source image
            |> Result.bind (fun () -> Reader.writeImage path image)

    /// Writes one case.
    let convert (plan: Plan) (job: Job) : Result<unit, Problem> =
        let recipe = plan.Recipe
        let suffix = if job.IsTraining then "Tr" else "Ts"
        let name = CaseId.value job.Case

        let at (folder: string) (file: string) =
            Path.Combine(plan.Folder, folder + suffix, file)

        Problem.attempt {
            let! files = job.Images |> Problem.traverse (fun path -> Reader.image [ path ])
            let stored = files.Head
            let placed = withSpacing recipe stored
            let channels = files |> List.sumBy _.Channels

            if channels <> plan.Channels.Length then
                let names = String.concat ", " plan.Channels

                do!
                    Error(
                        Mismatch(
                            job.Images.Head,
                            $"%d{channels} channels",
                            $"%d{plan.Channels.Length} (%s{names}), as the first image has: save all images alike"
                        )
                    )

            match
                List.zip job.Images files
                |> List.tryFind (fun (_, file) -> file.Extent <> stored.Extent)
            with
            | Some(path, file) ->
                do!
                    Error(
                        Mismatch(
                            path,
                            Reader.size file.Extent,
                            $"%s{Reader.size stored.Extent}, as %s{job.Images.Head} has"
                        )
                    )
            | None -> ()

            do!
                List.zip job.Images files
                |> List.indexed
                |> Problem.traverse (fun (number, (path, file)) ->
                    let placed = withSpacing recipe file
                    let image = if recipe.ToRas then Orientation.toRas placed else placed
                    writeImage plan (at "images" $"%s{name}_%04d{number}%s{plan.Ending}") path file image)
                |> Result.map ignore

            match job.Mask, plan.Coding with
            | Some path, Some coding ->
                let! mask = readMask recipe path

                if mask.Extent <> stored.Extent then
                    do!
                        Error(
                            Mismatch(
                                path,
                                Reader.size mask.Extent,
                                $"%s{Reader.size stored.Extent}, as %s{job.Images.Head} has"
                            )
                        )

                let labels = MaskCoding.apply coding mask

                // A mask whose file says nothing lies where its image does.
                let labels, place =
                    if
                        mask.Geometry = Geometry.standard mask.Extent.Rank
                        && mask.Spacing = Spacing.unit mask.Extent.Rank
                    then
                        Volume.withSpacing placed.Spacing labels, placed.Geometry
                    else
                        labels, mask.Geometry

                let labels = recipe.Clean placed labels

                let labels, place =
                    if recipe.ToRas then
                        Orientation.labelsToRas place labels, Orientation.turned place labels.Extent labels.Spacing
                    else
                        labels, place

                return! Reader.writeLabelsInPlace place (at "labels" (name + Reader.labelEnding plan.Ending)) labels
            | _ -> return ()
        }
