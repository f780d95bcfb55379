namespace SkeletonRecall.Tests

open System
open System.Globalization

/// Tests run a second time as on a machine that writes 0,5: nothing that is read or written may change by it.
[<RequireQualifiedAccess>]
module Culture =

    /// The invariant culture with a decimal comma, in which 0.5 reads as 5.
    let comma: CultureInfo =
        let culture = CultureInfo.InvariantCulture.Clone() :?> CultureInfo
        culture.NumberFormat.NumberDecimalSeparator <- ","
        culture.NumberFormat.NumberGroupSeparator <- "."
        culture.NumberFormat.CurrencyDecimalSeparator <- ","
        culture.NumberFormat.CurrencyGroupSeparator <- "."
        culture.NumberFormat.PercentDecimalSeparator <- ","
        culture.NumberFormat.PercentGroupSeparator <- "."
        culture

    /// Makes that culture the one of all threads where SKELETONRECALL_TEST_CULTURE is `comma`.
    let fromEnvironment () : unit =
        if Environment.GetEnvironmentVariable "SKELETONRECALL_TEST_CULTURE" = "comma" then
            CultureInfo.DefaultThreadCurrentCulture <- comma
            CultureInfo.CurrentCulture <- comma
