// dotnet build -c Release && dotnet fsi scripts/paper/toothfairy.fsx FOLDER [OUTPUT] [EPOCHS] [ITERATIONS] [MEMORY]
#load "paper.fsx"

// # ToothFairy
//
// Cone-beam CT with the inferior alveolar canal (Cipriano et al., "Improving segmentation of the inferior alveolar nerve through
// deep label propagation", 2022), to be had at ditto.ing.unimore.it/toothfairy after registration, under the terms shown there.
// FOLDER holds Dataset/P1/data.npy ...; patients that splits.json lists as test are held out.

open SkeletonRecall.Training

Paper.run "toothfairy.fsx" "Dataset123_ToothFairy" "3d_fullres" (PublicDatasets.toothFairy >> Problem.orThrow)
