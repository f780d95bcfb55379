namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open SkeletonRecall

/// All that a preprocessed case depends on: the files, and what is done with them.
[<RequireQualifiedAccess>]
module internal CaseOrigin =

    /// The origin of a case, as text that is stored with it and compared.
    let print (dataset: Dataset) (plans: Plans) (configuration: Configuration) (files: CaseFiles) : string =
        let stamp (path: string) =
            let file = FileInfo path
            $"%s{file.Name} %d{file.Length} %d{file.LastWriteTimeUtc.Ticks}"

        let numbers (values: float list) =
            values
            |> List.map (fun value -> value.ToString("R", CultureInfo.InvariantCulture))
            |> String.concat " "

        let scheme (normalization: Normalization) =
            match normalization with
            | Ct intensity ->
                "ct "
                + numbers [ intensity.Low; intensity.High; intensity.Mean; intensity.Deviation ]
            | other -> $"%A{other}"

        String.Join(
            "\n",
            [
                $"axes %A{plans.Transpose}; spacing %s{numbers configuration.Spacing}"
                $"resampling %A{configuration.Resampling}"
                yield! List.map scheme configuration.Normalization
                $"regions %A{dataset.Regions}; ignore %A{dataset.Ignore}; reader %A{dataset.ImageReader}"
                yield! List.map stamp (files.Images @ [ files.Labels ])
            ]
        )
