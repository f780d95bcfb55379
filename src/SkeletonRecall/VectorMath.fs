namespace SkeletonRecall

open System
open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open System.Runtime.Intrinsics

/// What a kernel that works in single or double precision needs of either. Implemented by empty structs, so that the
/// calls are inlined.
type internal IVectorMath<'T when 'T: unmanaged> =
    /// e to the power of each entry, for entries of at most 0 (a little above does no harm); NaN stays NaN.
    abstract Exp: Vector256<'T> -> Vector256<'T>
    /// The natural logarithm of each entry.
    abstract Log: Vector256<'T> -> Vector256<'T>
    /// left * right + addend.
    abstract MultiplyAdd: left: Vector256<'T> * right: Vector256<'T> * addend: Vector256<'T> -> Vector256<'T>
    /// The integers as numbers of this precision.
    abstract Widen: source: ReadOnlySpan<int16> * target: Span<'T> -> unit
    abstract ToFloat: 'T -> float
    abstract OfFloat: float -> 'T

/// Single precision, with an exponential of its own: .NET's computes in double precision.
[<Struct>]
type internal SingleMath =
    interface IVectorMath<float32> with
        /// Cephes' expf (S. Moshier): e^x = 2^n e^r with |r| <= ln 2 / 2 and a polynomial for e^r, to 2 units in the
        /// last place. Below -87.3, where e^x is no normal number, the smallest normal number comes out.
        [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
        member _.Exp(x: Vector256<float32>) : Vector256<float32> =
            // The second operand is the one that comes out when one is NaN.
            let x = Vector256.MaxNative(Vector256.Create -87.3f, x)
            let n = Vector256.Round(x * Vector256.Create 1.44269504f)
            let r = Vector256.FusedMultiplyAdd(n, Vector256.Create -0.693359375f, x)
            let r = Vector256.FusedMultiplyAdd(n, Vector256.Create 2.12194440e-4f, r)
            let p = Vector256.Create 1.9875691500e-4f
            let p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create 1.3981999507e-3f)
            let p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create 8.3334519073e-3f)
            let p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create 4.1665795894e-2f)
            let p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create 1.6666665459e-1f)
            let p = Vector256.FusedMultiplyAdd(p, r, Vector256.Create 5.0000001201e-1f)
            let power = Vector256.FusedMultiplyAdd(p, r * r, r) + Vector256<float32>.One
            let exponent = Vector256.ConvertToInt32Native n + Vector256.Create 127
            power * Vector256.ShiftLeft(exponent, 23).AsSingle()

        [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
        member _.Log(x: Vector256<float32>) : Vector256<float32> = Vector256.Log x

        [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
        member _.MultiplyAdd
            (left: Vector256<float32>, right: Vector256<float32>, addend: Vector256<float32>)
            : Vector256<float32> =
            Vector256.FusedMultiplyAdd(left, right, addend)

        member _.Widen(source: ReadOnlySpan<int16>, target: Span<float32>) : unit =
            let lanes = Vector128<int16>.Count
            let mutable at = 0

            while at <= source.Length - lanes do
                let narrow = Vector128.LoadUnsafe(&MemoryMarshal.GetReference source, unativeint at)

                let wide =
                    Vector256.Create(Vector128.WidenLower narrow, Vector128.WidenUpper narrow)

                Vector256.ConvertToSingle(wide).StoreUnsafe(&MemoryMarshal.GetReference target, unativeint at)

                at <- at + lanes

            for rest in at .. source.Length - 1 do
                target[rest] <- float32 source[rest]

        member _.ToFloat(value: float32) : float = float value
        member _.OfFloat(value: float) : float32 = float32 value

/// Double precision.
[<Struct>]
type internal DoubleMath =
    interface IVectorMath<float> with
        member _.Exp(x: Vector256<float>) : Vector256<float> = Vector256.Exp x
        member _.Log(x: Vector256<float>) : Vector256<float> = Vector256.Log x

        [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
        member _.MultiplyAdd
            (left: Vector256<float>, right: Vector256<float>, addend: Vector256<float>)
            : Vector256<float> =
            Vector256.FusedMultiplyAdd(left, right, addend)

        member _.Widen(source: ReadOnlySpan<int16>, target: Span<float>) : unit =
            for at in 0 .. source.Length - 1 do
                target[at] <- float source[at]

        member _.ToFloat(value: float) : float = value
        member _.OfFloat(value: float) : float = value
