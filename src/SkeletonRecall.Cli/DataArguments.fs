namespace SkeletonRecall.Cli

open Argu
open SkeletonRecall.Training

/// `verify DATASET`.
type VerifyArguments =
    | [<MainCommand>] Datasets of DATASET: string list
    | [<CustomCommandLine("-d")>] Also of DATASET: string list
    | [<AltCommandLine("-np")>] Workers of count: int
    | Json
    | Root of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Datasets _ -> "data sets: number, name, or a folder with dataset.json."
            | Also _ -> "the same, as nnU-Net has it."
            | Workers _ -> "cases that are read at once, each in memory (default: the cores, at most 8)."
            | Json -> "print what was found as JSON."
            | Root _ -> Usage.root

/// `convert KIND SOURCE TARGET`.
type ConvertArguments =
    | [<MainCommand; ExactlyOnce>] Places of KIND: string * SOURCE: string * TARGET: string
    | Images of pattern: string
    | Masks of pattern: string
    | Test_Images of pattern: string
    | Test_Masks of pattern: string
    | Labels of names: string
    | Channels of names: string
    | Background of value: string
    | Threshold of level: float
    | Skip_Unpaired
    | Ending of ending: string
    | Ras
    | Modality of name: string
    | Binary
    | [<AltCommandLine("-np")>] Workers of count: int
    | Json
    | Root of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Places _ ->
                "kind, folder of the images or of the download, and data set to make: a name such as Dataset120_Roads, or a folder. Kinds: images, any folder of images and masks; and those of the paper, whose data you download: "
                + (PublicDatasets.sources
                   |> List.map (fun source ->
                       $"%s{source.Kind}, %s{source.Name}: %s{source.Place} (terms: %s{source.Terms})")
                   |> String.concat "; ")
                + "."
            | Images _ ->
                "images: where the images are, with one star for the name of the case, as photos/*.jpg; several patterns, separated by commas, are the channels of each case, as t1/*.nii.gz,t2/*.nii.gz (default: images/*)."
            | Masks _ -> "images: where their masks are, as photos/*_mask.png (default: masks/*)."
            | Test_Images _ -> "images: the same for images to hold out (default: none)."
            | Test_Masks _ -> "images: the same for their masks, which may be missing (default: none)."
            | Labels _ ->
                "images: names of the classes but the background, in ascending order of their values, as artery,vein (default: foreground, or class 1 and so on)."
            | Channels _ -> "images: names of the channels, as CT (default: R,G,B or grey)."
            | Background _ ->
                "images: the value or colour (#rrggbb) of the background (default: 0 or black, else what is most)."
            | Threshold _ -> "images: a pixel is foreground where its brightest channel is above this (default: none)."
            | Skip_Unpaired -> "leave out training images that have no mask."
            | Ending _ -> "ending of the files to write (default: .png for planes, .nii.gz for volumes)."
            | Ras -> "turn volumes to right, anterior, superior."
            | Modality _ -> "topcow: ct, mr or both (default: mr)."
            | Binary -> "topcow: one class of all arteries in place of 13."
            | Workers _ -> "cases that are converted at once, each in memory (default: the cores, at most 8)."
            | Json -> "print what was made as JSON."
            | Root _ -> Usage.root

/// `sample KIND TARGET`.
type SampleArguments =
    | [<MainCommand; ExactlyOnce>] Places of KIND: string * TARGET: string
    | Cases of count: int
    | Test of count: int
    | Size of side: int
    | Seed of number: int
    | Json
    | Root of folder: string

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Places _ ->
                "kind (vessels, roads, cracks: planes; vessels-3d, canal, willis: volumes) and data set to make: a name such as Dataset001_Vessels, or a folder."
            | Cases _ -> "training cases (default: 20)."
            | Test _ -> "cases to hold out, in imagesTs and labelsTs (default: a quarter as many)."
            | Size _ -> "side of an image: pixels of a square, voxels of a cube (default: 256, 64)."
            | Seed _ -> "seed of the images (default: 1)."
            | Json -> "print what was made as JSON."
            | Root _ -> Usage.root
