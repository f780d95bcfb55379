namespace SkeletonRecall.Training

open System
open System.IO

/// Reading whole files and replacing them, with problems in place of exceptions.
[<RequireQualifiedAccess>]
module Files =

    /// Whether a file of this name is there.
    let exists (path: string) : bool = File.Exists path

    /// Whether a folder of this name is there.
    let isFolder (path: string) : bool = Directory.Exists path

    /// All bytes of a file. `wanted` ends the message when it is not there, e.g. "a label map is wanted".
    let read (path: string) (wanted: string) : Result<byte[], Problem> =
        try
            if Directory.Exists path then
                Error(Unreadable(path, "it is a folder"))
            elif File.Exists path then
                Ok(File.ReadAllBytes path)
            else
                Error(Missing(path, wanted))
        with
        | :? UnauthorizedAccessException -> Error(Unreadable(path, "there is no permission to read it"))
        | :? IOException as error -> Error(Unreadable(path, error.Message.TrimEnd '.'))

    let private reason (error: exn) : string =
        match error with
        | :? UnauthorizedAccessException -> "there is no permission to write there"
        | error -> error.Message.TrimEnd '.'

    /// Creates a folder and those above it, where they are missing.
    let createFolder (path: string) : Result<unit, Problem> =
        try
            Directory.CreateDirectory path |> ignore
            Ok()
        with
        | :? UnauthorizedAccessException
        | :? IOException as error -> Error(Unwritable(path, reason error))

    /// Writes a file beside its place and then moves it there, so that nobody ever sees half a file and a failure leaves
    /// what was there before. The folder is created. An exception of `write` itself passes through.
    let writeAtomically (path: string) (write: Stream -> unit) : Result<unit, Problem> =
        let path = Path.GetFullPath path
        // A name of its own, so that two processes do not write into one file.
        let unique = Guid.NewGuid().ToString("N").Substring(0, 8)
        let beside = $"%s{path}.%s{unique}.tmp"

        let discard () =
            try
                File.Delete beside
            with
            | :? IOException
            | :? UnauthorizedAccessException -> ()

        let store () =
            do
                use stream =
                    new FileStream(beside, FileMode.CreateNew, FileAccess.Write, FileShare.None)

                write stream

            File.Move(beside, path, true)

        let folder =
            match Path.GetDirectoryName path with
            | null -> path
            | folder -> folder

        match createFolder folder with
        | Error problem -> Error problem
        | Ok() ->
            try
                store ()
                Ok()
            with
            | :? UnauthorizedAccessException
            | :? IOException as error ->
                discard ()
                // The name beside is nobody's business.
                Error(Unwritable(path, (reason error).Replace(beside, path)))
            // What .NET's streams say of a file that is larger than the file system or the user's limit allows.
            | :? ArgumentOutOfRangeException as error when error.Source = "System.Private.CoreLib" ->
                discard ()
                Error(Unwritable(path, "it would be larger than a file may be there"))
            | _ ->
                discard ()
                reraise ()

    /// What `read` makes of a file, opened for reading; its reason becomes the problem. `wanted` as in `read`.
    let withStream (path: string) (wanted: string) (read: Stream -> Result<'T, string>) : Result<'T, Problem> =
        try
            if Directory.Exists path then
                Error(Unreadable(path, "it is a folder"))
            elif File.Exists path then
                use stream =
                    new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 131072)

                read stream |> Result.mapError (fun reason -> Unreadable(path, reason))
            else
                Error(Missing(path, wanted))
        with
        | :? UnauthorizedAccessException -> Error(Unreadable(path, "there is no permission to read it"))
        | :? IOException as error -> Error(Unreadable(path, error.Message.TrimEnd '.'))
