namespace SkeletonRecall.Training

open SkeletonRecall

/// What a generated data set shows.
[<RequireQualifiedAccess>]
type SampleKind =
    /// Trees of vessels as in a picture of the retina; grey planes.
    | Vessels
    /// Roads from above; planes in colours.
    | Roads
    /// Cracks in concrete; grey planes.
    | Cracks
    /// Trees of vessels in tissue; volumes.
    | VesselTrees
    /// A canal on either side of a jaw; volumes.
    | Canal
    /// The circle of Willis, 13 classes; volumes.
    | Willis

/// Data sets whose labels are known to the voxel, in planes and volumes.
[<RequireQualifiedAccess>]
module Sample =

    /// The kinds by name.
    let kinds: (string * SampleKind) list =
        [
            "vessels", SampleKind.Vessels
            "roads", SampleKind.Roads
            "cracks", SampleKind.Cracks
            "vessels-3d", SampleKind.VesselTrees
            "canal", SampleKind.Canal
            "willis", SampleKind.Willis
        ]

    let private isVolume (kind: SampleKind) : bool =
        match kind with
        | SampleKind.Vessels
        | SampleKind.Roads
        | SampleKind.Cracks -> false
        | SampleKind.VesselTrees
        | SampleKind.Canal
        | SampleKind.Willis -> true

    /// The side of images that nobody gave a size: 256 pixels or 64 voxels.
    let standardSize (kind: SampleKind) : int = if isVolume kind then 64 else 256

    /// Sides that can be drawn: 48 to 4096 pixels, 32 to 512 voxels.
    let sizes (kind: SampleKind) : int * int =
        if isVolume kind then 32, 512 else 48, 4096

    let private name (kind: SampleKind) : string =
        kinds |> List.find (fun (_, known) -> known = kind) |> fst

    let private channels (kind: SampleKind) : string list =
        match kind with
        | SampleKind.Vessels
        | SampleKind.Cracks -> [ "grey" ]
        | SampleKind.Roads -> [ "R"; "G"; "B" ]
        | SampleKind.Canal -> [ "CT" ]
        | SampleKind.VesselTrees
        | SampleKind.Willis -> [ "MR" ]

    let private classes (kind: SampleKind) : string list =
        match kind with
        | SampleKind.Vessels
        | SampleKind.VesselTrees -> [ "vessel" ]
        | SampleKind.Roads -> [ "road" ]
        | SampleKind.Cracks -> [ "crack" ]
        | SampleKind.Canal -> [ "canal" ]
        | SampleKind.Willis -> PublicDatasets.topCowArteries

    /// One case of this kind, a square or cube of the given side. Labels are exact: a voxel has the label of the tube that
    /// its centre lies in, however faint it is in the image. The same size and seed give the same case.
    /// Throws ArgumentException for a side outside `sizes`.
    let case (kind: SampleKind) (size: int) (seed: Seed) : Case =
        let least, most = sizes kind

        if size < least || size > most then
            invalidArg (nameof size) $"A side of %d{least} to %d{most} is wanted; got %d{size}."

        let named (image: Image, labels: LabelMap) : Case =
            Case.create (CaseId.ofString (name kind)) image (Some labels)

        match kind with
        | SampleKind.Vessels ->
            Synthetic.vessels
                { Synthetic.standard with
                    Extent = Extent.plane size size
                }
                seed
        | SampleKind.Roads -> named (SamplePlanes.roads size seed)
        | SampleKind.Cracks -> named (SamplePlanes.cracks size seed)
        | SampleKind.VesselTrees -> named (SampleVolumes.trees size seed)
        | SampleKind.Canal -> named (SampleVolumes.canal size seed)
        | SampleKind.Willis -> named (SampleVolumes.willis size seed)

    /// Writes a data set in nnU-Net's raw layout into `folder`, which must not hold anything yet and whose name should be
    /// `Dataset<3 digits>_<name>`: imagesTr, labelsTr, imagesTs, labelsTs and dataset.json. Case n, training cases first, is
    /// drawn from child n of the seed, so that more cases leave the first ones as they were. `report` hears the share that
    /// is done. Throws ArgumentException for negative counts, for no training case and for a side outside `sizes`.
    let writeDataset
        (kind: SampleKind)
        (size: int)
        (seed: Seed)
        (training: int)
        (test: int)
        (report: float -> string -> unit)
        (folder: string)
        : Result<Dataset, Problem> =
        if training < 1 || test < 0 then
            invalidArg
                (nameof training)
                $"At least one training case is wanted; got %d{training} and %d{test} to hold out."

        let dataset =
            Dataset.create
                (Store.name folder)
                (channels kind)
                (("background" :: classes kind) |> List.mapi (fun id name -> name, id))
                (if isVolume kind then ".nii.gz" else ".png")
                training

        NewFolder.create folder (fun beside ->
            Problem.attempt {
                for number in 0 .. training + test - 1 do
                    let case =
                        { case kind size (Seed.child number seed) with
                            Id = CaseId.ofString $"%s{name kind}_%03d{number}"
                        }

                    do! Store.writeCase beside (number < training) case
                    report (float (number + 1) / float (training + test)) (CaseId.value case.Id)

                do! Store.writeDataset beside dataset
                return dataset
            })
