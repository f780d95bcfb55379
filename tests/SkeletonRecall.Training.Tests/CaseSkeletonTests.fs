module SkeletonRecall.Tests.CaseSkeletonTests

open System
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

let private labelsOf (case: Case) : LabelMap = Expect.wantSome case.Labels "labels"

// The same vessels, those in the right half of another class.
let private twoClasses (labels: LabelMap) : LabelMap =
    Volume.create
        labels.Extent
        (labels.Data
         |> Array.mapi (fun at label ->
             if label > 0s && at % labels.Extent.Width > labels.Extent.Width / 2 then
                 2s
             else
                 label))

let private samples: (string * LabelMap) list =
    [
        "plane", twoClasses (labelsOf (Toy.vessels 61 1))
        "another plane", twoClasses (labelsOf (Toy.vessels 64 2))
        "volume", labelsOf (Toy.rod 9 15 17)
    ]

let private optionsTried: (string * TubeOptions) list =
    [
        "standard", Tube.standard
        "skeleton",
        { Tube.standard with
            Radius = TubeRadius.Steps 0
        }
        "each class",
        { Tube.standard with
            SkeletonOf = SkeletonOf.EachClass
        }
        "ignoring 2", { Tube.standard with Ignore = Some 2s }
    ]

let private whole (options: TubeOptions) (labels: LabelMap) : PatchSkeleton =
    CaseSkeleton.ofLabels options false labels
    |> CaseSkeleton.cut labels.Extent (labels.Extent.Shape |> List.map (fun _ -> 0))

let private patchOf (skeleton: CaseSkeleton option) (size: Extent) (origin: int list) (labels: LabelMap) : Patch =
    let image =
        Image.create 1 labels.Extent (labels.Data |> Array.map (fun label -> 3.0f * float32 label))

    { Patch.cut size origin image labels with
        Skeleton = skeleton |> Option.map (CaseSkeleton.cut size origin)
    }

// The tube that a batch gets of a patch.
let private tubeOf (options: TubeOptions) (patch: Patch) : LabelMap =
    let patch = Augment.removeOutside patch

    let batch =
        Batch.create
            {
                Tube = Some options
                CoarseTube = None
                HeadExtents = [ patch.Image.Extent ]
                Regions = []
                Ignore = None
            }
            [ patch ]

    Volume.create patch.Image.Extent (Expect.wantSome batch.Heads.Head.Skeleton "a skeleton")

let private connectivity (extent: Extent) : Connectivity =
    if extent.Rank = 2 then
        Connectivity.Eight
    else
        Connectivity.TwentySix

let private turns (extent: Extent) : (string * Spatial.Transform) list =
    [
        for factor in [ 0.7; 1.0; 1.4 ] do
            for angle in [ 0.0; 0.4; 1.9 ] do
                let rotation =
                    if extent.Rank = 2 then
                        Spatial.inPlane angle
                    else
                        Spatial.rotation angle (angle / 3.0) (angle / 2.0)

                $"angle %g{angle}, factor %g{factor}", Spatial.scaled factor (extent.Rank = 3) rotation
    ]

[<Tests>]
let tests =
    testList
        "CaseSkeleton"
        [
            for name, labels in samples do
                for kind, options in optionsTried do
                    test $"of a whole case the tube is that of its labels (%s{name}, %s{kind})" {
                        Expect.equal
                            (PatchSkeleton.tube options labels (whole options labels)).Data
                            (Tube.ofLabels options labels).Data
                            "tube"
                    }

                test $"a patch has the case's tube, also at its border (%s{name})" {
                    let skeleton = CaseSkeleton.ofLabels Tube.standard false labels
                    let full = Tube.ofLabels Tube.standard labels
                    let rng = Seed.rng (Seed.ofInt 5)

                    let size =
                        labels.Extent.Shape |> List.map (fun length -> length / 2) |> Extent.ofShape

                    for _ in 1..12 do
                        let origin =
                            labels.Extent.Shape |> List.map (fun length -> rng.NextInt length - length / 4)

                        let wanted = patchOf None size origin full |> Augment.removeOutside

                        Expect.equal
                            (tubeOf Tube.standard (patchOf (Some skeleton) size origin labels)).Data
                            wanted.Labels.Data
                            $"at %A{origin}"
                }

                test $"mirroring the patch mirrors its tube, turned or not (%s{name})" {
                    let skeleton = CaseSkeleton.ofLabels Tube.standard false labels

                    let patch =
                        patchOf (Some skeleton) labels.Extent (labels.Extent.Shape |> List.map (fun _ -> 0)) labels

                    for kind, transform in ("still", Spatial.identity) :: turns labels.Extent do
                        let turned = Spatial.resample labels.Extent transform patch
                        let tube = tubeOf Tube.standard turned

                        for axis in 0 .. labels.Extent.Rank - 1 do
                            let axes = List.init labels.Extent.Rank (fun other -> other = axis)

                            let wanted = Spatial.mirror axes (Patch.create turned.Image tube)

                            Expect.equal
                                (tubeOf Tube.standard (Spatial.mirror axes turned)).Data
                                wanted.Labels.Data
                                $"axis %d{axis}, %s{kind}"
                }

                test $"a turned curve has no gap, and its tube is the label or 0 (%s{name})" {
                    let extent = labels.Extent
                    let curve = whole Tube.standard labels

                    let components =
                        Components.count (connectivity extent) (Skeleton.thin (Tube.binarize labels))

                    // Room for the whole curve, however it is turned.
                    let room =
                        extent.Shape |> List.map (fun _ -> 5 * List.max extent.Shape) |> Extent.ofShape

                    for kind, transform in turns extent do
                        let patch =
                            Spatial.resample
                                extent
                                transform
                                { patchOf None extent (extent.Shape |> List.map (fun _ -> 0)) labels with
                                    Skeleton = Some curve
                                }

                        let turned = Expect.wantSome patch.Skeleton "a skeleton"

                        Expect.isLessThanOrEqual
                            (Components.count (connectivity extent) (Segments.rasterize room turned.Coordinates))
                            components
                            kind

                        let tube = tubeOf Tube.standard patch
                        let known = (Augment.removeOutside patch).Labels.Data

                        Expect.isTrue
                            (Array.forall2 (fun painted label -> painted = 0s || painted = label) tube.Data known)
                            $"%s{kind}: labels"

                        let seen = known |> Array.exists (fun label -> label > 0s)
                        Expect.equal (tube.Data |> Array.exists (fun label -> label > 0s)) seen $"%s{kind}: a tube"
                }

            test "a curve that is turned by a quarter lies where its voxels went" {
                let size = 61
                let labels = labelsOf (Toy.vessels size 1)
                let skeleton = CaseSkeleton.ofLabels Tube.standard false labels
                let patch = patchOf (Some skeleton) labels.Extent [ 0; 0 ] labels
                let turned = Spatial.resample labels.Extent (Spatial.inPlane (Math.PI / 2.0)) patch
                let full = (Tube.ofLabels Tube.standard labels).Data

                let wanted =
                    Array.init full.Length (fun at -> full[(size - 1 - at % size) * size + at / size])

                Expect.equal (tubeOf Tube.standard turned).Data wanted "tube"
            }

            test "slice by slice, a patch has the tube of its slice's plane" {
                let labels = labelsOf (Toy.rod 9 15 17)
                let skeleton = CaseSkeleton.ofLabels Tube.standard true labels
                let plane = Extent.plane 15 17

                for slice in 0..8 do
                    let own =
                        Volume.create plane (Array.sub labels.Data (slice * plane.Count) plane.Count)

                    let image = Image.create 1 labels.Extent (Array.zeroCreate labels.Extent.Count)

                    let patch =
                        { Patch.cut plane [ slice; 0; 0 ] image labels with
                            Skeleton = Some(CaseSkeleton.cut plane [ slice; 0; 0 ] skeleton)
                        }

                    Expect.equal
                        (tubeOf Tube.standard patch).Data
                        (Tube.ofLabels Tube.standard own).Data
                        $"slice %d{slice}"
            }

            test "strands have radii, and rings come back to their first voxel" {
                let extent = Extent.plane 24 24

                let labels =
                    Volume.create
                        extent
                        (Array.init 576 (fun at ->
                            let far = (at / 24 - 12) * (at / 24 - 12) + (at % 24 - 12) * (at % 24 - 12)
                            if far >= 36 && far <= 81 then 4s else 0s))

                let skeleton = CaseSkeleton.ofLabels Tube.standard false labels
                let ring = Array.exactlyOne skeleton.Strands
                Expect.equal ring.Voxels[0] (Array.last ring.Voxels) "closed"
                Expect.equal ring.Class 4s "class"
                Expect.equal ring.Radii.Length ring.Voxels.Length "a radius each"
                Expect.all ring.Radii (fun radius -> radius >= 1.0f && radius <= 3.0f) "of a ring four wide"
            }

            test "slices and volumes are told apart" {
                let labels = labelsOf (Toy.rod 4 5 6)

                let refused (act: unit -> unit) =
                    Expect.throwsT<ArgumentException> act "refused"

                refused (fun () -> CaseSkeleton.ofLabels Tube.standard true (snd samples.Head) |> ignore)

                let volume = CaseSkeleton.ofLabels Tube.standard false labels
                refused (fun () -> CaseSkeleton.cut (Extent.plane 3 3) [ 0; 0; 0 ] volume |> ignore)

                let slices = CaseSkeleton.ofLabels Tube.standard true labels
                refused (fun () -> CaseSkeleton.cut (Extent.space 3 3 3) [ 0; 0; 0 ] slices |> ignore)
                refused (fun () -> CaseSkeleton.cut (Extent.plane 3 3) [ 0; 0 ] slices |> ignore)
            }

            test "names" {
                for source in [ SkeletonSource.Patch; SkeletonSource.Cached ] do
                    Expect.equal (SkeletonSource.tryParse (SkeletonSource.print source)) (Some source) "there and back"

                Expect.isNone (SkeletonSource.tryParse "Patch") "names are lower case"
            }
        ]
