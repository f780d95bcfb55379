namespace SkeletonRecall.Training

open System
open System.IO
open System.Text.Json
open SkeletonRecall

/// A data set that others keep: not shipped, to be downloaded.
type PublicSource =
    {
        /// As `convert` is told it.
        Kind: string
        Name: string
        /// Where the files are.
        Place: string
        Terms: string
    }

/// Recipes for the five data sets of the paper, by the layouts of their public downloads. The data are not shipped;
/// `sources` says where to get them, and under which terms. Layouts were looked up in public loaders and READMEs, named
/// at each recipe, and tried on generated folders in that naming, not on the data themselves.
[<RequireQualifiedAccess>]
module PublicDatasets =

    /// Where each is to be had, and under which terms.
    let sources: PublicSource list =
        [
            {
                Kind = "roads"
                Name = "Massachusetts Roads (Mnih 2013)"
                Place =
                    "Kaggle balraj98/massachusetts-roads-dataset or insaff/massachusetts-roads-dataset, or cs.toronto.edu/~vmnih/data"
                Terms = "no explicit licence known; cite Mnih's thesis"
            }
            {
                Kind = "drive"
                Name = "DRIVE (Staal 2004)"
                Place = "drive.grand-challenge.org, after registration"
                Terms = "those shown there"
            }
            {
                Kind = "cracks"
                Name = "NCCD-PF (2023)"
                Place = "zenodo.org/records/8215100"
                Terms = "those of the record; the layout is by one loader alone, unverified"
            }
            {
                Kind = "toothfairy"
                Name = "ToothFairy (2023)"
                Place = "ditto.ing.unimore.it/toothfairy, after registration"
                Terms = "those shown there"
            }
            {
                Kind = "topcow"
                Name = "TopCoW (2023, 2024)"
                Place = "topcow24.grand-challenge.org, Zenodo 15692630"
                Terms =
                    "open use, the source must be given; commercial use needs the permission of University Hospital Zurich"
            }
        ]

    let private part (images: string) (masks: string) : ConversionPart = { Images = images; Masks = Some masks }

    // Pixels that are blank: white parts of more than 50 pixels (with corners), and what they enclose.
    let private blank (image: Image) : bool[] =
        let count = image.Extent.Count

        let white =
            Volume.create image.Extent (Array.init count id)
            |> Mask.ofVolume (fun at ->
                let mutable all = true

                for channel in 0 .. image.Channels - 1 do
                    all <- all && image.Data[channel * count + at] = 255.0f

                all)

        let struct (parts, number) = Components.label Connectivity.Eight white
        let sizes = Array.zeroCreate<int>(number + 1)

        for part in parts.Data do
            sizes[part] <- sizes[part] + 1

        let large =
            parts
            |> Volume.map (fun part -> part > 0 && sizes[part] > 50)
            |> Mask.ofVolume id

        // What is not reached from the border is inside.
        let struct (outside, number) =
            Components.label Connectivity.Four (Mask.complement large)

        let reached = Array.zeroCreate<bool>(number + 1)
        let width, height = image.Extent.Width, image.Extent.Height

        for at in 0 .. count - 1 do
            let row, column = at / width, at % width

            if row = 0 || column = 0 || row = height - 1 || column = width - 1 then
                reached[outside.Data[at]] <- true

        outside.Data |> Array.map (fun part -> part = 0 || not reached[part])

    /// Label maps without the labels of large white areas, where the image shows nothing: what nnU-Net's own conversion
    /// (nnunetv2/dataset_conversion/Dataset120_RoadSegmentation.py) does.
    let clearBlank (image: Image) (labels: LabelMap) : LabelMap =
        let blank = blank image

        labels.Data
        |> Array.mapi (fun at label -> if blank[at] then 0s else label)
        |> Volume.create labels.Extent
        |> Volume.withSpacing labels.Spacing

    /// Massachusetts Roads (Mnih 2013): aerial images of 1500 x 1500 pixels. Layouts: Kaggle's balraj98 (tiff/train,
    /// tiff/train_labels; the one that the paper's README links), Kaggle's insaff (training/input, training/output; what
    /// nnU-Net's Dataset120 reads) and the author's own by bohaohuang/mrs (train/sat, train/map). Held out are the folders
    /// named test; images without a mask are left out, and so are the 14 of Kaggle's val.
    let roads: Recipe =
        { Conversion.standard with
            Training =
                [
                    part "tiff/train/*" "tiff/train_labels/*"
                    part "training/input/*" "training/output/*"
                    part "train/sat/*" "train/map/*"
                ]
            Test =
                [
                    part "tiff/test/*" "tiff/test_labels/*"
                    part "testing/input/*" "testing/output/*"
                    part "test/sat/*" "test/map/*"
                ]
            Channels = [ "R"; "G"; "B" ]
            Labels = [ "road" ]
            Rule = MaskRule.Fixed [ 0, 0; 1, 1; 255, 1 ]
            SkipUnpaired = true
            Clean = clearBlank
        }

    /// DRIVE (Staal et al. 2004): retinal photographs of 565 x 584 pixels. Layout by many loaders, e.g. dataset.py of
    /// bioidiap/bob.ip.binseg: training/images/21_training.tif, training/1st_manual/21_manual1.gif, test/images/01_test.tif,
    /// test/1st_manual/01_manual1.gif. Today's download has no manual labels of the test images: then they have none.
    let drive: Recipe =
        { Conversion.standard with
            Training = [ part "training/images/*_training.tif" "training/1st_manual/*_manual1.gif" ]
            Test = [ part "test/images/*_test.tif" "test/1st_manual/*_manual1.gif" ]
            Case = fun number -> "drive_" + number
            Channels = [ "R"; "G"; "B" ]
            Labels = [ "vessel" ]
            Rule = MaskRule.Fixed [ 0, 0; 1, 1; 255, 1 ]
        }

    /// Cracks: the Pre-failure Narrow Concrete Crack Dataset (NCCD-PF, Zenodo 8215100). One public loader (`load_nccd_pf`)
    /// states the layout: Dataset_for_semantic_segmentation with Images_cracked and Masks_cracked, or Images and Masks, files
    /// image_N and mask_N; no description by the authors was at hand, so it counts as unverified. No part is held out.
    let cracks: Recipe =
        { Conversion.standard with
            Training =
                [
                    for folder in [ "Dataset_for_semantic_segmentation/"; "" ] do
                        for kind in [ "_cracked"; "" ] do
                            part $"%s{folder}Images%s{kind}/image_*" $"%s{folder}Masks%s{kind}/mask_*"
                ]
            Case = fun number -> "crack_" + number
            Labels = [ "crack" ]
        }

    // The patients that splits.json names as test, where it is there.
    let private testPatients (path: string) : Result<Set<string>, Problem> =
        if not (File.Exists path) then
            Ok Set.empty
        else
            let bad () =
                Error(
                    Unreadable(
                        path,
                        "it should be lists of patients by part, as {\"train\": [\"P1\"], \"test\": [\"P2\"]}"
                    )
                )

            Files.read path "the parts of the data set"
            |> Result.bind (fun bytes ->
                try
                    use document = JsonDocument.Parse(ReadOnlyMemory bytes)

                    Ok(
                        Set.ofList
                            [
                                for entry in document.RootElement.EnumerateObject() do
                                    if entry.Name.StartsWith("test", StringComparison.OrdinalIgnoreCase) then
                                        for patient in entry.Value.EnumerateArray() do
                                            match patient.GetString() with
                                            | null -> ()
                                            | name -> name
                            ]
                    )
                with
                | :? JsonException
                | :? InvalidOperationException -> bad ())

    /// ToothFairy (2023): cone-beam CT with the inferior alveolar canal. Layout by the data set's own description in public
    /// guides and by torch_em's loader: Dataset/P1/data.npy with gt_alpha.npy (dense labels) for some patients and gt_sparse.npy
    /// for all; patients without dense labels are left out. Patients that splits.json lists under a key that begins with
    /// `test` are held out (loaders read it by part; the name of that key is unverified). The voxels are cubes of 0.3 mm, which
    /// numpy's files do not say.
    let toothFairy (source: string) : Result<Recipe, Problem> =
        let roots = [ ""; "Dataset/"; "ToothFairy_Dataset/Dataset/" ]

        let splits =
            [ "splits.json"; "ToothFairy_Dataset/splits.json"; "../splits.json" ]
            |> List.map (fun name -> Path.Combine(source, name))
            |> List.tryFind File.Exists
            |> Option.defaultValue (Path.Combine(source, "splits.json"))

        testPatients splits
        |> Result.map (fun held ->
            { Conversion.standard with
                Training = [ for root in roots -> part $"%s{root}P*/data.npy" $"%s{root}P*/gt_alpha.npy" ]
                IsHeldOut = fun number -> held.Contains("P" + number)
                Case = fun number -> "P" + number
                Channels = [ "CT" ]
                Labels = [ "canal" ]
                Rule = MaskRule.Fixed [ 0, 0; 1, 1 ]
                Spacing = Some 0.3
                SkipUnpaired = true
            })

    /// The arteries of TopCoW, by their label here; 3rd-A2 is 15 in the challenge's files.
    let topCowArteries: string list =
        [
            "BA"
            "R-PCA"
            "L-PCA"
            "R-ICA"
            "R-MCA"
            "L-ICA"
            "L-MCA"
            "R-Pcom"
            "L-Pcom"
            "Acom"
            "R-ACA"
            "L-ACA"
            "3rd-A2"
        ]

    /// TopCoW (2023, 2024): the circle of Willis in CT and MR angiography. Layout by the challenge's data release as several
    /// loaders read it: imagesTr/topcow_mr_001_0000.nii.gz and cow_seg_labelsTr/topcow_mr_001.nii.gz, ct beside mr. `modality`
    /// is ct, mr or both; `binary` makes one class of all arteries, else the label 15 becomes 13, so that labels are 0 to 13.
    /// Throws ArgumentException for another modality.
    let topCow (binary: bool) (modality: string) : Recipe =
        let middle, channel =
            match modality with
            | "ct" -> "topcow_ct_", "CT"
            | "mr" -> "topcow_mr_", "MR"
            | "both" -> "topcow_", "CT or MR"
            | other -> invalidArg (nameof modality) $"ct, mr or both is wanted; got '%s{other}'."

        let files (labels: string) : ConversionPart =
            part $"imagesTr/%s{middle}*_0000.nii.gz" $"%s{labels}/%s{middle}*.nii.gz"

        { Conversion.standard with
            Training = [ files "cow_seg_labelsTr" ]
            Case = fun number -> middle + number
            Channels = [ channel ]
            Labels = if binary then [ "vessel" ] else topCowArteries
            Rule =
                MaskRule.Fixed
                    [
                        0, 0
                        for label in 1..13 do
                            label, (if binary then 1 else label)
                        15, (if binary then 1 else 13)
                    ]
        }
