namespace SkeletonRecall

/// Which classes count in the mean over classes.
[<RequireQualifiedAccess>]
type Averaging =
    /// Those that the prediction or the truth holds.
    | Present
    /// Those that the truth holds.
    | InTruth
    /// All.
    | All

/// What measures are where they would divide nothing by nothing; NaN means that the case is left out of means.
type EdgeCases =
    {
        /// Dice of two empty masks.
        DiceOfNothing: float
        /// IoU, precision, recall and volume difference where both masks are empty.
        OverlapOfNothing: float
        /// Precision of an empty prediction, recall of an empty truth, volume difference to an empty truth, where the
        /// other mask is not empty.
        OverlapOfOne: float
        /// clDice and its two parts where both masks are empty.
        CentrelineOfNothing: float
        /// clDice and its two parts where exactly one mask is empty; None leaves it to `EmptySkeleton`.
        CentrelineOfOne: float option
        /// Topology precision or sensitivity whose skeleton is empty, although thinning may have erased a mask that is
        /// not; clDice is then their harmonic mean.
        EmptySkeleton: float
        /// clDice where precision and sensitivity are both 0.
        CentrelineApart: float
        /// Surface distances in mm where both masks are empty.
        DistanceOfNothing: float
        /// Surface distances in mm where exactly one mask is empty; None is the image's diagonal, which no distance
        /// exceeds.
        DistanceOfOne: float option
        /// Normalized surface Dice of two empty masks.
        SurfaceDiceOfNothing: float
        /// Normalized surface Dice where exactly one mask is empty.
        SurfaceDiceOfOne: float
    }

/// A whole convention: everything that must be said before a measure is a number.
type Profile =
    {
        /// The name, as in "paper".
        Name: string
        /// Foreground and background connectivity in planes.
        Plane: ConnectivityPair
        /// Foreground and background connectivity in volumes.
        Space: ConnectivityPair
        /// Side of the square or cubic windows, in voxels, over which Betti and Euler errors and Betti matching are averaged; None for the
        /// whole image. Windows stand side by side from the first voxel on; those at the far border may be smaller.
        Window: int option
        /// How surfaces are compared.
        Surface: SurfaceOptions
        /// What measures are for empty masks.
        Edges: EdgeCases
        /// Which classes count in the mean.
        Averaging: Averaging
    }

/// Conventions by name.
[<RequireQualifiedAccess>]
module Profile =

    /// The paper's and nnU-Net's: 8/4 and 26/6 on the whole image. What neither mask holds is left out of means; every
    /// ratio is 0, and every distance the image's diagonal, where one mask alone is empty, so that nothing found is never
    /// better than something found. Surfaces are MetricsReloaded's.
    let paper: Profile =
        {
            Name = "paper"
            Plane = ConnectivityPair.standard 2
            Space = ConnectivityPair.standard 3
            Window = None
            Surface =
                {
                    Border = Border.Erosion
                    Percentile = Percentile.Linear
                    Direction = Direction.Greater
                    Tolerance = 1.0
                }
            Edges =
                {
                    DiceOfNothing = nan
                    OverlapOfNothing = nan
                    OverlapOfOne = 0.0
                    CentrelineOfNothing = nan
                    CentrelineOfOne = Some 0.0
                    EmptySkeleton = nan
                    CentrelineApart = 0.0
                    DistanceOfNothing = nan
                    DistanceOfOne = None
                    SurfaceDiceOfNothing = nan
                    SurfaceDiceOfOne = 0.0
                }
            Averaging = Averaging.Present
        }

    /// TopCoW 2024's (CoWBenchmark/TopCoW_Eval_Metrics): 26/6; nothing counts 0, an empty skeleton
    /// too; surfaces are contours, and a class that one side lacks is 90 mm away.
    let topcow: Profile =
        { paper with
            Name = "topcow"
            Surface =
                { paper.Surface with
                    Border = Border.Contour
                }
            Edges =
                {
                    DiceOfNothing = 0.0
                    OverlapOfNothing = 0.0
                    OverlapOfOne = 0.0
                    CentrelineOfNothing = 0.0
                    CentrelineOfOne = None
                    EmptySkeleton = 0.0
                    CentrelineApart = 0.0
                    DistanceOfNothing = 90.0
                    DistanceOfOne = Some 90.0
                    SurfaceDiceOfNothing = 0.0
                    SurfaceDiceOfOne = 0.0
                }
        }

    /// TopBrain 2025's (CoWBenchmark/TopBrain_Eval_Metrics): TopCoW's, with 290 mm for a class that one side lacks.
    let topbrain: Profile =
        { topcow with
            Name = "topbrain"
            Edges =
                { topcow.Edges with
                    DistanceOfNothing = 290.0
                    DistanceOfOne = Some 290.0
                }
        }

    /// ToothFairy's (AImageLab-zip/ToothFairy, evaluation.py): 26/6; an empty skeleton counts 1; the
    /// percentile is of the distances of both contours together.
    let toothfairy: Profile =
        { paper with
            Name = "toothfairy"
            Surface =
                { paper.Surface with
                    Border = Border.InnerContour
                    Direction = Direction.Together
                }
            Edges =
                {
                    DiceOfNothing = nan
                    OverlapOfNothing = nan
                    OverlapOfOne = 0.0
                    CentrelineOfNothing = 1.0
                    CentrelineOfOne = None
                    EmptySkeleton = 1.0
                    CentrelineApart = 0.0
                    DistanceOfNothing = nan
                    DistanceOfOne = Some infinity
                    SurfaceDiceOfNothing = nan
                    SurfaceDiceOfOne = 0.0
                }
            Averaging = Averaging.InTruth
        }

    /// MetricsReloaded's (Project-MONAI/MetricsReloaded): Dice of two empty masks is 1, what is undefined is NaN.
    let metricsReloaded: Profile =
        { paper with
            Name = "metrics-reloaded"
            Edges =
                {
                    DiceOfNothing = 1.0
                    OverlapOfNothing = nan
                    OverlapOfOne = nan
                    CentrelineOfNothing = nan
                    CentrelineOfOne = None
                    EmptySkeleton = nan
                    CentrelineApart = nan
                    DistanceOfNothing = 0.0
                    DistanceOfOne = Some nan
                    SurfaceDiceOfNothing = 1.0
                    SurfaceDiceOfOne = 0.0
                }
        }

    /// All profiles, the standard one first.
    let all: Profile list = [ paper; topcow; topbrain; toothfairy; metricsReloaded ]

    /// Reads a profile's name; any other text is an error that lists them.
    let parse (text: string) : Result<Profile, string> =
        match all |> List.tryFind (fun profile -> profile.Name = text.ToLowerInvariant()) with
        | Some profile -> Ok profile
        | None ->
            let names = all |> List.map (fun profile -> profile.Name) |> String.concat ", "
            Error $"\"%s{text}\" is no profile; known are %s{names}."

    /// The same with another pair of connectivities in planes or volumes, by the rank of the pair.
    let withPair (pair: ConnectivityPair) (profile: Profile) : Profile =
        if Connectivity.rank pair.Foreground = 2 then
            { profile with Plane = pair }
        else
            { profile with Space = pair }

    /// The same over windows of a side in voxels, or over the whole image. Throws ArgumentException for a side below 1.
    let withWindow (side: int option) (profile: Profile) : Profile =
        match side with
        | Some side when side < 1 -> invalidArg (nameof side) $"A window is at least 1 voxel wide; got %d{side}."
        | _ -> { profile with Window = side }

    /// The same with another tolerance in mm of the normalized surface Dice. Throws ArgumentException for one that is
    /// below 0 or not finite.
    let withTolerance (tolerance: float) (profile: Profile) : Profile =
        if not (tolerance >= 0.0 && System.Double.IsFinite tolerance) then
            invalidArg (nameof tolerance) $"A tolerance is 0 mm or more; got %g{tolerance}."

        { profile with
            Surface =
                { profile.Surface with
                    Tolerance = tolerance
                }
        }

    /// The pair of connectivities for masks of an extent.
    let pair (profile: Profile) (extent: Extent) : ConnectivityPair =
        if extent.Rank = 2 then profile.Plane else profile.Space
