namespace SkeletonRecall.Tests

open System
open System.Diagnostics
open Expecto

/// Ways to damage a file, and what a reader of damaged files must withstand.
[<RequireQualifiedAccess>]
module Damage =

    /// The file up to a random place.
    let cut (random: Random) (bytes: byte[]) : byte[] =
        Array.truncate (random.Next bytes.Length) bytes

    /// Random bytes at up to 8 places.
    let spots (random: Random) (bytes: byte[]) : byte[] =
        let copy = Array.copy bytes

        for _ in 0 .. random.Next 8 do
            copy[random.Next copy.Length] <- byte (random.Next 256)

        copy

    /// Four bytes of ones, which make a number of a header as large as it can be.
    let largest (random: Random) (bytes: byte[]) : byte[] =
        let copy = Array.copy bytes
        let start = random.Next(max 1 (copy.Length - 4))
        Array.fill copy start (min 4 (copy.Length - start)) 0xFFuy
        copy

    /// Fails unless so many damaged files are read, or refused, in so many minutes, none of them with more memory than that.
    let withstands
        (count: int)
        (minutes: float)
        (memory: int64)
        (damaged: int -> byte[])
        (read: byte[] -> unit)
        : unit =
        let clock = Stopwatch.StartNew()
        let mutable most = 0L

        for number in 0 .. count - 1 do
            let bytes = damaged number
            let before = GC.GetAllocatedBytesForCurrentThread()
            read bytes
            most <- max most (GC.GetAllocatedBytesForCurrentThread() - before)

        Expect.isLessThan most memory "memory of one file"
        Expect.isLessThan clock.Elapsed.TotalMinutes minutes "hangs"
