module SkeletonRecall.Tests.FirstStageTests

open System
open System.IO
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

// Labels of 0 to 2, and -1 here and there; the first stage says something else.
let private patchOf (extent: Extent) (seed: int) : Patch =
    let rng = Seed.rng (Seed.ofInt seed)
    let image = Array.init extent.Count (fun _ -> float32 (rng.NextDouble()))

    let map () =
        Volume.create extent (Array.init extent.Count (fun _ -> int16 (rng.NextInt 4 - 1)))

    { Patch.create (Image.create 1 extent image) (map ()) with
        FirstStage = Some(map ())
    }

let private second: Configuration =
    { TinyRun.configuration with
        PreviousStage = Some "3d_lowres"
    }

[<Tests>]
let tests =
    testList
        "FirstStage"
        [
            test "each foreground label is a channel behind the image's" {
                let patch = patchOf (Extent.space 3 4 5) 1
                let map = patch.FirstStage.Value
                let attached = FirstStage.attach [ 1s; 2s ] patch
                Expect.equal attached.Image.Channels 3 "channels"
                Expect.isNone attached.FirstStage "used up"

                let wanted =
                    [|
                        yield! patch.Image.Data
                        for label in [ 1s; 2s ] do
                            for value in map.Data do
                                if value = label then 1.0f else 0.0f
                    |]

                Expect.equal attached.Image.Data wanted "one-hot"
                let plain = { patch with FirstStage = None }
                Expect.equal (FirstStage.attach [ 1s ] plain) plain "a patch without one"
            }

            test "regions have the labels that they are made of, and the ignore label has no channel" {
                let dataset =
                    { TinyRun.dataset with
                        Regions =
                            [
                                {
                                    Name = "both"
                                    Labels = [ 1; 2 ]
                                    Paint = 1
                                }
                            ]
                        Ignore = Some 3
                    }

                Expect.equal (FirstStage.labels dataset) [ 1s; 2s ] "labels"
                Expect.equal (FirstStage.inputs TinyRun.configuration dataset) 2 "a first stage"
                Expect.equal (FirstStage.inputs second dataset) 4 "a second stage"
            }

            test "it is moved as labels are" {
                for extent in [ Extent.plane 9 8; Extent.space 5 6 7 ] do
                    let patch = patchOf extent 2
                    // The same patch with the first stage in place of the labels.
                    let asLabels =
                        { patch with
                            Labels = patch.FirstStage.Value
                            FirstStage = None
                        }

                    let size = Extent.ofShape (extent.Shape |> List.map (fun length -> length - 2))

                    for move in
                        [
                            Patch.centreCrop size
                            Spatial.mirror (extent.Shape |> List.map (fun _ -> true))
                            Spatial.resample size (Spatial.inPlane 0.6)
                        ] do
                        let moved = FirstStage.along move patch
                        Expect.isTrue (Volume.equal moved.FirstStage.Value (move asLabels).Labels) "first stage"

                        Expect.isTrue
                            (Volume.equal moved.Labels (move { patch with FirstStage = None }).Labels)
                            "labels"

                        Expect.equal moved.Image (move asLabels).Image "image"
            }

            test "augmentation brings it to the size of the patch, and leaves nothing outside" {
                let final = [ 4; 6; 6 ]
                let size = Extent.ofShape (Augment.initialSize Augment.options final)

                for seed in 1..12 do
                    let patch =
                        Augment.standard Augment.options final (Seed.rng (Seed.ofInt seed)) (patchOf size seed)

                    let map = patch.FirstStage.Value
                    Expect.equal map.Extent (Extent.ofShape final) "size"
                    Expect.isFalse (Array.contains Patch.Outside map.Data) "nothing outside"

                let still = Augment.none final (Seed.rng (Seed.ofInt 1)) (patchOf size 5)
                Expect.equal still.FirstStage.Value.Extent (Extent.ofShape final) "without augmentation"
            }

            test "what a first stage left is read where a patch is cut" {
                Toy.inFolder (fun folder ->
                    let case = Toy.rod 6 12 12
                    let labels = case.Labels.Value
                    let file = Path.Combine(NextStage.folder folder "second", "rod.safetensors")

                    let stored =
                        {
                            Id = case.Id
                            Image =
                                { case.Image with
                                    Channels = 0
                                    Data = [||]
                                }
                            Labels = Some labels
                            Properties =
                                Preprocess.image [ 0; 1; 2 ] TinyRun.configuration case.Id case.Image
                                |> Problem.orThrow
                                |> snd
                            Locations = None
                        }

                    PreprocessedStore.save file "first" stored |> Problem.orThrow
                    let stage = PreprocessedStore.openCase file |> Problem.orThrow

                    let prepared = NextStage.attach stage (Sampler.prepare None case) |> Problem.orThrow

                    let size, origin = Extent.space 4 5 6, [ -1; 3; 8 ]

                    Expect.equal
                        (prepared.FirstStage.Value size origin).Data
                        (Sampler.box size origin prepared).Labels.Data
                        "the same labels here, -1 outside as well"

                    let drawn =
                        Sampler.cut [ 4; 5; 6 ] [ 4; 5; 6 ] false (Seed.rng (Seed.ofInt 2)) prepared

                    Expect.equal drawn.FirstStage.Value.Data drawn.Labels.Data "a patch shows it"

                    match NextStage.attach stage (Sampler.prepare None (Toy.rod 5 12 12)) with
                    | Ok _ -> failtest "another size was taken"
                    | Error problem -> Expect.stringContains (Problem.message problem) file "which file"

                    match NextStage.openCase folder "3d_lowres" "second" (CaseId.ofString "other") with
                    | Ok _ -> failtest "it is not there"
                    | Error problem ->
                        Expect.stringContains (Problem.message problem) "train all folds of 3d_lowres" "the cure")
            }

            test "a second stage is trained, and sees the first" {
                Toy.inFolder (fun folder ->
                    Toy.oneThread ()
                    let case = Toy.rod 6 12 12

                    let prepared (map: LabelMap) =
                        { Sampler.prepare None case with
                            FirstStage = Some(fun size origin -> (Patch.cut size origin case.Image map).Labels)
                        }

                    let setup =
                        { TrainSetup.create (TinyRun.options 2) second TinyRun.dataset with
                            Name = "3d_cascade_fullres"
                        }

                    let train (name: string) (map: LabelMap) =
                        let cases = [| prepared map |]

                        Trainer.train
                            setup
                            (Path.Combine(folder, name))
                            None
                            Threading.CancellationToken.None
                            ignore
                            cases
                            cases
                        |> Problem.orThrow

                    Expect.throwsT<ArgumentException>
                        (fun () ->
                            Trainer.train
                                setup
                                folder
                                None
                                Threading.CancellationToken.None
                                ignore
                                [| Sampler.prepare None case |]
                                [||]
                            |> ignore)
                        "cases without a first stage"

                    let labels = case.Labels.Value
                    let seeing = train "seeing" labels
                    let blind = train "blind" (labels |> Volume.map (fun _ -> 0s))
                    Expect.equal seeing.Weights.Head.Shape[1] 4 "two channels of the image and two labels"
                    Expect.notEqual seeing.Weights blind.Weights "what the first stage says matters"
                    let again = train "again" labels
                    Expect.equal again.Weights seeing.Weights "and is drawn from the seed alone"

                    // It predicts by both stages, and by nothing less.
                    let network = Checkpoint.network seeing |> Problem.orThrow
                    use _module = network.Module
                    let engine = Inference.ofNetwork network

                    match Prediction.case Inference.standard false seeing engine case.Id case.Image with
                    | Ok _ -> failtest "one stage"
                    | Error problem ->
                        Expect.stringContains (Problem.message problem) "-prev_stage_predictions" "the cure"

                    let predict (map: LabelMap) =
                        Prediction.secondStage Inference.standard true seeing engine case.Id (InFile map) case.Image
                        |> Problem.orThrow

                    let known = predict labels
                    Expect.equal known.Labels.Extent case.Image.Extent "the image's grid"

                    Expect.notEqual
                        known.Probabilities
                        (predict (labels |> Volume.map (fun _ -> 0s))).Probabilities
                        "the first stage is looked at"

                    match
                        Prediction.secondStage
                            Inference.standard
                            false
                            seeing
                            engine
                            case.Id
                            (InFile (Toy.rod 5 12 12).Labels.Value)
                            case.Image
                    with
                    | Ok _ -> failtest "another size"
                    | Error problem -> Expect.stringContains (Problem.message problem) "first stage" "what is wrong")
            }
        ]
