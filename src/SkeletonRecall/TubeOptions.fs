namespace SkeletonRecall

open System

/// How far a tube reaches from its skeleton.
[<RequireQualifiedAccess>]
type TubeRadius =
    /// Steps of the cross, 0 to 16; 2 by default, as upstream. A single voxel of skeleton grows by 2 steps to
    ///
    ///     . . # . .
    ///     . # # # .
    ///     # # # # #
    ///     . # # # .
    ///     . . # . .
    ///
    /// whatever the spacing is; 0 steps leave the bare skeleton.
    | Steps of steps: int
    /// A Euclidean ball of a radius in mm, above 0: all voxels whose centres are no farther away, by the spacing.
    /// With voxels of 1 mm and with rows 2 mm apart, a ball of 2.3 mm is
    ///
    ///     . # # # .
    ///     # # # # #       . # # # .
    ///     # # # # #       # # # # #
    ///     # # # # #       . # # # .
    ///     . # # # .
    ///
    | Ball of millimetres: float

/// Of what a skeleton is made.
[<RequireQualifiedAccess>]
type SkeletonOf =
    /// Of all classes merged, as upstream. Where two classes touch, both share one curve, and a class that lies beside
    /// it may have none:
    ///
    ///     1 1 1 1 1 1 1 1       . . . . . . . .
    ///     1 1 1 1 1 1 1 1       . . . . . 1 1 .
    ///     1 1 1 1 1 1 1 1   →   . . 1 1 1 . . .
    ///     2 2 2 2 2 2 2 2       . . . . . . . .
    ///     2 2 2 2 2 2 2 2       . . . . . . . .
    ///
    | MergedForeground
    /// Of each class alone (of each region alone where there are regions), so that every class has its own curve:
    ///
    ///     1 1 1 1 1 1 1 1       . . . . . . 1 .
    ///     1 1 1 1 1 1 1 1       1 1 1 1 1 1 . .
    ///     1 1 1 1 1 1 1 1   →   . . . . . . . .
    ///     2 2 2 2 2 2 2 2       2 2 2 2 2 2 2 2
    ///     2 2 2 2 2 2 2 2       . . . . . . . .
    ///
    | EachClass

/// How a tubed skeleton is made. `Tube.standard` is upstream's, bit for bit.
type TubeOptions =
    {
        /// How far the tube reaches; 2 steps of the cross by default.
        Radius: TubeRadius
        /// Of what skeletons are made; of the merged foreground by default.
        SkeletonOf: SkeletonOf
        /// A label that is neither skeletonized nor painted; none by default (upstream's takes any label above 0 for
        /// foreground). With `?` for that label:
        ///
        ///     . . . ? ? ?                        . . . ? ? ?       . . . . . .
        ///     1 1 1 ? ? ?   is skeletonized as   1 1 1 . . .   →   1 1 1 . . .
        ///     . . . ? ? ?                        . . . ? ? ?       . . . . . .
        ///
        Ignore: int16 option
        /// Whether skeletons keep the topology of what they are made of; off by default, for scikit-image's thinning
        /// erases some structures whole (`Skeleton.thinGuarded` says by which rule). A box of 2 x 2 x 2 voxels, slice by slice:
        ///
        ///     # #   # #             . .   . .                 . .   . .
        ///     # #   # #   without   . .   . .   and with it   # #   . .
        ///
        Guard: bool
        /// Spurs of the skeleton shorter than this length in mm are pruned; 0, by default, prunes none.
        ///
        ///     . . . # . . . .
        ///     . . . # . . . .       . . . . . . . .
        ///     # # # # # # # #   →   # # # # # # # #
        ///
        Prune: float
        /// The method of thinning (pictures at `Skeleton.thinBy`); none, by default, stands for Zhang's in planes and Lee's in
        /// volumes.
        Thinning: Thinning option
    }

/// Checking the options of a tube.
[<RequireQualifiedAccess>]
module TubeOptions =

    /// The most steps that a tube may grow by.
    [<Literal>]
    let MostSteps = 16

    /// Upstream's: two steps of the cross around the skeleton of the merged foreground, nothing ignored, guarded or
    /// pruned.
    let standard: TubeOptions =
        {
            Radius = TubeRadius.Steps 2
            SkeletonOf = SkeletonOf.MergedForeground
            Ignore = None
            Guard = false
            Prune = 0.0
            Thinning = None
        }

    /// What is wrong with a radius: what came and what is wanted; None for a good one.
    let radiusProblem (radius: TubeRadius) : string option =
        match radius with
        | TubeRadius.Steps steps when steps < 0 || steps > MostSteps ->
            Some $"The radius of a tube is 0 to %d{MostSteps} steps; got %d{steps}."
        | TubeRadius.Ball millimetres when not (Double.IsFinite millimetres && millimetres > 0.0) ->
            Some $"The radius of a ball is a finite number of mm above 0; got %g{millimetres}."
        | _ -> None

    /// What is wrong with options: what came and what is wanted; None for good ones.
    let problem (options: TubeOptions) : string option =
        match radiusProblem options.Radius with
        | Some problem -> Some problem
        | None when not (Double.IsFinite options.Prune && options.Prune >= 0.0) ->
            Some $"Spurs are pruned up to a finite length of 0 mm or more; got %g{options.Prune}."
        | None -> None

    /// Throws ArgumentException, naming the value, for a radius outside 0 to 16 steps, a ball whose radius is not a finite
    /// number of mm above 0, and a length of spurs that is not a finite number of mm of at least 0.
    let require (options: TubeOptions) : unit =
        problem options |> Option.iter (invalidArg (nameof options))
