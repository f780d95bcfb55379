namespace SkeletonRecall.Training

/// Pixels as an image file stores them.
type Raster =
    {
        Width: int
        Height: int
        /// 1 grey or palette index, 2 grey and alpha, 3 red, green and blue, 4 those and alpha.
        Channels: int
        /// Bits per sample: 1, 2, 4, 8 or 16.
        BitDepth: int
        /// Row by row, channels of a pixel side by side, as stored: 0 .. 2^BitDepth - 1, not scaled.
        Samples: uint16[]
        /// The colours behind the indices of a palette image.
        Palette: struct (byte * byte * byte)[] option
    }
