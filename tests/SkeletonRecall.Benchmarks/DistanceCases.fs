namespace SkeletonRecall.Benchmarks

open SkeletonRecall
open SkeletonRecall.Training

/// Distances, balls and erosion.
[<RequireQualifiedAccess>]
module DistanceCases =

    let private cube: Extent = Extent.space 128 128 128

    let private booleans (mask: Mask) : NpyArray =
        {
            Shape = mask.Extent.Shape
            Values = Bools(Array.map (fun cell -> cell <> 0uy) (Mask.toVolume mask).Data)
        }

    let private bytes (mask: Mask) : NpyArray =
        {
            Shape = mask.Extent.Shape
            Values = UInt8s (Mask.toVolume mask).Data
        }

    let private floats (values: Volume<float>) : NpyArray =
        {
            Shape = values.Extent.Shape
            Values = Float64s values.Data
        }

    let private distance (name: string) (make: unit -> Mask) () : Comparison =
        let mask = make ()

        {
            Name = name
            Ours =
                fun () ->
                    let far = Distance.toBackground mask
                    fun () -> floats far
            Rival =
                Reference(
                    "distance",
                    [ booleans mask ],
                    fun () ->
                        let far = Plain.distance mask
                        fun () -> floats far
                )
        }

    let private eroded () : Comparison =
        let mask = Tube.binarize (Masks.labels Masks.fatVolume 1 cube)

        {
            Name = "two cross erosions 128^3 fat"
            Ours =
                fun () ->
                    let left = Morphology.erode Element.Cross 2 mask
                    fun () -> bytes left
            Rival =
                Reference(
                    "erosions",
                    [ booleans mask ],
                    fun () ->
                        let background = (Mask.toVolume (Mask.complement mask)).Data
                        let grown = background |> Plain.dilate cube |> Plain.dilate cube

                        fun () ->
                            {
                                Shape = cube.Shape
                                Values = UInt8s(Array.map (fun cell -> 1uy - cell) grown)
                            }
                )
        }

    let private ball () : Comparison =
        let mask = Tube.binarize (Masks.labels Masks.thinVolume 1 cube)

        {
            Name = "ball of 4 mm 128^3 thin"
            Ours =
                fun () ->
                    let grown = Morphology.dilate (Element.Ball 4.0) 1 mask
                    fun () -> bytes grown
            Rival =
                Reference(
                    "ball",
                    [ booleans mask ],
                    fun () ->
                        let far = Plain.distance (Mask.complement mask)

                        fun () ->
                            {
                                Shape = cube.Shape
                                Values = UInt8s(Array.map (fun far -> if far <= 4.0 then 1uy else 0uy) far.Data)
                            }
                )
        }

    // Both pairs in one call, against one call for each.
    let private dualBetti () : Comparison =
        let mask = Tube.binarize (Masks.labels Masks.thinVolume 1 cube)

        let row (both: Betti list) : NpyArray =
            {
                Shape = [ 6 ]
                Values =
                    both
                    |> List.collect (fun betti -> [ int64 betti.B0; int64 betti.B1; int64 betti.B2 ])
                    |> Array.ofList
                    |> Int64s
            }

        {
            Name = "Betti of both pairs 128^3 thin"
            Ours =
                fun () ->
                    let both = Topology.dualBetti mask
                    fun () -> row [ both.ByCorners; both.ByFaces ]
            Rival =
                Ourselves(
                    "ours, a call for each",
                    fun () ->
                        let both =
                            [ Connectivity.TwentySix; Connectivity.Six ]
                            |> List.map (fun foreground -> Topology.betti (ConnectivityPair.dual foreground) mask)

                        fun () -> row both
                )
        }

    /// All cases, each made when it is called for.
    let all: (unit -> Comparison) list =
        let tubes (kind: Tubes) () : Mask =
            Tube.binarize (Masks.labels kind 1 cube)

        [
            distance "distances 128^3 thin" (tubes Masks.thinVolume)
            distance "distances 128^3 fat" (tubes Masks.fatVolume)
            distance "distances to a skeleton 128^3" (tubes Masks.thinVolume >> Skeleton.thin >> Mask.complement)
            eroded
            ball
            dualBetti
        ]
