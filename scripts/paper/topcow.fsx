// dotnet build -c Release && dotnet fsi scripts/paper/topcow.fsx FOLDER [OUTPUT] [EPOCHS] [ITERATIONS] [MEMORY] [MODALITY]
#load "paper.fsx"

// # TopCoW
//
// The 13 arteries of the circle of Willis in CT and MR angiography (Yang et al., "Benchmarking the CoW with the TopCoW challenge",
// 2023), to be had at topcow24.grand-challenge.org and as Zenodo 15692630: open use, the source must be given; commercial use needs
// the permission of University Hospital Zurich. FOLDER holds imagesTr and cow_seg_labelsTr; MODALITY is mr (standard), ct or both.
// No part is held out: the scores are of the training cases; scripts/cross-validation.fsx gives others.

open SkeletonRecall.Training

Paper.run "topcow.fsx" "Dataset124_TopCow" "3d_fullres" (fun _ -> PublicDatasets.topCow false (Loop.argument 5 "mr"))
