namespace SkeletonRecall.Training

open System

/// A mean and the 95 % interval around it.
type Interval =
    {
        Mean: float
        /// The lower end; the mean itself for a single value.
        Low: float
        /// The upper end.
        High: float
        /// How many values went in; those that are NaN do not count.
        Count: int
    }

/// Percentile bootstrap (Efron 1979): how sure a mean over cases is.
[<RequireQualifiedAccess>]
module Statistics =

    /// How often the cases are drawn anew.
    let resamples: int = 2000

    /// The mean of the values that are not NaN; NaN when none is left.
    let mean (values: float list) : float =
        match values |> List.filter (Double.IsNaN >> not) with
        | [] -> nan
        | known -> List.average known

    // Linear interpolation between the two nearest ranks, as numpy.percentile.
    let private quantile (share: float) (sorted: float[]) : float =
        let position = share * float (sorted.Length - 1)
        let below = int position
        let above = min (below + 1) (sorted.Length - 1)
        sorted[below] + (position - float below) * (sorted[above] - sorted[below])

    /// The middle of the values that are not NaN, or the mean of the two in the middle; NaN when none is left.
    let median (values: float list) : float =
        match values |> List.filter (Double.IsNaN >> not) with
        | [] -> nan
        | known -> known |> List.toArray |> Array.sort |> quantile 0.5

    /// The mean of the values and its 95 % percentile interval from 2000 resamples with replacement, drawn from the
    /// seed alone. NaN values are left out and not counted; without any value all is NaN.
    let bootstrap (seed: Seed) (values: float list) : Interval =
        let known = values |> List.filter (Double.IsNaN >> not) |> List.toArray

        if known.Length = 0 then
            {
                Mean = nan
                Low = nan
                High = nan
                Count = 0
            }
        else
            let rng = Seed.rng seed

            let means =
                Array.init resamples (fun _ ->
                    let mutable sum = 0.0

                    for _ in known do
                        sum <- sum + known[rng.NextInt known.Length]

                    sum / float known.Length)

            Array.sortInPlace means

            {
                Mean = Array.average known
                Low = quantile 0.025 means
                High = quantile 0.975 means
                Count = known.Length
            }

    /// The mean of the differences (second - first) of pairs, one pair per case, with its interval.
    /// A pair in which either value is NaN is left out.
    let paired (seed: Seed) (pairs: (float * float) list) : Interval =
        pairs |> List.map (fun (first, second) -> second - first) |> bootstrap seed
