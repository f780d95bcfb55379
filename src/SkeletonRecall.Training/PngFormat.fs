namespace SkeletonRecall.Training

/// What reading and writing PNG share: the signature, the length of a row.
[<RequireQualifiedAccess>]
module internal PngFormat =

    /// The first 8 bytes.
    let signature = [| 137uy; 80uy; 78uy; 71uy; 13uy; 10uy; 26uy; 10uy |]

    /// Bytes of one row without its filter byte.
    let bytesPerRow (width: int) (channels: int) (depth: int) : int64 =
        (int64 width * int64 (channels * depth) + 7L) / 8L
