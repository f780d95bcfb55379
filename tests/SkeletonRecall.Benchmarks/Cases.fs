namespace SkeletonRecall.Benchmarks

open System
open System.Threading.Tasks
open SkeletonRecall
open SkeletonRecall.Training

/// Whom a case is measured against.
type Rival =
    /// An operation of theirs.py on these arrays, or the plain way where there is no Python for it.
    | Reference of operation: string * inputs: NpyArray list * plain: Work<NpyArray>
    /// Our own code, run in another way, which the text names.
    | Ourselves of way: string * work: Work<NpyArray>

/// One row of the table.
type Comparison =
    {
        Name: string
        Ours: Work<NpyArray>
        Rival: Rival
    }

/// What is measured.
[<RequireQualifiedAccess>]
module Cases =

    let private vector (values: NpyValues) (length: int) : NpyArray = { Shape = [ length ]; Values = values }

    let private ofLabels (labels: LabelMap) : NpyArray =
        {
            Shape = labels.Extent.Shape
            Values = Int16s labels.Data
        }

    let private ofMask (mask: Mask) : NpyArray =
        {
            Shape = mask.Extent.Shape
            Values = UInt8s (Mask.toVolume mask).Data
        }

    let private asBooleans (mask: Mask) : NpyArray =
        {
            Shape = mask.Extent.Shape
            Values = Bools(Array.map (fun cell -> cell <> 0uy) (Mask.toVolume mask).Data)
        }

    let private ofBetti (betti: Betti) : NpyArray =
        vector (Int64s [| int64 betti.B0; int64 betti.B1; int64 betti.B2 |]) 3

    let private cube (side: int) : Extent = Extent.space side side side

    // From label map to label map: into memory that is kept, as theirs keeps its own, or into a new one each time.
    let private tubedBy (work: LabelMap -> Work<NpyArray>) (name: string) (tubes: Tubes) (extent: Extent) : Comparison =
        let labels = Masks.labels tubes 1 extent

        {
            Name = name
            Ours = work labels
            Rival =
                Reference(
                    "tubed",
                    [ ofLabels labels ],
                    fun () ->
                        let tube = Plain.tubed labels
                        fun () -> ofLabels (Volume.create extent tube)
                )
        }

    let private tubed (name: string) (tubes: Tubes) (extent: Extent) : Comparison =
        let kept = Volume.create extent (Array.zeroCreate<int16> extent.Count)

        let work (labels: LabelMap) : Work<NpyArray> =
            fun () ->
                Tube.ofLabelsInto Tube.standard extent labels.Spacing (ReadOnlySpan labels.Data) (Span kept.Data)
                fun () -> ofLabels kept

        tubedBy work name tubes extent

    let private tubedAnew (name: string) (tubes: Tubes) (extent: Extent) : Comparison =
        let work (labels: LabelMap) : Work<NpyArray> =
            fun () ->
                let tube = Tube.ofLabels Tube.standard labels
                fun () -> ofLabels tube

        tubedBy work (name + ", new") tubes extent

    // From mask to mask, ours of bits.
    let private thinning (name: string) (tubes: Tubes) (extent: Extent) : Comparison =
        let mask = Tube.binarize (Masks.labels tubes 1 extent)

        {
            Name = name
            Ours =
                fun () ->
                    let skeleton = Skeleton.thin mask
                    fun () -> ofMask skeleton
            Rival =
                Reference(
                    "thinning",
                    [ asBooleans mask ],
                    fun () ->
                        let skeleton = Plain.thin mask
                        fun () -> ofMask skeleton
                )
        }

    let private dilations () : Comparison =
        let mask = Tube.binarize (Masks.labels Masks.thinVolume 1 (cube 128))

        let labels =
            Tube.assignClasses (Volume.create (cube 128) (Array.create mask.Extent.Count 1s)) mask

        let bytes = (Mask.toVolume mask).Data

        {
            Name = "two cross dilations 128^3 thin"
            Ours =
                fun () ->
                    let grown = Morphology.dilate Element.Cross 2 mask
                    fun () -> ofMask grown
            Rival =
                Reference(
                    "dilations",
                    [ ofLabels labels ],
                    fun () ->
                        let grown = bytes |> Plain.dilate mask.Extent |> Plain.dilate mask.Extent

                        fun () ->
                            {
                                Shape = mask.Extent.Shape
                                Values = UInt8s grown
                            }
                )
        }

    let private betti () : Comparison =
        let mask = Tube.binarize (Masks.labels Masks.thinVolume 1 (cube 128))

        {
            Name = "Betti numbers 128^3 thin"
            Ours =
                fun () ->
                    let betti = Topology.betti (ConnectivityPair.standard 3) mask
                    fun () -> ofBetti betti
            Rival =
                Reference(
                    "betti",
                    [ asBooleans mask ],
                    fun () ->
                        let betti = Plain.betti mask
                        fun () -> ofBetti betti
                )
        }

    let private bettiByPersistence () : Comparison =
        let mask = Tube.binarize (Masks.labels Masks.thinVolume 1 (cube 128))

        { betti () with
            Name = "Betti numbers 128^3, gudhi"
            Rival =
                Reference(
                    "persistence",
                    [
                        { asBooleans mask with
                            Shape = 1 :: mask.Extent.Shape
                        }
                    ],
                    fun () ->
                        let betti = Plain.betti mask
                        fun () -> ofBetti betti
                )
        }

    let private clDice () : Comparison =
        let labels = Masks.labels Masks.thinVolume 1 (cube 128)
        let truth = Tube.binarize labels

        let prediction =
            Masks.prediction labels (Masks.labels Masks.thinVolume 2 (cube 128))

        let row (values: float[]) : NpyArray = vector (Float64s values) 3

        {
            Name = "clDice of a pair 128^3 thin"
            Ours =
                fun () ->
                    let measured = Centreline.measure prediction truth
                    fun () -> row [| measured.Precision; measured.Sensitivity; measured.ClDice |]
            Rival =
                Reference(
                    "cldice",
                    [ asBooleans prediction; asBooleans truth ],
                    fun () ->
                        let measured = Plain.clDice prediction truth
                        fun () -> row measured
                )
        }

    let private twoThreads () : Comparison =
        let masks =
            [|
                for seed in 1..8 -> Tube.binarize (Masks.labels Masks.fatVolume seed (cube 128))
            |]

        let stack (skeletons: Mask[]) : NpyArray =
            {
                Shape = [ 8; 128; 128; 128 ]
                Values =
                    skeletons
                    |> Array.collect (fun skeleton -> (Mask.toVolume skeleton).Data)
                    |> UInt8s
            }

        let thin (threads: int) : Work<NpyArray> =
            fun () ->
                let skeletons = Array.create masks.Length masks[0]

                Parallel.For(
                    0,
                    masks.Length,
                    ParallelOptions(MaxDegreeOfParallelism = threads),
                    fun at -> skeletons[at] <- Skeleton.thin masks[at]
                )
                |> ignore

                fun () -> stack skeletons

        {
            Name = "8 masks 128^3 fat on 2 threads"
            Ours = thin 2
            Rival = Ourselves("ours, 1 thread", thin 1)
        }

    /// All cases, each made when it is called for; `quick` leaves out the large ones, and gudhi's is left out where a Python
    /// is the reference that lacks it.
    let all (quick: bool) (gudhi: bool) : (unit -> Comparison) list =
        let plane = Extent.plane 1500 1500

        [
            fun () -> tubed "tubed skeleton 128^3 thin" Masks.thinVolume (cube 128)
            fun () -> tubed "tubed skeleton 128^3 fat" Masks.fatVolume (cube 128)
            fun () -> tubedAnew "tubed skeleton 128^3 thin" Masks.thinVolume (cube 128)
            if not quick then
                fun () -> tubed "tubed skeleton 256^3 thin" Masks.thinVolume (cube 256)
                fun () -> tubed "tubed skeleton 512^3 thin" Masks.thinVolume (cube 512)
                fun () -> tubedAnew "tubed skeleton 512^3 thin" Masks.thinVolume (cube 512)
            fun () -> tubed "tubed skeleton 1500^2 thin" Masks.thinPlane plane
            fun () -> tubed "tubed skeleton 1500^2 fat" Masks.fatPlane plane
            fun () -> thinning "thinning 1500^2 thin" Masks.thinPlane plane
            fun () -> thinning "thinning 1500^2 fat" Masks.fatPlane plane
            if not quick then
                fun () -> thinning "thinning 4096^2 fat" Masks.fatPlane (Extent.plane 4096 4096)
            dilations
            betti
            if gudhi && not quick then
                bettiByPersistence
            clDice
            twoThreads
        ]
