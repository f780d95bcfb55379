namespace SkeletonRecall

/// Voxels that are looked at together: the neighbours of each, the entry of a list of words that it belongs to, and its bit.
[<Sealed>]
type internal VoxelBatch() =
    let neighbours = Array.zeroCreate<uint32> VoxelBatch.Most
    let owners = Array.zeroCreate<int> VoxelBatch.Most
    let bits = Array.zeroCreate<uint64> VoxelBatch.Most
    /// Whole vectors.
    static member Most: int = 32
    member _.Neighbours: uint32[] = neighbours
    member _.Owners: int[] = owners
    member _.Bits: uint64[] = bits
    member val Count: int = 0 with get, set
