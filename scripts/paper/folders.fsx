// dotnet build -c Release && dotnet fsi scripts/paper/folders.fsx FOLDER
#load "../loop.fsx"

// # The layouts of the paper's data sets, with generated images in them
//
// FOLDER/roads, drive, cracks, toothfairy and topcow are laid out as the public downloads are, small and with labels that are known:
// what the five scripts beside this one can be tried on without the data.

open System
open System.IO
open SkeletonRecall
open SkeletonRecall.Training
open Loop

let root = required "folders.fsx" "a folder to write to"
let seed = Seed.ofInt 5

let place (parts: string list) : string =
    let path = Path.Combine(Array.ofList (root :: parts))
    Directory.CreateDirectory(Path.GetDirectoryName path |> string) |> ignore
    path

let case (kind: SampleKind) (size: int) (number: int) : Image * LabelMap =
    let case = Sample.case kind size (Seed.child number seed)
    case.Image, case.Labels.Value

// The public masks of planes are black and white.
let white (labels: LabelMap) : LabelMap =
    labels |> Volume.map (fun label -> if label > 0s then 255s else 0s)

let save (image: string list) (mask: string list) (shown: Image, labels: LabelMap) : unit =
    Reader.writeImage (place image) shown |> Problem.orThrow
    Reader.writeLabels (place mask) labels |> Problem.orThrow

let inColours (image: Image) : Image =
    if image.Channels = 3 then
        image
    else
        Image.create 3 image.Extent (Array.concat [ image.Data; image.Data; image.Data ])

// ## Roads: Kaggle's balraj98

for number in 0..5 do
    let part = if number < 5 then "train" else "test"

    let image, labels = case SampleKind.Roads 96 number

    save
        [ "roads"; "tiff"; part; $"1022867%d{number}_15.tiff" ]
        [ "roads"; "tiff"; part + "_labels"; $"1022867%d{number}_15.tif" ]
        (image, white labels)

// ## DRIVE: its masks are GIF

/// A GIF of black and white without compression: a code of eight bits for each pixel, and one that clears the table before codes
/// become longer.
let gif (labels: LabelMap) : byte[] =
    let width, height = labels.Extent.Width, labels.Extent.Height
    let word (value: int) : byte list = [ byte value; byte (value >>> 8) ]
    let palette = Array.init (3 * 128) (fun at -> if at / 3 = 1 then 255uy else 0uy)

    let codes =
        [|
            for at in 0 .. labels.Data.Length - 1 do
                if at % 100 = 0 then
                    128uy

                if labels.Data[at] > 0s then 1uy else 0uy

            129uy
        |]

    Array.concat
        [
            "GIF89a"B
            Array.ofList (word width @ word height @ [ 0xF6uy; 0uy; 0uy ])
            palette
            Array.ofList ([ 0x2Cuy; 0uy; 0uy; 0uy; 0uy ] @ word width @ word height @ [ 0uy; 7uy ])
            for block in Array.chunkBySize 255 codes do
                Array.append [| byte block.Length |] block
            [| 0uy; 0x3Buy |]
        ]

for number in 21..26 do
    let part = if number < 26 then "training" else "test"
    let image, labels = case SampleKind.Vessels 96 number

    Reader.writeImage (place [ "drive"; part; "images"; $"%d{number}_%s{part}.tif" ]) (inColours image)
    |> Problem.orThrow

    File.WriteAllBytes(place [ "drive"; part; "1st_manual"; $"%d{number}_manual1.gif" ], gif labels)

// ## Cracks: NCCD-PF

for number in 1..5 do
    let image, labels = case SampleKind.Cracks 96 number
    let folder = [ "cracks"; "Dataset_for_semantic_segmentation" ]

    save
        (folder @ [ "Images_cracked"; $"image_%d{number}.png" ])
        (folder @ [ "Masks_cracked"; $"mask_%d{number}.png" ])
        (inColours image, white labels)

// ## ToothFairy: numpy's files

for number in 1..6 do
    let image, labels = case SampleKind.Canal 32 number

    let write (name: string) (values: NpyValues) =
        File.WriteAllBytes(
            place [ "toothfairy"; "Dataset"; $"P%d{number}"; name ],
            Npy.encode
                {
                    Shape = image.Extent.Shape
                    Values = values
                }
        )

    write "data.npy" (Int16s(image.Data |> Array.map int16))
    write "gt_alpha.npy" (UInt8s(labels.Data |> Array.map byte))
    write "gt_sparse.npy" (UInt8s(Array.zeroCreate labels.Data.Length))

File.WriteAllText(
    place [ "toothfairy"; "splits.json" ],
    "{\"train\": [\"P1\", \"P2\", \"P3\", \"P4\"], \"val\": [\"P5\"], \"test\": [\"P6\"]}"
)

// ## TopCoW: 3rd-A2 is 15 there

for number in 1..5 do
    let image, labels = case SampleKind.Willis 32 number

    save
        [ "topcow"; "imagesTr"; $"topcow_mr_%03d{number}_0000.nii.gz" ]
        [ "topcow"; "cow_seg_labelsTr"; $"topcow_mr_%03d{number}.nii.gz" ]
        (image, labels |> Volume.map (fun label -> if label = 13s then 15s else label))

note $"five data sets in %s{root}"
