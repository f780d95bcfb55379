namespace SkeletonRecall.Training

open System.IO
open System.Text
open System.Text.Encodings.Web
open System.Text.Json

/// Writing JSON as Python's json does: letters as they are, lines that end in a line feed.
[<RequireQualifiedAccess>]
module JsonText =

    /// What `write` writes, with this indent.
    let print (indent: int) (write: Utf8JsonWriter -> unit) : string =
        use buffer = new MemoryStream()

        let options =
            JsonWriterOptions(
                Indented = true,
                IndentSize = indent,
                NewLine = "\n",
                Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping
            )

        do
            use writer = new Utf8JsonWriter(buffer, options)
            write writer

        Encoding.UTF8.GetString(buffer.ToArray())
