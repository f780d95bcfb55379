module SkeletonRecall.Tests.PythonModelTests

open System
open System.IO
open System.IO.Compression
open Expecto
open TorchSharp
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Tests.TorchFiles

let private npy (path: string) : int list * float32[] =
    match Npy.decode (File.ReadAllBytes path) with
    | Ok {
             Shape = shape
             Values = Float32s values
         } -> shape, values
    | Ok {
             Shape = shape
             Values = UInt8s values
         } -> shape, Array.map float32 values
    | Ok array -> failtest $"%s{path}: %A{array.Shape}"
    | Error reason -> failtest $"%s{path}: %s{reason}"

let private golden (model: string) : string = Golden.file $"nnunet/%s{model}"

let private copyTo (folder: string) (model: string) : string =
    let target = Path.Combine(folder, "nnUNetTrainer__nnUNetPlans__x")
    Directory.CreateDirectory(Path.Combine(target, "fold_0")) |> ignore

    for name in [ "plans.json"; "dataset.json"; "fold_0/checkpoint_final.pth" ] do
        File.Copy(Path.Combine(golden model, name), Path.Combine(target, name))

    target

let private change (path: string) (from: string) (into: string) : unit =
    let text = File.ReadAllText path
    Expect.stringContains text from "what is changed is there"
    File.WriteAllText(path, text.Replace(from, into))

let private refused (model: string) (parts: string list) : unit =
    match ModelFile.load model with
    | Ok _ -> failtest $"accepted: %A{parts}"
    | Error problem ->
        let message = Problem.message problem
        Expect.isFalse (message.Contains '\n') message

        for part in parts do
            Expect.stringContains message part part

let private largest (left: float32[]) (right: float32[]) : float =
    Expect.equal left.Length right.Length "numbers"
    Array.fold2 (fun most (a: float32) (b: float32) -> max most (abs (float a - float b))) 0.0 left right

// The shared files of one folder, by their endings.
let private outputsEqual (name: string) : unit =
    let folder = Golden.sharedPath [ "data"; "expected"; "nnunet_checkpoint"; name ]
    use _scope = Toy.scope ()
    let checkpoint = ModelFile.load folder |> Problem.orThrow
    let network = Checkpoint.network checkpoint |> Problem.orThrow
    let shape, values = npy (Path.Combine(folder, "input.npy"))
    use _off = torch.no_grad ()
    let heads = network.Forward(Tensors.ofArray (List.map int64 shape) values)
    let files = Directory.GetFiles(folder, "output_ds*.npy") |> Array.sort
    Expect.equal heads.Length files.Length "heads"

    for head, file in List.zip heads (List.ofArray files) do
        let shape, expected = npy file
        Expect.equal (head.shape |> Array.map int |> List.ofArray) shape file
        Expect.isLessThan (largest (Tensors.toArray<float32> head) expected) 1e-4 file

[<Tests>]
let outputs =
    testSequenced
    <| testList
        "PythonModel, networks"
        [
            for name in [ "plain2d"; "plain3d_aniso"; "resenc3d" ] do
                test $"%s{name} says what it said in Python" { outputsEqual name }

            test "names and shapes of parameters are those of the network" {
                use _scope = Toy.scope ()

                for architecture in
                    [
                        Toy.architecture [ 2; 3; 4 ] 2 2
                        { Toy.architecture [ 2; 2; 4 ] 3 1 with
                            Blocks = Residual
                            ConvsPerStage = [ 1; 2; 3 ]
                            Strides = [ [ 1; 1; 1 ]; [ 1; 2; 2 ]; [ 1; 1; 1 ] ]
                        }
                    ] do
                    let network = Network.create architecture 3 5 (Seed.ofInt 1)

                    let expected =
                        Network.weights network |> List.map (fun array -> array.Name, array.Shape)

                    let shapes = ParameterShapes.ofArchitecture architecture 3 5 |> List.ofSeq
                    Expect.equal (List.sort shapes) (List.sort expected) "parameters"

                let absurd =
                    { Toy.architecture [ 2; 3 ] 2 1 with
                        ConvsPerStage = [ Int32.MaxValue; 1 ]
                    }

                Expect.equal
                    (ParameterShapes.ofArchitecture absurd 1 2 |> Seq.head |> fst)
                    "encoder.stages.0.0.convs.0.conv.weight"
                    "an absurd network costs nothing"
            }
        ]

let private predicted (checkpoint: Checkpoint) (folder: string) : unit =
    let shape, values = npy (Path.Combine(folder, "image.npy"))
    let image = Image.create 1 (Extent.ofShape shape) values
    let network = Checkpoint.network checkpoint |> Problem.orThrow

    let options =
        { Inference.standard with
            MirrorAxes = checkpoint.MirrorAxes
        }

    let result =
        Prediction.case options true checkpoint (Inference.reusing network) (CaseId.ofString "golden") image
        |> Problem.orThrow

    let _, probabilities = npy (Path.Combine(folder, "probabilities.npy"))
    let _, labels = npy (Path.Combine(folder, "labels.npy"))
    Expect.isLessThan (largest result.Probabilities.Value probabilities) 1e-4 "probabilities"
    Expect.equal (result.Labels.Data |> Array.map float32) labels "labels"

[<Tests>]
let predictions =
    testSequenced
    <| testList
        "PythonModel, predictions"
        [
            for model in [ "plane"; "space" ] do
                test $"%s{model}: a whole image, tiled and mirrored, as numpy's steps make it of the logits" {
                    use _scope = Toy.scope ()
                    let checkpoint = ModelFile.load (golden model) |> Problem.orThrow
                    predicted checkpoint (golden model)
                    Expect.equal checkpoint.Dataset.Name "Dataset901_Golden" "named by its plans"
                }

            test "what files say beside the weights" {
                let plane = ModelFile.load (golden "plane") |> Problem.orThrow
                let space = ModelFile.load (golden "space") |> Problem.orThrow

                Expect.equal
                    (plane.ConfigurationName, plane.MirrorAxes, plane.Epoch, plane.Options.Epochs)
                    ("2d", [ 0; 1 ], 2, 2)
                    "plane"

                Expect.equal plane.Options.Objective Objective.skeletonRecall "the trainer's objective"
                Expect.equal (space.MirrorAxes, space.Transpose) ([ 0; 2 ], [ 1; 0; 2 ]) "space"
                Expect.isFalse (Objective.needsSkeleton space.Options.Objective) "a trainer of another name"
            }

            test "the same out of a zip archive, imported, exported and imported again" {
                use _scope = Toy.scope ()

                Toy.inFolder (fun folder ->
                    let model = copyTo (Path.Combine(folder, "Dataset901_Golden")) "space"
                    let archive = Path.Combine(folder, "model.zip")

                    ZipFile.CreateFromDirectory(
                        Path.GetDirectoryName model |> string,
                        archive,
                        CompressionLevel.Optimal,
                        true
                    )

                    let paths = ModelFolder.checkpoints archive "final" None |> Problem.orThrow
                    Expect.equal paths.Length 1 "one fold"
                    Expect.stringStarts paths.Head archive "a path into the archive"
                    let zipped = ModelFile.load archive |> Problem.orThrow
                    let loose = ModelFile.load model |> Problem.orThrow
                    Expect.equal zipped.Weights loose.Weights "weights"

                    let names = ModelExchange.origin paths.Head

                    Expect.equal
                        names
                        {
                            Trainer = "nnUNetTrainer"
                            Plans = "nnUNetPlans"
                        }
                        "names"

                    let roots = Store.rootsIn (Path.Combine(folder, "root"))

                    let imported =
                        ModelExchange.import roots "nnUNetTrainer" "nnUNetPlans" "final" paths
                        |> Problem.orThrow
                        |> List.map _.File

                    Expect.stringContains
                        imported.Head
                        (Path.Combine(
                            "results",
                            "Dataset901_Golden",
                            "nnUNetTrainer__nnUNetPlans__3d_fullres",
                            "fold_0"
                        ))
                        "place"

                    Expect.isError
                        (ModelExchange.import roots "nnUNetTrainer" "nnUNetPlans" "final" paths)
                        "never written over"

                    let out = Path.Combine(folder, "out")
                    let exported = ModelExchange.export out "final" imported |> Problem.orThrow
                    let tensors = (Safetensors.readFile exported.Head |> Problem.orThrow).Tensors
                    Expect.contains (tensors |> List.map _.Name) "encoder.stages.1.blocks.0.skip.1.conv.weight" "names"
                    let again = ModelFile.load out |> Problem.orThrow
                    Expect.equal (again.Weights, again.Configuration) (loose.Weights, loose.Configuration) "round trip"
                    predicted again (golden "space")
                    let plans = Store.file out "plans.json"
                    Expect.isOk (File.ReadAllText plans |> Plans.parse plans) "plans beside it"
                    Expect.isOk (Store.readDataset out) "data set beside it")
            }

            test "old plans, without an architecture by name, are read" {
                Toy.inFolder (fun folder ->
                    let model = copyTo folder "plane"
                    let plans = Path.Combine(model, "plans.json")
                    let text = File.ReadAllText plans
                    let first = text.IndexOf("\"architecture\"", StringComparison.Ordinal)
                    let last = text.IndexOf("\"batch_dice\"", StringComparison.Ordinal)

                    let old =
                        """"UNet_class_name": "PlainConvUNet", "UNet_base_num_features": 4, "unet_max_num_features": 8,
                           "n_conv_per_stage_encoder": [1, 1], "n_conv_per_stage_decoder": [1],
                           "conv_kernel_sizes": [[3, 3], [3, 3]], "pool_op_kernel_sizes": [[1, 1], [2, 2]], """

                    File.WriteAllText(plans, text.Substring(0, first) + old + text.Substring last)
                    // Its features are 4, 6 and 8: what old plans can say of a network is another one.
                    refused model [ "checkpoint_final.pth, parameter "; "as its plans say" ])
            }
        ]

[<Tests>]
let bad =
    testList
        "PythonModel, bad input"
        [
            test "weights that do not fit the plans are told by the tensor's name" {
                Toy.inFolder (fun folder ->
                    let model = copyTo folder "plane"
                    let plans = Path.Combine(model, "plans.json")

                    change
                        plans
                        "\"features_per_stage\": [\n      4,\n      6,"
                        "\"features_per_stage\": [\n      4,\n      7,"

                    refused
                        model
                        [
                            "parameter encoder.stages.1.0.convs.0.conv.weight"
                            "got 6 x 4 x 3 x 3; wanted 7 x 4 x 3 x 3"
                        ])

                Toy.inFolder (fun folder ->
                    let model = copyTo folder "plane"
                    change (Path.Combine(model, "dataset.json")) ",\n  \"nerve\": 2" ""
                    refused model [ "decoder.seg_layers.0.weight"; "got 3 x 6 x 1 x 1; wanted 2 x 6 x 1 x 1" ])

                // More stages than the plans know.
                Toy.inFolder (fun folder ->
                    let model = copyTo folder "space"
                    change (Path.Combine(model, "plans.json")) "ResidualEncoderUNet" "PlainConvUNet"
                    change (Path.Combine(model, "plans.json")) "n_blocks_per_stage" "n_conv_per_stage"
                    refused model [ "encoder.stages.0.0.convs.0.conv.weight"; "no such parameter" ])
            }

            test "architectures and configurations that we do not have are told by name" {
                for from, into, part in
                    [
                        "architectures.unet.PlainConvUNet", "architectures.primus.PrimusM", "PrimusM"
                        "instancenorm.InstanceNorm2d", "batchnorm.BatchNorm2d", "BatchNorm2d"
                        "\"2d\": {", "\"3d_cascade\": {", "2d"
                    ] do
                    Toy.inFolder (fun folder ->
                        let model = copyTo folder "plane"
                        change (Path.Combine(model, "plans.json")) from into
                        refused model [ part ])
            }

            test "the second stage of a cascade has a channel for each label of the first" {
                Toy.inFolder (fun folder ->
                    let model = copyTo folder "plane"

                    change
                        (Path.Combine(model, "plans.json"))
                        "\"patch_size\""
                        "\"previous_stage\": \"3d_lowres\", \"patch_size\""

                    refused model [ "encoder.stages.0.0.convs.0.conv.weight" ])
            }

            test "an import whose plans name a folder outside writes nothing" {
                Toy.inFolder (fun folder ->
                    let model = copyTo (Path.Combine(folder, "theirs")) "plane"
                    change (Path.Combine(model, "plans.json")) "Dataset901_Golden" "../../evil"

                    let before =
                        Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories)

                    let roots = Store.rootsIn (Path.Combine(folder, "root"))

                    match ModelExchange.import roots "nnUNetTrainer" "nnUNetPlans" "final" [ model ] with
                    | Ok written -> failtest $"%A{written}"
                    | Error problem -> Expect.stringContains (Problem.message problem) "the name '../../evil'" "name"

                    Expect.equal
                        (Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories))
                        before
                        "nothing written")
            }

            test "what is missing is told" {
                Toy.inFolder (fun folder ->
                    let model = copyTo folder "plane"
                    File.Delete(Path.Combine(model, "plans.json"))
                    refused model [ "plans.json"; "wanted beside its folds" ]

                    let text (kind: string) (folds: string list option) (path: string) =
                        match ModelFolder.checkpoints path kind folds with
                        | Ok found -> failtest $"%A{found}"
                        | Error problem -> Problem.message problem

                    Expect.stringContains (text "best" None model) "there is checkpoint_final" "another kind"

                    Expect.stringContains
                        (text "final" (Some [ "0"; "3" ]) model)
                        "fold_3/checkpoint_final: not found; the folds that have one are 0"
                        "another fold"

                    Expect.stringContains (text "final" None (model + "x")) "a model is wanted" "no such folder"
                    let other = Path.Combine(folder, "nnUNetTrainer__nnUNetPlans__y", "fold_all")
                    Directory.CreateDirectory other |> ignore
                    File.WriteAllText(Path.Combine(other, "checkpoint_final.pth"), "")
                    Expect.stringContains (text "final" None folder) "2 models" "several"
                    let archive = Path.Combine(folder, "model.zip")

                    File.WriteAllBytes(
                        archive,
                        zip CompressionLevel.Optimal [ "../fold_0/checkpoint_final.pth", [||] ]
                    )

                    Expect.stringContains (text "final" None archive) "leads out" "a hostile archive")
            }
        ]
