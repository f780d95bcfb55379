namespace SkeletonRecall

/// Which sums of terms have a fused form.
[<RequireQualifiedAccess>]
module internal Fusion =

    /// The terms as one fused function, if it knows them: two or three different losses without label smoothing.
    let ofTerms (terms: Term list) : FusedTerms option =
        let none =
            {
                CrossEntropy = 0.0
                DiceWeight = 0.0
                Dice = SoftDice.standard
                RecallWeight = 0.0
                Recall = SoftRecall.standard
            }

        let add (fused: FusedTerms option) (term: Term) : FusedTerms option =
            match fused, term.Component with
            | Some fused, Component.CrossEntropy options when fused.CrossEntropy = 0.0 && options.LabelSmoothing = 0.0 ->
                Some
                    { fused with
                        CrossEntropy = term.Weight
                    }
            | Some fused, Component.SoftDice options when fused.DiceWeight = 0.0 ->
                Some
                    { fused with
                        DiceWeight = term.Weight
                        Dice = options
                    }
            | Some fused, Component.SkeletonRecall options when fused.RecallWeight = 0.0 ->
                Some
                    { fused with
                        RecallWeight = term.Weight
                        Recall = options
                    }
            | _ -> None

        if terms.Length < 2 then
            None
        else
            List.fold add (Some none) terms
