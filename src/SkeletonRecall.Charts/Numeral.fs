namespace SkeletonRecall.Charts

open System
open System.Globalization

/// Numbers as the report writes them, the same in every culture.
[<RequireQualifiedAccess>]
module internal Numeral =

    /// What stands where there is no number.
    let none: string = "–"

    /// So many decimals, with a typographic minus.
    let fixedPoint (digits: int) (value: float) : string =
        if Double.IsFinite value then
            value
                .ToString("F" + digits.ToString CultureInfo.InvariantCulture, CultureInfo.InvariantCulture)
                .Replace('-', '−')
        else
            none

    /// As `fixedPoint`, with a sign in front of positive values too.
    let signed (digits: int) (value: float) : string =
        let text = fixedPoint digits value

        if Double.IsFinite value && value > 0.0 then
            "+" + text
        else
            text

    /// A share of 0..1 in per cent with one decimal.
    let percent (share: float) : string =
        if Double.IsFinite share then
            fixedPoint 1 (100.0 * share) + " %"
        else
            none

    /// A number that a script or an attribute reads; empty where there is none.
    let machine (value: float) : string =
        if Double.IsFinite value then
            value.ToString("R", CultureInfo.InvariantCulture)
        else
            ""

    /// A whole number.
    let count (value: int) : string =
        value.ToString CultureInfo.InvariantCulture
