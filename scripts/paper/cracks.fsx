// dotnet build -c Release && dotnet fsi scripts/paper/cracks.fsx FOLDER [OUTPUT] [EPOCHS] [ITERATIONS] [MEMORY]
#load "paper.fsx"

// # Cracks in concrete: NCCD-PF
//
// The Pre-failure Narrow Concrete Crack Dataset, zenodo.org/records/8215100, under the terms of that record. FOLDER holds
// Dataset_for_semantic_segmentation, or its folders of images and masks. No part is held out by the authors: the scores are of the
// training cases; scripts/cross-validation.fsx gives those of cases that were not trained on.

open SkeletonRecall.Training

Paper.run "cracks.fsx" "Dataset122_Cracks" "2d" (fun _ -> PublicDatasets.cracks)
