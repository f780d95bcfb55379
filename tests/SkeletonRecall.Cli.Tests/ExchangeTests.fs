module SkeletonRecall.Cli.Tests.ExchangeTests

open System.IO
open System.IO.Compression
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private golden =
    Path.GetFullPath(Path.Combine(__SOURCE_DIRECTORY__, "..", "golden", "nnunet", "plane"))

// A model's folder as Python's nnU-Net leaves it, and a folder with an image for it.
let private model (root: string) : string * string =
    let folder =
        Path.Combine(root, "theirs", "Dataset901_Golden", "nnUNetTrainerSkeletonRecall__nnUNetPlans__2d")

    Directory.CreateDirectory(Path.Combine(folder, "fold_0")) |> ignore

    for name in [ "plans.json"; "dataset.json"; "fold_0/checkpoint_final.pth" ] do
        File.Copy(Path.Combine(golden, name), Path.Combine(folder, name))

    let extent = Extent.plane 40 37

    let values =
        Array.init extent.Count (fun index -> float32 (20 + index * 7919 % 211))

    let images = Path.Combine(root, "images")
    Directory.CreateDirectory images |> ignore

    Reader.writeImage (Path.Combine(images, "one_0000.png")) (Image.create 1 extent values)
    |> Problem.orThrow

    folder, images

[<Tests>]
let tests =
    testSequenced
    <| testList
        "Models of Python's nnU-Net"
        [
            test "predicted from the folder, the fold, a zip archive, an import and an export: the same labels" {
                Commands.inFolder (fun root ->
                    let folder, images = model root
                    let zip = Path.Combine(root, "model.zip")
                    ZipFile.CreateFromDirectory(Path.Combine(root, "theirs"), zip)

                    let predict (name: string) (arguments: string list) : byte[] =
                        let output = Path.Combine(root, name)

                        Commands.succeeded ([ "predict"; "-i"; images; "-o"; output ] @ arguments)
                        |> ignore

                        File.ReadAllBytes(Path.Combine(output, "one.png"))

                    let labels = predict "a" [ "-m"; folder ]

                    let found, _ = Reader.mask (Path.Combine(root, "a", "one.png")) |> Problem.orThrow

                    Expect.isGreaterThan (found.Data |> Array.distinct |> Array.length) 1 "something is found"
                    Expect.equal (predict "b" [ "-m"; zip; "-f"; "0"; "-chk"; "checkpoint_final.pth" ]) labels "zip"
                    Expect.equal (predict "c" [ "-m"; Path.Combine(folder, "fold_0") ]) labels "fold"

                    let file = Path.Combine(folder, "fold_0", "checkpoint_final.pth")
                    Expect.equal (predict "d" [ "-m"; file ]) labels "file"
                    let place = [ "--root"; Path.Combine(root, "ours") ]
                    let told = Commands.succeeded ([ "import"; zip ] @ place)
                    Expect.stringContains told.Output "-d Dataset901_Golden -c 2d" "how to go on"

                    Expect.equal
                        (predict "e" ([ "-d"; "901"; "-tr"; "nnUNetTrainerSkeletonRecall" ] @ place))
                        labels
                        "import"

                    Commands.failed 1 ([ "import"; zip ] @ place) [ "checkpoint_final.safetensors"; "remove it" ]
                    let out = Path.Combine(root, "out")
                    Commands.succeeded [ "export"; folder; out ] |> ignore
                    Expect.isTrue (File.Exists(Path.Combine(out, "plans.json"))) "plans"
                    Expect.isTrue (File.Exists(Path.Combine(out, "dataset.json"))) "data set"
                    Expect.equal (predict "f" [ "-m"; out ]) labels "export"
                    Expect.notEqual (predict "g" [ "-m"; out; "--disable_tta" ]) [||] "without mirroring")
            }

            test "predict says in one line what is wrong with a model" {
                Commands.inFolder (fun root ->
                    let folder, images = model root

                    let failed (model: string) (parts: string list) =
                        Commands.failed 1 [ "predict"; "-i"; images; "-o"; Path.Combine(root, "x"); "-m"; model ] parts

                    failed (Path.Combine(root, "nowhere")) [ "nowhere"; "a model is wanted" ]
                    failed images [ "fold_0"; "a trained fold is wanted" ]
                    File.WriteAllText(Path.Combine(folder, "plans.json"), "{")
                    failed folder [ "plans.json"; "not valid JSON" ]
                    let file = Path.Combine(folder, "fold_0", "checkpoint_final.pth")
                    File.WriteAllBytes(file, Array.truncate 5000 (File.ReadAllBytes file))
                    File.Copy(Path.Combine(golden, "plans.json"), Path.Combine(folder, "plans.json"), true)
                    failed folder [ "checkpoint_final.pth"; "truncated" ]
                    Expect.isFalse (Directory.Exists(Path.Combine(root, "x"))) "nothing written")
            }

            test "training begins with weights out of a .pth file" {
                Commands.inFolder (fun root ->
                    ToyData.write (Extent.plane 64 64) 5 1 root |> ignore
                    let weights = Path.Combine(golden, "fold_0", "checkpoint_final.pth")

                    // Another network: the first parameter that does not fit is named.
                    Commands.failed
                        1
                        [
                            "train"
                            "1"
                            "2d"
                            "0"
                            "--root"
                            root
                            "-pretrained_weights"
                            weights
                            "--base-features"
                            "4"
                            "--epochs"
                            "1"
                            "--iterations"
                            "1"
                        ]
                        [ "checkpoint_final.pth, parameter encoder.stages." ])
            }
        ]
