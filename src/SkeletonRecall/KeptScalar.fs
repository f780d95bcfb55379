namespace SkeletonRecall

open System.Collections.Concurrent
open TorchSharp

/// Numbers as torch's scalars, each made once and kept. TorchSharp gives libtorch the address of a scalar and no more, so
/// the garbage collector may free one that nothing else holds while libtorch still reads it: once in a million calls or
/// so, and then with garbage for the number. For the constants of losses; a number that changes at every step is bound by
/// `use` instead, which keeps it alive until the end of its block.
[<Sealed; AbstractClass>]
type internal KeptScalar private () =
    static let integers = ConcurrentDictionary<int64, Scalar>()
    static let floats = ConcurrentDictionary<float, Scalar>()

    /// An integer.
    static member Of(value: int64) : Scalar =
        integers.GetOrAdd(value, (fun number -> Scalar.op_Implicit (number: int64)))

    /// An integer.
    static member Of(value: int) : Scalar = KeptScalar.Of(int64 value)

    /// A number in double precision; results keep the precision of the tensor.
    static member Of(value: float) : Scalar =
        floats.GetOrAdd(value, (fun number -> Scalar.op_Implicit (number: float)))

    /// The same of a single.
    static member Of(value: float32) : Scalar = KeptScalar.Of(float value)

    /// The sum of two tensors. TorchSharp's `+` and `add` hand libtorch a factor of 1 for the second that nothing holds: in
    /// nine trainings of 75 steps on a busy machine one ended by it.
    static member Sum(left: torch.Tensor, right: torch.Tensor) : torch.Tensor = left.add (right, KeptScalar.Of 1)

    /// The sum of a tensor and a kept number.
    static member Sum(left: torch.Tensor, right: Scalar) : torch.Tensor = left.add (right, KeptScalar.Of 1)
