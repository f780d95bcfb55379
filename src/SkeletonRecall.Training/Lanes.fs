namespace SkeletonRecall.Training

open System.Runtime.CompilerServices
open System.Runtime.InteropServices
open System.Runtime.Intrinsics

/// Sixteen numbers at a time: access to memory without a check of each index, and functions that .NET computes in double
/// precision or number by number. The polynomials are Cephes' (S. Moshier).
[<RequireQualifiedAccess>]
module internal Lanes =

    /// How many numbers.
    [<Literal>]
    let Count = 16

    let inline load (values: float32[]) (at: int) : Vector512<float32> =
        Vector512.LoadUnsafe(&MemoryMarshal.GetArrayDataReference values, unativeint at)

    let inline store (values: float32[]) (at: int) (lanes: Vector512<float32>) : unit =
        Vector512.StoreUnsafe(lanes, &MemoryMarshal.GetArrayDataReference values, unativeint at)

    let inline private step
        (p: Vector512<float32>)
        (x: Vector512<float32>)
        (coefficient: float32)
        : Vector512<float32> =
        Vector512.FusedMultiplyAdd(p, x, Vector512.Create coefficient)

    /// The natural logarithm of normal positive numbers, to 2 units in the last place; about -88 of 0.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let log (x: Vector512<float32>) : Vector512<float32> =
        // x = 2^e m with m from the root of 1/2 to that of 2.
        let root = Vector512.Create 0x3f3504f3
        let bits = x.AsInt32() - root
        let e = Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(bits, 23))
        let m = ((bits &&& Vector512.Create 0x007fffff) + root).AsSingle()
        let f = m - Vector512<float32>.One
        let square = f * f
        let p = Vector512.Create 7.0376836292e-2f
        let p = step p f -1.1514610310e-1f
        let p = step p f 1.1676998740e-1f
        let p = step p f -1.2420140846e-1f
        let p = step p f 1.4249322787e-1f
        let p = step p f -1.6668057665e-1f
        let p = step p f 2.0000714765e-1f
        let p = step p f -2.4999993993e-1f
        let p = step p f 3.3333331174e-1f
        let y = p * f * square
        let y = Vector512.FusedMultiplyAdd(e, Vector512.Create -2.12194440e-4f, y)
        let y = Vector512.FusedMultiplyAdd(square, Vector512.Create -0.5f, y)
        Vector512.FusedMultiplyAdd(e, Vector512.Create 0.693359375f, f + y)

    /// e to the power of numbers of at most 0 (a little above does no harm); below -87.3 the smallest normal number.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let exp (x: Vector512<float32>) : Vector512<float32> =
        let x = Vector512.MaxNative(Vector512.Create -87.3f, x)
        let n = Vector512.Round(x * Vector512.Create 1.44269504f)
        let r = Vector512.FusedMultiplyAdd(n, Vector512.Create -0.693359375f, x)
        let r = Vector512.FusedMultiplyAdd(n, Vector512.Create 2.12194440e-4f, r)
        let p = Vector512.Create 1.9875691500e-4f
        let p = step p r 1.3981999507e-3f
        let p = step p r 8.3334519073e-3f
        let p = step p r 4.1665795894e-2f
        let p = step p r 1.6666665459e-1f
        let p = step p r 5.0000001201e-1f
        let power = Vector512.FusedMultiplyAdd(p, r * r, r) + Vector512<float32>.One
        let exponent = Vector512.ConvertToInt32Native n + Vector512.Create 127
        power * Vector512.ShiftLeft(exponent, 23).AsSingle()

    /// Sine of angles of at most pi / 4 either way.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let sine (x: Vector512<float32>) : Vector512<float32> =
        let square = x * x
        let p = Vector512.Create -1.9515295891e-4f
        let p = step p square 8.3321608736e-3f
        let p = step p square -1.6666654611e-1f
        Vector512.FusedMultiplyAdd(p * square, x, x)

    /// Cosine of angles of at most pi / 4 either way.
    [<MethodImpl(MethodImplOptions.AggressiveInlining)>]
    let cosine (x: Vector512<float32>) : Vector512<float32> =
        let square = x * x
        let p = Vector512.Create 2.443315711809948e-5f
        let p = step p square -1.388731625493765e-3f
        let p = step p square 4.166664568298827e-2f
        let p = step p square -0.5f
        step p square 1.0f
