namespace SkeletonRecall

open System
open System.Runtime.Intrinsics

/// What the passes of thinning over a volume share. `Stride` and `Slab` are the words in a row and in a slice. `Certain`
/// holds the voxels that go for certain, and no others. `Active` marks, a bit for each side, chunks in which something may
/// have changed since that side was looked at: something in them or beside them went.
/// A block is so many chunks that the neighbours of its words lie in it or in the blocks beside it.
[<Sealed>]
type internal ThinWork(least: int, sides: int, extent: Extent, words: uint64[], certain: uint64[]) =
    let length = Layout.length extent
    let stride = Layout.stride extent
    let slab = Layout.slab extent
    let first = Layout.row extent 0 0 >>> 3

    let afterLast =
        (Layout.row extent (extent.Depth - 1) (extent.Height - 1) + stride + 7) >>> 3

    let chunks = afterLast - first
    let blockChunks = min chunks (max least ((slab + stride + 8) >>> 3))
    let blocks = (chunks + blockChunks - 1) / blockChunks

    let capacity =
        min (16 * blockChunks) (length - MemoryExtensions.Count(ReadOnlySpan(words, 0, length), 0UL))

    // One list serves all sides where each pass ends before the next begins.
    let leaving =
        Array.init (if blocks = 1 then 1 else sides) (fun _ -> new Leaving(capacity, 2 * blockChunks))

    member _.Words: uint64[] = words
    member _.Certain: uint64[] = certain
    member _.Stride: int = stride
    member _.Slab: int = slab
    member _.Blocks: int = blocks
    member _.First(block: int) : int = first + block * blockChunks

    member _.AfterLast(block: int) : int =
        min afterLast (first + (block + 1) * blockChunks)

    member val Active: byte[] =
        let active = Array.zeroCreate<byte>((length >>> 3) + 72)

        for chunk in first .. afterLast - 1 do
            if not (Vector512.EqualsAll(Chunk.load words (8 * chunk), Vector512<uint64>.Zero)) then
                active[chunk] <- Chunk.AllSides

        active

    member _.Leaving(side: int) : Leaving = leaving[side % leaving.Length]
    member val Scratch: uint64[] = Array.zeroCreate 8
    member val Batch: VoxelBatch = VoxelBatch()

    interface IDisposable with
        member this.Dispose() : unit =
            for list in leaving do
                (list :> IDisposable).Dispose()
