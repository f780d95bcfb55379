namespace SkeletonRecall.Cli

open Argu

/// `skeletonize INPUT OUTPUT`.
type SkeletonizeArguments =
    | [<MainCommand; ExactlyOnce>] Files of INPUT: string * OUTPUT: string
    | Tube_Radius of steps: int
    | Tube_Ball of mm: float
    | Per_Class
    | Ignore of label: int
    | Guard
    | Prune of mm: float
    | Method of name: string
    | Spacing of mm: string
    | Graph

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Files _ -> "label map to read and file to write: .png, .tif, .nii.gz, .nrrd, .mha, .npy, .npz."
            | Tube_Radius _ ->
                "steps by which the skeleton is thickened, 0 to 16; 0 gives the bare skeleton (default: 2)."
            | Tube_Ball _ -> "radius in mm of a ball by which the skeleton is thickened, in place of --tube-radius."
            | Per_Class -> "make a skeleton of each class by itself (default: of all classes merged)."
            | Ignore _ -> "a label that is neither skeletonized nor painted (default: none)."
            | Guard -> "keep a skeleton of every object, also of those that thinning would erase."
            | Prune _ -> "remove spurs of the skeleton shorter than this (default: 0, none)."
            | Method _ -> "thinning: zhang (planes) or lee (planes and volumes) (default: zhang in 2D, lee in 3D)."
            | Spacing _ ->
                "distance of voxel centres, slowest axis first, as 2x0.5x0.5 (default: the file's, or 1 along each axis)."
            | Graph ->
                "write the skeleton also as a graph beside OUTPUT: .nodes.csv, .branches.csv and .graph.json in place of its ending."
