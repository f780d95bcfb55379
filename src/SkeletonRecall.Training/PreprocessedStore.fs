namespace SkeletonRecall.Training

open System
open System.Buffers
open System.IO
open System.Runtime.InteropServices
open Microsoft.Win32.SafeHandles
open SkeletonRecall

/// Preprocessed cases on disk, one safetensors file per case with its image (float32, channel by channel, row-major), labels
/// (8 or 16 bits), positions of classes (`ClassLocations`) and, as metadata, the way back to the file that it was read from.
///
/// The arrays are neither compressed nor cut into chunks: normalized images are noise to a compressor (deflate leaves 89 % of a
/// resampled CT, and gives it back at 340 MB/s on one core), and the processor is what a laptop's training waits for. A file
/// opens by its header alone, in the same time for any size (0.05 ms); a patch is read by position, slice by slice, and the rest
/// of the case is never touched. Reading by position takes no longer than through a memory map (128³ out of 256 x 384 x
/// 384 in the page cache: 5 ms with labels, 8 ms through a map), but a file that is cut short or a disk that fails ends in
/// a message and not in the end of the process, and nothing stays open between two patches, so that files can be replaced,
/// on Windows too.
/// Any program that knows safetensors can read the files; Python's nnU-Net lists none of their names.
[<RequireQualifiedAccess>]
module PreprocessedStore =

    /// The ending of a case's file.
    let ending: string = ".safetensors"

    // The bytes of an array in parts, so that no second array of its size is made.
    let private writeAll (values: 'T[]) (stream: Stream) : unit =
        let mutable at = 0

        while at < values.Length do
            let count = min (values.Length - at) (1 <<< 20)
            stream.Write(MemoryMarshal.AsBytes(ReadOnlySpan<'T>(values, at, count)))
            at <- at + count

    let private source (name: string) (element: ElementType) (shape: int list) (write: Stream -> unit) : TensorSource =
        {
            Name = name
            Type = element
            Shape = shape
            Write = write
        }

    let private labelSource (labels: LabelMap) : TensorSource =
        let data = labels.Data
        let small = data |> Array.forall (fun label -> label <= 127s)

        if small then
            source "labels" ElementType.Int8 labels.Extent.Shape (fun stream ->
                let part = Array.zeroCreate<sbyte>(min data.Length (1 <<< 20))

                for first in 0 .. part.Length .. data.Length - 1 do
                    let count = min part.Length (data.Length - first)

                    for i in 0 .. count - 1 do
                        part[i] <- sbyte data[first + i]

                    stream.Write(MemoryMarshal.AsBytes(ReadOnlySpan<sbyte>(part, 0, count))))
        else
            source "labels" ElementType.Int16 labels.Extent.Shape (writeAll data)

    /// Writes a case, beside its place first: nobody ever sees half of one. `made` is any text that says what the case was
    /// made of and how, by which a later run tells whether it still is what it should be.
    let save (path: string) (made: string) (case: PreprocessedCase) : Result<unit, Problem> =
        let image = case.Image

        let positions (name: string) (at: int[]) =
            source name ElementType.Int32 [ at.Length ] (writeAll at)

        let tensors =
            [
                source "image" ElementType.Float32 (image.Channels :: image.Extent.Shape) (writeAll image.Data)

                match case.Labels with
                | Some labels -> labelSource labels
                | None -> ()

                match case.Locations with
                | Some locations ->
                    for KeyValue(label, at) in locations.Classes do
                        positions $"class.%d{label}" at

                    match locations.Annotated with
                    | Some at -> positions "annotated" at
                    | None -> ()
                | None -> ()
            ]

        Files.writeAtomically path (fun stream ->
            Safetensors.writeSources stream (StoredCase.metadata made case) tensors)

    let private stale (path: string) : Problem =
        Unreadable(path, "it is not a case that this version preprocessed; preprocess the data set again")

    /// Opens a case by its header. A file that is cut short, or is none of a case, is a problem that names the cure.
    let openCase (path: string) : Result<StoredCase, Problem> =
        if not (File.Exists path) then
            Error(Missing(path, "the preprocessed case is wanted: run preprocess"))
        else
            try
                use stream =
                    new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read ||| FileShare.Delete, 4096)

                let written = File.GetLastWriteTimeUtc stream.SafeFileHandle

                Safetensors.places path stream
                |> Result.bind (fun (metadata, places) ->
                    match StoredCase.decode path written metadata places with
                    | Some case -> Ok case
                    | None -> Error(stale path))
            with
            | :? UnauthorizedAccessException -> Error(Unreadable(path, "there is no permission to read it"))
            | :? IOException as error -> Error(Unreadable(path, error.Message.TrimEnd '.'))

    let private unreadable (path: string) (reason: string) : 'T =
        raise (ProblemException(Unreadable(path, reason)))

    // Work on the file's handle, which is closed again. The file must be the one that was opened.
    let private reading (case: StoredCase) (work: SafeFileHandle -> 'T) : 'T =
        try
            use handle =
                File.OpenHandle(
                    case.Path,
                    FileMode.Open,
                    FileAccess.Read,
                    FileShare.Read ||| FileShare.Delete,
                    FileOptions.RandomAccess
                )

            if File.GetLastWriteTimeUtc handle <> case.Written then
                unreadable case.Path "it was replaced while it was in use; start again"

            work handle
        with
        | :? UnauthorizedAccessException -> unreadable case.Path "there is no permission to read it"
        | :? IOException as error -> unreadable case.Path (error.Message.TrimEnd '.')

    let private fill (case: StoredCase) (handle: SafeFileHandle) (first: int64) (bytes: Span<byte>) : unit =
        let mutable got = 0

        while got < bytes.Length do
            match RandomAccess.Read(handle, bytes.Slice got, first + int64 got) with
            | 0 -> unreadable case.Path "it ends too early: preprocess the data set again"
            | count -> got <- got + count

    /// A box of values that lie row-major from byte `first` of the file on, `size` bytes each; `give` gets the rows: the
    /// place in the result (of extent `target`), and the bytes as an array, the first of them and their number.
    let private readBox
        (case: StoredCase)
        (handle: SafeFileHandle)
        (first: int64)
        (size: int)
        (struct (slice: int, row: int, column: int))
        (target: Extent)
        (give: int -> byte[] -> int -> int -> unit)
        : unit =
        let extent = case.Extent
        let firstColumn = max 0 -column
        let width = min target.Width (extent.Width - column) - firstColumn
        let firstRow = max 0 -row
        let rows = min target.Height (extent.Height - row) - firstRow

        if width > 0 && rows > 0 then
            // Whole lines at once where the rows are a good part of them, up to the last row's end.
            let together = 16 * width >= extent.Width

            let span =
                size
                * (if together then
                       (rows - 1) * extent.Width + width
                   else
                       width)

            let buffer = ArrayPool<byte>.Shared.Rent span

            try
                for z in max 0 -slice .. min target.Depth (extent.Depth - slice) - 1 do
                    let place (y: int) : int64 =
                        first
                        + int64 size
                          * ((int64 (slice + z) * int64 extent.Height + int64 (row + firstRow + y))
                             * int64 extent.Width
                             + int64 (column + firstColumn))

                    let into (y: int) =
                        Extent.index target z (firstRow + y) firstColumn

                    if together then
                        fill case handle (place 0) (Span<byte>(buffer, 0, span))

                        for y in 0 .. rows - 1 do
                            give (into y) buffer (y * extent.Width * size) (width * size)
                    else
                        for y in 0 .. rows - 1 do
                            fill case handle (place y) (Span<byte>(buffer, 0, span))
                            give (into y) buffer 0 span
            finally
                ArrayPool<byte>.Shared.Return buffer

    let private corner (case: StoredCase) (size: Extent) (origin: int list) : struct (int * int * int) =
        if origin.Length <> case.Extent.Rank || size.Rank > case.Extent.Rank then
            invalidArg (nameof origin) $"A patch of %O{size} at %A{origin} does not fit a case of %O{case.Extent}."

        match origin with
        | [ row; column ] -> struct (0, row, column)
        | _ -> struct (origin[0], origin[1], origin[2])

    /// Fills a canvas as `patch` does.
    let internal patchInto (origin: int list) (case: StoredCase) (canvas: Canvas) : unit =
        let size = canvas.Extent
        let corner = corner case size origin
        Patch.blank canvas

        reading case (fun handle ->
            let image = case.Places["image"]
            let channelBytes = image.Length / int64 (max 1 case.Channels)

            for channel in 0 .. case.Channels - 1 do
                let first = image.First + int64 channel * channelBytes

                readBox case handle first 4 corner size (fun into bytes from count ->
                    ReadOnlySpan<byte>(bytes, from, count)
                        .CopyTo(
                            MemoryMarshal.AsBytes(
                                Span<float32>(
                                    canvas.Image,
                                    canvas.ImageStart + channel * size.Count + into,
                                    count / 4
                                )
                            )
                        ))

            match case.Places.TryFind "labels" with
            | None -> ()
            | Some place when place.Type = ElementType.Int16 ->
                readBox case handle place.First 2 corner size (fun into bytes from count ->
                    ReadOnlySpan<byte>(bytes, from, count)
                        .CopyTo(
                            MemoryMarshal.AsBytes(Span<int16>(canvas.Labels, canvas.LabelStart + into, count / 2))
                        ))
            | Some place ->
                readBox case handle place.First 1 corner size (fun into bytes from count ->
                    for i in 0 .. count - 1 do
                        canvas.Labels[canvas.LabelStart + into + i] <- int16 (sbyte bytes[from + i])))

    /// The box of extent `size` whose first corner is `origin`, as `Patch.cut` has it: outside the case the image is 0 and the
    /// labels are -1, and a plane's size out of a volume is one slice. All labels are -1 for a case without labels. Several threads
    /// may read one case. Throws ArgumentException when the box does not fit the case's rank, and ProblemException when the file
    /// cannot be read or was replaced since it was opened.
    let patch (size: Extent) (origin: int list) (case: StoredCase) : Patch =
        let canvas = Patch.canvas case.Channels size
        patchInto origin case canvas
        Patch.ofCanvas (Patch.spacing size.Rank case.Spacing) canvas

    /// The positions of its classes. A case without labels has none. Positions outside the case are a problem.
    let locations (case: StoredCase) : Result<ClassLocations, Problem> =
        let read (handle: SafeFileHandle) (place: TensorPlace) : int[] =
            let at = Array.zeroCreate<int>(int (place.Length / 4L))
            fill case handle place.First (MemoryMarshal.AsBytes(Span<int> at))

            if at |> Array.exists (fun position -> uint position >= uint case.Extent.Count) then
                unreadable
                    case.Path
                    $"its \"%s{place.Name}\" holds positions outside the case; preprocess the data set again"

            at

        let named (place: TensorPlace) : int option =
            if
                place.Type = ElementType.Int32
                && place.Name.StartsWith("class.", StringComparison.Ordinal)
            then
                StoredCase.tryInts (place.Name.Substring 6) |> Option.map List.head
            else
                None

        try
            reading case (fun handle ->
                Ok
                    {
                        Classes =
                            Map
                                [
                                    for place in case.Places.Values do
                                        match named place with
                                        | Some label -> label, read handle place
                                        | None -> ()
                                ]
                        Annotated =
                            case.Places.TryFind "annotated"
                            |> Option.filter (fun place -> place.Type = ElementType.Int32)
                            |> Option.map (read handle)
                    })
        with ProblemException problem ->
            Error problem

    /// The whole case.
    let load (case: StoredCase) : Result<PreprocessedCase, Problem> =
        Problem.attempt {
            let! locations = locations case

            let! whole =
                try
                    Ok(patch case.Extent (List.replicate case.Extent.Rank 0) case)
                with ProblemException problem ->
                    Error problem

            let isLabelled = case.Places.ContainsKey "labels"

            return
                {
                    Id = case.Id
                    Image = whole.Image
                    Labels = if isLabelled then Some whole.Labels else None
                    Properties = case.Properties
                    Locations = if isLabelled then Some locations else None
                }
        }

    /// A case to draw patches from. Nothing but the positions of its classes is held in memory. A problem for a case without labels.
    let prepare (case: StoredCase) : Result<Prepared, Problem> =
        if not (case.Places.ContainsKey "labels") then
            Error(Unreadable(case.Path, "it has no labels to draw patches by"))
        else
            locations case
            |> Result.map (fun locations ->
                {
                    Id = case.Id
                    Channels = case.Channels
                    Extent = case.Extent
                    Locations = locations.Classes
                    Annotated = locations.Annotated
                    Skeleton = None
                    FirstStage = None
                    Spacing = case.Spacing
                    CutInto = fun origin canvas -> patchInto origin case canvas
                })
