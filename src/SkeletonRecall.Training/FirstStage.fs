namespace SkeletonRecall.Training

open System
open SkeletonRecall

/// The second stage of a cascade (a configuration with a `PreviousStage`) sees what the first stage said of a case: behind the
/// image's channels, one of 0 and 1 for each foreground label.
[<RequireQualifiedAccess>]
module FirstStage =

    /// The labels that have a channel, ascending: every label but background and ignore, of regions too.
    let labels (dataset: Dataset) : int16 list =
        dataset.Labels
        |> List.map snd
        |> List.filter (fun label -> label <> 0)
        |> List.map int16

    /// Input channels of a configuration's network.
    let inputs (configuration: Configuration) (dataset: Dataset) : int =
        let own = dataset.ChannelNames.Length

        if configuration.PreviousStage.IsSome then
            own + (labels dataset).Length
        else
            own

    /// The image with a channel for each label behind its own: 1 where the map has the label, 0 elsewhere. Throws
    /// ArgumentException when image and map differ in size.
    let append (labels: int16 list) (map: LabelMap) (image: Image) : Image =
        Extent.requireEqual (nameof map) image.Extent map.Extent
        let count = image.Extent.Count
        let data = Array.zeroCreate<float32>(image.Data.Length + labels.Length * count)
        Array.Copy(image.Data, data, image.Data.Length)

        labels
        |> List.iteri (fun number label ->
            let channel = Span<float32>(data, image.Data.Length + number * count, count)

            for voxel in 0 .. count - 1 do
                if map.Data[voxel] = label then
                    channel[voxel] <- 1.0f)

        { image with
            Channels = image.Channels + labels.Length
            Data = data
        }

    /// A patch whose first stage, where it has one, has become channels of its image.
    let attach (labels: int16 list) (patch: Patch) : Patch =
        match patch.FirstStage with
        | None -> patch
        | Some map ->
            { patch with
                Image = append labels map patch.Image
                FirstStage = None
            }

    /// A patch moved, turned or cut; its first stage goes through the same move, in the way that labels do.
    let along (move: Patch -> Patch) (patch: Patch) : Patch =
        match patch.FirstStage with
        | None -> move patch
        | Some map ->
            let alone =
                { patch with
                    Image =
                        { patch.Image with
                            Channels = 0
                            Data = [||]
                        }
                    Labels = map
                    Skeleton = None
                    FirstStage = None
                }

            { move patch with
                FirstStage = Some (move alone).Labels
            }
