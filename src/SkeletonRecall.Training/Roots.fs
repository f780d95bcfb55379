namespace SkeletonRecall.Training

/// The three folders that hold everything.
type Roots =
    {
        /// Data sets as they came: `Dataset001_Name/imagesTr` and so on.
        Raw: string
        /// What is made of them before training.
        Preprocessed: string
        /// Trained models and their results.
        Results: string
    }
