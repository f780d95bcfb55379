namespace SkeletonRecall

/// How a tubed skeleton is made.
type TubeOptions =
    {
        /// By how many steps of the cross the skeleton grows, in voxels; 0 or more, 2 by default.
        Radius: int
    }

/// Tubed skeletons, the targets of the Skeleton Recall loss: the skeleton of the merged foreground, grown a little, with
/// the class of each voxel's own label (Y. Kirchhoff et al., "Skeleton Recall Loss for Connectivity Conserving and
/// Resource Efficient Segmentation of Thin Tubular Structures", ECCV 2024).
[<RequireQualifiedAccess>]
module Tube =

    /// Upstream's: radius 2.
    let standard: TubeOptions = { Radius = 2 }

    /// All voxels of any class (labels above 0) as one mask.
    let binarize (labels: LabelMap) : Mask =
        Mask.ofVolume (fun label -> label > 0s) labels

    /// The labels inside the mask, 0 outside. Throws ArgumentException when the extents differ.
    let assignClasses (labels: LabelMap) (mask: Mask) : LabelMap =
        Extent.requireEqual (nameof mask) labels.Extent mask.Extent
        let inside = (Mask.toVolume mask).Data

        let data =
            Array.map2 (fun (label: int16) inside -> if inside <> 0uy then label else 0s) labels.Data inside

        Volume<int16>(labels.Extent, labels.Spacing, data)

    /// The tubed skeleton of a label map, equal to upstream's bit for bit: binarized, thinned (Zhang in planes, Lee in
    /// volumes), grown by `Radius` steps of the cross, and given the labels. Every voxel is 0 or its own label, so that
    /// the tube never leaves the labelled structure (negative labels that the tube reaches stay what they are).
    /// Throws ArgumentException for a negative radius.
    let ofLabels (options: TubeOptions) (labels: LabelMap) : LabelMap =
        if options.Radius < 0 then
            invalidArg (nameof options) $"The radius of a tube is 0 voxels or more; got %d{options.Radius}."

        labels
        |> binarize
        |> Skeleton.thin
        |> Morphology.dilate Element.Cross options.Radius
        |> assignClasses labels
