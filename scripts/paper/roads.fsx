// dotnet build -c Release && dotnet fsi scripts/paper/roads.fsx FOLDER [OUTPUT] [EPOCHS] [ITERATIONS] [MEMORY]
#load "paper.fsx"

// # Massachusetts Roads
//
// Aerial images of 1500 x 1500 pixels (Mnih, "Machine Learning for Aerial Image Labeling", 2013). Kaggle has them as
// balraj98/massachusetts-roads-dataset and insaff/massachusetts-roads-dataset, the author at cs.toronto.edu/~vmnih/data; FOLDER is
// what the download unpacks to. No explicit licence is known: cite the thesis.

open SkeletonRecall.Training

Paper.run "roads.fsx" "Dataset120_Roads" "2d" (fun _ -> PublicDatasets.roads)
