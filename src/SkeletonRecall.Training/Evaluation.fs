namespace SkeletonRecall.Training

open SkeletonRecall

/// How well one class of one case was found. What a measure is for empty masks is the profile's choice; by the standard
/// one every ratio is NaN when neither prediction nor truth holds the class (as in nnU-Net), and means leave the case out,
/// and 0 when only one of them does, so that nothing found is never better than something found.
type Scores =
    {
        /// The case's name.
        Case: string
        /// The class id, from 1; of a region its number, from 1.
        Label: int
        /// The labels that make up the class: its id alone, or those of a region.
        Members: int list
        /// The measures that were asked for, and nnU-Net's own.
        Values: MeasureValues
    }

    /// The value of a measure; NaN where it was not asked for.
    member this.Value(measure: Measure) : float =
        this.Values
        |> List.tryPick (fun (known, value) -> if known = measure then Some value else None)
        |> Option.defaultValue nan

    /// The same by name.
    member this.Dice: float = this.Value Measure.Dice
    /// The same by name.
    member this.Precision: float = this.Value Measure.Precision
    /// The same by name.
    member this.Recall: float = this.Value Measure.Recall
    /// The same by name.
    member this.IoU: float = this.Value Measure.IoU
    /// The same by name.
    member this.ClDice: float = this.Value Measure.ClDice

    /// Voxels of prediction and truth; those with the ignore label count nowhere.
    member this.Overlap: Overlap =
        let count (measure: Measure) = int64 (this.Value measure)

        {
            TruePositives = count Measure.TruePositives
            FalsePositives = count Measure.FalsePositives
            FalseNegatives = count Measure.FalseNegatives
            TrueNegatives = count Measure.TrueNegatives
        }

/// What is measured, and by which convention.
type EvaluationOptions =
    {
        /// Connectivity, empty masks, surfaces.
        Profile: Profile
        /// The measures, beside nnU-Net's own, which are always there.
        Measures: Measure list
    }

/// Comparing label maps.
[<RequireQualifiedAccess>]
module Evaluation =

    /// What nnU-Net's summary.json holds; measured whatever else is asked for.
    let required: Measure list =
        [
            Measure.Dice
            Measure.IoU
            Measure.TruePositives
            Measure.FalsePositives
            Measure.FalseNegatives
            Measure.TrueNegatives
        ]

    /// The paper's profile; overlap, clDice, and Betti numbers of both with their errors.
    let standard: EvaluationOptions =
        {
            Profile = Profile.paper
            Measures =
                [
                    Measure.Dice
                    Measure.IoU
                    Measure.Precision
                    Measure.Recall
                    Measure.ClDice
                    Measure.B0Error
                    Measure.B1Error
                    Measure.B2Error
                    Measure.B0Predicted
                    Measure.B0True
                    Measure.B1Predicted
                    Measure.B1True
                    Measure.B2Predicted
                    Measure.B2True
                ]
        }

    /// The standard measures under another pair of connectivities.
    let withPair (pair: ConnectivityPair) : EvaluationOptions =
        { standard with
            Profile = Profile.withPair pair standard.Profile
        }

    let private measured (options: EvaluationOptions) : Measure list =
        options.Measures @ required |> List.distinct

    /// The scores of one class from its masks. `valid` holds the voxels that count.
    /// Throws ArgumentException when extents differ or the profile's connectivity does not serve.
    let scoreMask
        (options: EvaluationOptions)
        (case: string)
        (label: int)
        (valid: Mask option)
        (prediction: Mask)
        (truth: Mask)
        : Scores =
        {
            Case = case
            Label = label
            Members = [ label ]
            Values = Measures.ofPair options.Profile (measured options) valid prediction truth
        }

    /// The scores of every foreground class of the data set, in the order of their ids, or of every region, in the order
    /// of dataset.json. Voxels that the truth marks to be ignored are background in both maps.
    /// Throws ArgumentException when extents differ or the profile's connectivity does not serve.
    let score
        (options: EvaluationOptions)
        (dataset: Dataset)
        (case: string)
        (prediction: LabelMap)
        (truth: LabelMap)
        : Scores list =
        Extent.requireEqual (nameof prediction) truth.Extent prediction.Extent

        let valid =
            dataset.Ignore
            |> Option.map (fun ignored -> truth |> Mask.ofVolume (fun value -> int value <> ignored))

        let classes =
            if Dataset.hasRegions dataset then
                dataset.Regions |> List.mapi (fun at region -> at + 1, region.Labels)
            else
                dataset.Labels
                |> List.map snd
                |> List.filter (fun label -> label > 0)
                |> List.map (fun label -> label, [ label ])

        classes
        |> List.map (fun (number, members) ->
            let mask (labels: LabelMap) =
                match members with
                | [ label ] -> labels |> Mask.ofVolume (fun value -> int value = label)
                | _ -> labels |> Mask.ofVolume (fun value -> List.contains (int value) members)

            { scoreMask options case number valid (mask prediction) (mask truth) with
                Members = members
            })

    /// The measures that any of the scores has, in the order of `Measure.all`.
    let measuresOf (scores: Scores list) : Measure list =
        let known =
            scores |> List.collect (fun score -> List.map fst score.Values) |> List.distinct

        Measure.all |> List.filter (fun measure -> List.contains measure known)

    /// The mean of a measure over cases, NaN left out.
    let mean (measure: Scores -> float) (scores: Scores list) : float =
        scores |> List.map measure |> Statistics.mean

    /// One value per case: the mean over its classes, NaN left out; cases in their first order.
    let perCase (value: Scores -> float) (scores: Scores list) : (string * float) list =
        scores
        |> List.groupBy (fun score -> score.Case)
        |> List.map (fun (case, classes) -> case, mean value classes)
