namespace SkeletonRecall.Training

open SkeletonRecall

/// A data set to be measured, planned and preprocessed.
type PrepareRequest =
    {
        Roots: Roots
        /// Number, name or folder of the data set.
        Dataset: string
        /// Cases that are worked on at once, each in a thread of its own.
        Workers: int
        /// Bytes that the cases at work may take together by `Preprocess.peakBytes`; a case that needs more is worked on alone.
        Memory: int64
        /// Measure anew though there is a fingerprint, and preprocess anew the cases that are there already.
        Clean: bool
    }

/// Where what is prepared goes.
[<RequireQualifiedAccess>]
module internal PrepareRequest =

    /// The preprocessed folder of the data set.
    let target (request: PrepareRequest) (dataset: Dataset) : string =
        Store.preprocessedFolder request.Roots dataset.Name
