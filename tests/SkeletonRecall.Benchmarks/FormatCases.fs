namespace SkeletonRecall.Benchmarks

open System
open System.IO
open System.IO.Compression
open SkeletonRecall
open SkeletonRecall.Training

/// Reading image files.
[<RequireQualifiedAccess>]
module FormatCases =

    // Grey values as of a scan: smooth, with noise in the lowest bits.
    let private scan (side: int) : int16[] =
        let random = Random 3

        Array.init (side * side * side) (fun at ->
            let x, y, z = at % side, at / side % side, at / side / side
            let wave = sin (float x / 17.0) * cos (float y / 23.0) + sin (float z / 11.0)
            int16 (400.0 * wave) + int16 (random.Next 32))

    let private nifti (side: int) () : Comparison =
        let extent = Extent.space side side side

        let file =
            {
                Channels = 1
                Extent = extent
                Spacing = Spacing.unit 3
                Geometry = Geometry.standard 3
                Values = Int16s(scan side)
            }

        use stream = new MemoryStream()
        Nifti.encode true file stream
        let zipped = stream.ToArray()
        let path = Path.GetTempFileName()

        // The file is read anew each time, as nibabel does.
        let read (decode: Stream -> Result<NpyValues, string>) : NpyArray =
            File.WriteAllBytes(path, zipped)

            try
                use stream = File.OpenRead path

                match decode stream with
                | Ok values ->
                    {
                        Shape = extent.Shape
                        Values = values
                    }
                | Error reason -> invalidOp reason
            finally
                File.Delete path

        // Without a library: the header is skipped, the rest unzipped and cast.
        let plain (stream: Stream) : Result<NpyValues, string> =
            use unzipped = new GZipStream(stream, CompressionMode.Decompress)
            use memory = new MemoryStream()
            unzipped.CopyTo memory
            let values = Array.zeroCreate<int16> extent.Count
            Buffer.BlockCopy(memory.GetBuffer(), 352, values, 0, 2 * extent.Count)
            Ok(Int16s values)

        {
            Name = $"NIfTI .nii.gz of %d{side}^3"
            Ours =
                fun () ->
                    let array = read (Nifti.decode >> Result.map (fun file -> file.Values))
                    fun () -> array
            Rival =
                Reference(
                    "nifti",
                    [
                        {
                            Shape = [ zipped.Length ]
                            Values = UInt8s zipped
                        }
                    ],
                    fun () ->
                        let array = read plain
                        fun () -> array
                )
        }

    /// All cases, each made when it is called for; `quick` reads a smaller volume.
    let all (quick: bool) : (unit -> Comparison) list = [ nifti (if quick then 128 else 256) ]
