// dotnet build -c Release && dotnet fsi scripts/paper/drive.fsx FOLDER [OUTPUT] [EPOCHS] [ITERATIONS] [MEMORY]
#load "paper.fsx"

// # DRIVE
//
// Retinal photographs (Staal et al., "Ridge-based vessel segmentation in color images of the retina", 2004), to be had at
// drive.grand-challenge.org after registration, under the terms shown there. FOLDER holds training/ and test/. Today's download
// has no labels of the test images: then the scores are of the training cases.

open SkeletonRecall.Training

Paper.run "drive.fsx" "Dataset121_Drive" "2d" (fun _ -> PublicDatasets.drive)
