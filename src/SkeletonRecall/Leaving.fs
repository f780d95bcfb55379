namespace SkeletonRecall

open System
open System.Buffers

/// What a pass of thinning over one side is about to take out, in raster order; of each kind, the first `Earlier` are of
/// the block before. `Chunks` hold voxels that go for certain. `Accepted` are words of others, at `Places`. There is room
/// for so many words and chunks.
[<Sealed>]
type internal Leaving(words: int, chunks: int) =
    member val Places: int[] = ArrayPool<int>.Shared.Rent(words + 8)
    member val Accepted: uint64[] = ArrayPool<uint64>.Shared.Rent(words + 8)
    member val Found: int = 0 with get, set
    member val Earlier: int = 0 with get, set
    member val Chunks: int[] = ArrayPool<int>.Shared.Rent(chunks + 1)
    member val FoundChunks: int = 0 with get, set
    member val EarlierChunks: int = 0 with get, set

    // What was found last is of the block before from now on.
    member this.Pass() : unit =
        let later = this.Found - this.Earlier
        Array.Copy(this.Places, this.Earlier, this.Places, 0, later)
        Array.Copy(this.Accepted, this.Earlier, this.Accepted, 0, later)
        let laterChunks = this.FoundChunks - this.EarlierChunks
        Array.Copy(this.Chunks, this.EarlierChunks, this.Chunks, 0, laterChunks)
        this.Found <- later
        this.Earlier <- later
        this.FoundChunks <- laterChunks
        this.EarlierChunks <- laterChunks

    interface IDisposable with
        member this.Dispose() : unit =
            ArrayPool<int>.Shared.Return this.Places
            ArrayPool<uint64>.Shared.Return this.Accepted
            ArrayPool<int>.Shared.Return this.Chunks
