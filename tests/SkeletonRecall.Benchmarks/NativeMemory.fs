namespace SkeletonRecall.Benchmarks

open System
open System.Runtime.InteropServices

/// What glibc's allocator says of itself.
module private Glibc =

    [<Struct; StructLayout(LayoutKind.Sequential)>]
    type Information =
        val arena: unativeint
        val ordblks: unativeint
        val smblks: unativeint
        val hblks: unativeint
        val hblkhd: unativeint
        val usmblks: unativeint
        val fsmblks: unativeint
        val uordblks: unativeint
        val fordblks: unativeint
        val keepcost: unativeint

    [<DllImport("libc.so.6")>]
    extern Information mallinfo2()

/// Memory that native code holds.
[<RequireQualifiedAccess>]
module NativeMemory =

    /// MiB that the C library has handed out and not got back; NaN where it does not say.
    let inUse () : float =
        try
            let information = Glibc.mallinfo2 ()
            float (information.uordblks + information.hblkhd) / 1048576.0
        with
        | :? DllNotFoundException
        | :? EntryPointNotFoundException -> nan
