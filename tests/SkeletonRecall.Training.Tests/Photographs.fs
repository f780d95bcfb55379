/// Small folders of images and masks, and their conversion.
module SkeletonRecall.Tests.Photographs

open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training

/// A path of its parts.
let at (parts: string list) : string = Path.Combine(Array.ofList parts)

/// The path, whose folder is made.
let place (path: string) : string =
    Directory.CreateDirectory(Path.GetDirectoryName path |> string) |> ignore
    path

/// Converts with two workers.
let converted (recipe: Recipe) (source: string) (target: string) : Result<Converted, Problem> =
    Conversion.run recipe 2 CancellationToken.None (fun _ _ -> ()) source target

/// What a refusal says.
let messageOf (result: Result<Converted, Problem>) : string =
    match result with
    | Error problem -> Problem.message problem
    | Ok made -> failtest $"it was converted: %A{made.Notes}"

/// One channel from a function of the place.
let grey (height: int) (width: int) (value: int -> int) : Raster =
    {
        Width = width
        Height = height
        Channels = 1
        BitDepth = 8
        Samples = Array.init (width * height) (fun at -> uint16 (value at))
        Palette = None
    }

/// Three channels from a function of the place.
let colours (height: int) (width: int) (value: int -> int list) : Raster =
    {
        Width = width
        Height = height
        Channels = 3
        BitDepth = 8
        Samples =
            [|
                for at in 0 .. width * height - 1 do
                    for part in value at -> uint16 part
            |]
        Palette = None
    }

/// Writes a PNG file.
let png (path: string) (raster: Raster) : unit =
    File.WriteAllBytes(place path, Png.encode raster)

/// Writes a photograph of 8 x 6 pixels.
let photo (path: string) : unit =
    png path (colours 6 8 (fun at -> [ at; at % 7; 40 ]))

/// Images a and b with masks made by the function.
let folder (root: string) (mask: int -> Raster) : string =
    let source = at [ root; "source" ]

    for number, name in List.indexed [ "a"; "b" ] do
        photo (at [ source; "images"; name + ".png" ])
        png (at [ source; "masks"; name + ".png" ]) (mask number)

    source

/// Fails unless verify finds nothing.
let passes (target: string) : unit =
    let verified =
        Verification.run 1 CancellationToken.None (fun _ _ -> ()) target
        |> Problem.orThrow

    Expect.isEmpty verified.Findings "verify"

/// A fifth of the places.
let isOn (at: int) : bool = at % 5 = 0
