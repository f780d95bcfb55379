module SkeletonRecall.Tests.ResampleTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// The inputs of the golden files: 9 x 11 x 13 voxels.
let private extent = Extent.space 9 11 13

let private image: Image =
    Array.init extent.Count (fun i -> float32 (((i * 7919 + 13 * (i % 17)) % 1009)) / 10.0f)
    |> Image.create 1 extent

let private labels: LabelMap =
    Array.init extent.Count (fun i ->
        let slice, row, column = i / 143, i / 13 % 11, i % 13
        int16 ((slice * slice + 2 * row * column + 3 * column) / 25 % 4))
    |> Volume.create extent

// Slice 4 as a plane.
let private plane = Extent.plane 11 13
let private planeImage = Image.create 1 plane image.Data[4 * 143 .. 5 * 143 - 1]
let private planeLabels = Volume.create plane labels.Data[4 * 143 .. 5 * 143 - 1]

let private even = Spacing.unit 3
let private coarse = Spacing.ofList [ 4.0; 1.0; 1.0 ]

let private golden (name: string) : float32[] =
    match Npy.decode (Golden.bytes $"resample/%s{name}.npy") with
    | Ok { Values = Float32s values } -> values
    | other -> failtest $"%A{other}"

let private goldenLabels (name: string) : int16[] =
    match Npy.decode (Golden.bytes $"resample/%s{name}.npy") |> Result.bind Npy.toLabels with
    | Ok labels -> labels.Data
    | other -> failtest $"%A{other}"

let private near (name: string) (values: float32[]) : unit =
    let wanted = golden name
    Expect.equal values.Length wanted.Length "size"

    let largest =
        Array.map2 (fun (a: float32) b -> abs (a - b)) values wanted |> Array.max

    Expect.isLessThan largest 1e-4f name

let private size = Extent.space 12 8 17

[<Tests>]
let tests =
    testList
        "Resample"
        [
            test "images are scikit-image's, cubic and linear" {
                near "cubic" (Resample.image Resampling.standard even size image).Data
                near "linear" (Resample.probabilities Resampling.standard even size image).Data

                near
                    "cubic-plane"
                    (Resample.image Resampling.standard (Spacing.unit 2) (Extent.plane 16 9) planeImage).Data
            }

            test "an axis much coarser than the others is resampled by itself" {
                let image = { image with Spacing = coarse }
                let result = Resample.image Resampling.standard coarse size image
                near "cubic-separate" result.Data
                let labels = labels |> Volume.withSpacing coarse
                let result = Resample.labels Resampling.standard coarse size labels
                Expect.equal result.Data (goldenLabels "labels-separate") "labels"
            }

            test "labels are nnU-Net's exactly" {
                let result = Resample.labels Resampling.standard even size labels
                Expect.equal result.Data (goldenLabels "labels") "volume"

                let result =
                    Resample.labels Resampling.standard (Spacing.unit 2) (Extent.plane 16 9) planeLabels

                Expect.equal result.Data (goldenLabels "labels-plane") "plane"
            }

            // ../shared/reference/nnunet-facts.md, section 4.4.
            test "squares along one axis" {
                let row =
                    Image.create 1 (Extent.plane 1 6) [| 0.0f; 1.0f; 4.0f; 9.0f; 16.0f; 25.0f |]

                let resized (width: int) =
                    (Resample.image Resampling.standard (Spacing.unit 2) (Extent.plane 1 width) row).Data

                let close (found: float32[]) (wanted: float list) =
                    for value, wanted in List.zip (List.ofArray found) wanted do
                        Expect.isLessThan (abs (float value - wanted)) 1e-5 $"%A{found}"

                close
                    (resized 9)
                    [
                        0.0
                        0.300074
                        1.346168
                        3.344515
                        6.313467
                        9.95035
                        14.521338
                        21.088457
                        25.0
                    ]

                close (resized 4) [ 0.109026; 3.040374; 10.441826; 23.372772 ]
            }

            test "the same size keeps the values" {
                let same = Resample.image Resampling.standard coarse extent image
                Expect.isTrue (Object.ReferenceEquals(same.Data, image.Data)) "image"
                Expect.equal same.Spacing coarse "spacing"
                Expect.equal (Resample.labels Resampling.standard coarse extent labels).Data labels.Data "labels"
            }

            test "a constant stays, and channels are worked on by themselves" {
                let constant = Array.create extent.Count 3.5f
                let two = Image.create 2 extent (Array.append constant image.Data)
                let result = Resample.image Resampling.standard even size two
                Expect.all result.Data[.. size.Count - 1] ((=) 3.5f) "constant"
                near "cubic" result.Data[size.Count ..]
            }

            test "sizes round halves to even" {
                let at (mm: float) =
                    Resample.size (Extent.plane 5 7) (Spacing.unit 2) (Spacing.ofList [ mm; mm ])

                Expect.equal (at 2.0) (Extent.plane 2 4) "2.5 and 3.5"
            }

            test "which axis is resampled by itself" {
                let axis (options: Resampling) (current: float list) (target: float list) =
                    Resample.separateAxis options (Spacing.ofList current) (Spacing.ofList target)

                let standard = Resampling.standard
                Expect.equal (axis standard [ 4.0; 1.0; 1.0 ] [ 1.0; 1.0; 1.0 ]) (Some 0) "coarse before"
                Expect.equal (axis standard [ 1.0; 1.0; 1.0 ] [ 1.0; 1.0; 5.0 ]) (Some 2) "coarse after"
                Expect.equal (axis standard [ 3.0; 1.0; 1.0 ] [ 1.0; 1.0; 1.0 ]) None "three times is not more"
                Expect.equal (axis standard [ 4.0; 4.0; 1.0 ] [ 1.0; 1.0; 1.0 ]) None "two axes"
                let never = { standard with SeparateZ = Some false }
                Expect.equal (axis never [ 4.0; 1.0; 1.0 ] [ 1.0; 1.0; 1.0 ]) None "forbidden"
            }

            test "sizes of another rank are refused" {
                Expect.throwsT<ArgumentException>
                    (fun () -> Resample.image Resampling.standard even (Extent.plane 3 3) image |> ignore)
                    "rank"
            }
        ]
