using System.Diagnostics.CodeAnalysis;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace SkeletonRecall.CSharp;

/// <summary>Between C#'s types and F#'s; no other file converts.</summary>
internal static class Interop
{
    internal static FSharpList<T> ToList<T>(IEnumerable<T> items) => ListModule.OfSeq(items);

    internal static FSharpList<TOut> ToList<TIn, TOut>(IEnumerable<TIn> items, Func<TIn, TOut> convert) =>
        ListModule.OfSeq(items.Select(convert));

    internal static IReadOnlyList<TOut> FromList<TIn, TOut>(FSharpList<TIn> list, Func<TIn, TOut> convert) =>
        list.Select(convert).ToArray();

    internal static IReadOnlyList<T> FromList<T>(FSharpList<T> list) => list.ToArray();

    internal static FSharpOption<T> ToOption<T>(T? value)
        where T : class => value is null ? FSharpOption<T>.None : FSharpOption<T>.Some(value);

    internal static FSharpOption<T> ToOption<T>(T? value)
        where T : struct => value is null ? FSharpOption<T>.None : FSharpOption<T>.Some(value.Value);

    internal static T? ToReference<T>(FSharpOption<T>? option)
        where T : class => option?.Value;

    internal static T? ToNullable<T>(FSharpOption<T>? option)
        where T : struct => option is null ? null : option.Value;

    internal static FSharpFunc<TIn, TOut> ToFunction<TIn, TOut>(Func<TIn, TOut> function) =>
        FSharpFunc<TIn, TOut>.FromConverter(new Converter<TIn, TOut>(function));

    internal static FSharpFunc<TFirst, FSharpFunc<TSecond, TOut>> ToFunction<TFirst, TSecond, TOut>(
        Func<TFirst, TSecond, TOut> function
    ) => FuncConvert.FromFunc(function);

    /// <summary>A procedure; F#'s functions return a value, if only an empty one.</summary>
    internal static FSharpFunc<T, Unit> ToProcedure<T>(Action<T> action) => FuncConvert.FromAction(action);

    /// <summary>What long work reports its share and what is at hand to; the share goes to the listener.</summary>
    internal static FSharpFunc<double, FSharpFunc<string, Unit>> ToReport(IProgress<double>? progress) =>
        ToFunction<double, string, Unit>(
            (share, _) =>
            {
                progress?.Report(share);
                return null!;
            }
        );

    /// <summary>What is worth telling a person, to the listener.</summary>
    internal static FSharpFunc<string, Unit> ToNotes(IProgress<string>? notes) =>
        ToProcedure<string>(note => notes?.Report(note));

    /// <summary>The value of a result, or the problem as an exception.</summary>
    internal static T OrThrow<T>(FSharpResult<T, Pipeline.Problem> result) =>
        result.IsOk ? result.ResultValue : throw new ProblemException(result.ErrorValue);

    /// <summary>A note of the reader goes to its listener; the value comes back.</summary>
    internal static T Noted<T>(Tuple<T, FSharpOption<string>?> pair, IProgress<string>? notes)
    {
        if (ToReference(pair.Item2) is { } note)
        {
            notes?.Report(note);
        }
        return pair.Item1;
    }

    /// <summary>The value of a text's result, or the reason why there is none.</summary>
    internal static bool TryValue<T>(
        FSharpResult<T, string> result,
        [NotNullWhen(true)] out T? value,
        [NotNullWhen(false)] out string? reason
    )
        where T : class
    {
        value = result.IsOk ? result.ResultValue : null;
        reason = result.IsOk ? null : result.ErrorValue;
        return result.IsOk;
    }

    internal static FSharpList<Tuple<TFirst, TSecond>> ToPairs<TFirst, TSecond>(
        IEnumerable<(TFirst First, TSecond Second)> pairs
    ) => ListModule.OfSeq(pairs.Select(pair => Tuple.Create(pair.First, pair.Second)));
}
