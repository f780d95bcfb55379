namespace SkeletonRecall.Training

open SkeletonRecall

/// Images and masks of one part of a data set, by patterns with one star (the name of the case) below its folder.
type ConversionPart =
    {
        /// One pattern, or one for each file of a case, in the order of the channels, separated by commas; the first says
        /// which cases there are.
        Images: string
        /// None where the part has no masks.
        Masks: string option
    }

/// How a folder of images and masks becomes a data set in nnU-Net's raw layout.
type Recipe =
    {
        /// What is trained on. Of several, the first whose images are there is taken: layouts differ between downloads.
        Training: ConversionPart list
        /// What is held out; taken in the same way, and left out where there is none.
        Test: ConversionPart list
        /// Cases of the training part that are held out all the same.
        IsHeldOut: string -> bool
        /// The name of a case, from what the star stands for.
        Case: string -> string
        /// Names of the channels; none for R, G and B of colours, `grey` of one channel, and numbers else.
        Channels: string list
        /// Names of the classes but the background; none for `class 1` and so on, or `foreground` where there is one.
        Labels: string list
        Rule: MaskRule
        /// The spacing in mm of volumes whose files say none (numpy's).
        Spacing: float option
        /// Whether images without a mask are left out; a problem otherwise.
        SkipUnpaired: bool
        /// The ending to write; none for .png of planes and .nii.gz of volumes.
        Ending: string option
        /// Whether volumes are turned to right, anterior, superior.
        ToRas: bool
        /// A last change of the label map, in sight of the image.
        Clean: Image -> LabelMap -> LabelMap
    }
