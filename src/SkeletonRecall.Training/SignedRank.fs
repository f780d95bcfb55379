namespace SkeletonRecall.Training

open System

/// What a paired test says of differences.
type PairedTest =
    {
        /// The smaller of the two sums of ranks; NaN without a difference.
        Statistic: float
        /// Two-sided: how probable differences at least as one-sided are when neither side is favoured. NaN without a
        /// difference.
        P: float
        /// Pairs whose values differ; only they count.
        Count: int
        /// Whether the distribution was counted out; otherwise the normal approximation stands for it.
        IsExact: bool
    }

/// Wilcoxon's signed-rank test of pairs (F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin
/// 1945), two-sided, as scipy.stats.wilcoxon has it: pairs without a difference are left out (`zero_method="wilcox"`), and
/// there is no continuity correction.
[<RequireQualifiedAccess>]
module SignedRank =

    /// The most pairs for which the distribution is counted out.
    let exactUpTo: int = 50

    // 1 - erf: the series near 0, where it loses nothing, and the continued fraction (Lentz) further out.
    let private complementaryError (x: float) : float =
        if x < 2.0 then
            let mutable term = x
            let mutable sum = x
            let mutable n = 0

            while abs term > 1e-17 * abs sum do
                n <- n + 1
                term <- term * 2.0 * x * x / float (2 * n + 1)
                sum <- sum + term

            1.0 - 2.0 / sqrt Math.PI * exp (-x * x) * sum
        else
            // x + (1/2) / (x + 1 / (x + (3/2) / (x + ...))), from the inside out.
            let mutable fraction = x

            for n in 200..-1..1 do
                fraction <- x + 0.5 * float n / fraction

            exp (-x * x) / sqrt Math.PI / fraction

    // Ranks from 1, equal values share the mean of theirs; and the sizes of the groups that share.
    let private ranks (values: float[]) : float[] * int list =
        let order = Array.init values.Length id |> Array.sortBy (fun index -> values[index])
        let ranks = Array.zeroCreate<float> values.Length
        let mutable groups = []
        let mutable first = 0

        while first < order.Length do
            let mutable last = first

            while last + 1 < order.Length && values[order[last + 1]] = values[order[first]] do
                last <- last + 1

            for at in first..last do
                ranks[order[at]] <- 0.5 * float (first + last) + 1.0

            groups <- (last - first + 1) :: groups
            first <- last + 1

        ranks, groups

    // How many of the 2^count choices of signs give each sum of positive ranks.
    let private choices (count: int) : float[] =
        let ways = Array.zeroCreate<float>(count * (count + 1) / 2 + 1)
        ways[0] <- 1.0

        for rank in 1..count do
            for sum in ways.Length - 1 .. -1 .. rank do
                ways[sum] <- ways[sum] + ways[sum - rank]

        ways

    /// Whether second values differ from first ones. A pair with NaN is left out. Exact for up to 50 pairs where no two
    /// differences are of one size and none is 0; the normal approximation, corrected for ties, otherwise.
    let test (pairs: (float * float) list) : PairedTest =
        let differences =
            pairs
            |> List.map (fun (first, second) -> second - first)
            |> List.filter (Double.IsNaN >> not)

        let counted = differences |> List.filter ((<>) 0.0) |> List.toArray
        let count = counted.Length

        if count = 0 then
            {
                Statistic = nan
                P = nan
                Count = 0
                IsExact = false
            }
        else
            let ranks, groups = ranks (Array.map abs counted)

            let positive =
                Array.fold2 (fun sum rank value -> if value > 0.0 then sum + rank else sum) 0.0 ranks counted

            let total = 0.5 * float count * float (count + 1)
            let statistic = min positive (total - positive)

            let isExact =
                count <= exactUpTo
                && count = differences.Length
                && groups |> List.forall ((=) 1)

            let p =
                if isExact then
                    let ways = choices count

                    if 2.0 * positive = total then
                        1.0
                    else
                        2.0 * Array.sum ways[.. int statistic] / Math.Pow(2.0, float count)
                else
                    let n = float count

                    let ties =
                        groups
                        |> List.sumBy (fun size ->
                            let size = float size
                            size * (size * size - 1.0))

                    let variance = (n * (n + 1.0) * (2.0 * n + 1.0) - 0.5 * ties) / 24.0
                    let z = (statistic - 0.5 * total) / sqrt variance
                    complementaryError (abs z / sqrt 2.0)

            {
                Statistic = statistic
                P = min 1.0 p
                Count = count
                IsExact = isExact
            }
