namespace SkeletonRecall.Cli

open System
open SkeletonRecall
open SkeletonRecall.Training

/// What several commands read from their flags in the same way.
[<RequireQualifiedAccess>]
module Flags =

    /// The problem of a flag: what came, and what was wanted.
    let wrong (flag: string) (got: string) (wanted: string) : Result<'T, Problem> = Error(Mismatch(flag, got, wanted))

    /// A number that was given is no less than this.
    let atLeast (flag: string) (least: int) (value: int option) : Result<unit, Problem> =
        match value with
        | Some value when value < least -> wrong flag (string value) $"%d{least} or more"
        | _ -> Ok()

    /// The three folders, from the environment or the root that was named.
    let roots (root: string option) : Roots =
        Store.roots (Environment.GetEnvironmentVariable >> Option.ofObj) root

    let private named
        (flag: string)
        (tryParse: string -> 'T option)
        (known: string list)
        (name: string)
        : Result<'T, Problem> =
        match tryParse name with
        | Some found -> Ok found
        | None -> wrong flag $"'%s{name}'" (String.Join(", ", known))

    /// The device of a flag, the processor without one; a problem where it is not there.
    let device (name: string option) : Result<Device, Problem> =
        match name with
        | None -> Ok Device.Cpu
        | Some name ->
            Problem.attempt {
                let! device =
                    named "--device" Device.tryParse (List.map Device.print Device.all) name

                do! Device.require device
                return device
            }

    /// The precision of a flag, single without one; a problem where the device does not serve it.
    let precision (device: Device) (name: string option) : Result<Precision, Problem> =
        match name with
        | None -> Ok Precision.Float32
        | Some name ->
            Problem.attempt {
                let! precision =
                    named "--precision" Precision.tryParse (List.map Precision.print Precision.all) name

                do! Precision.require device precision
                return precision
            }

    /// Sets the threads of a tensor operation.
    let setThreads (count: int) : unit =
        LibTorch.ensure ()
        TorchSharp.torch.set_num_threads count

    /// Which of a fold's checkpoints is meant: `final` (the default), `best` or `latest`.
    let checkpointKind (text: string option) : Result<string, Problem> =
        // nnU-Net's own spelling of the flag's value is a file name.
        match
            (Option.defaultValue "final" text)
                .Replace("checkpoint_", "")
                .Replace(".pth", "")
                .Replace(".safetensors", "")
        with
        | "final"
        | "best"
        | "latest" as kind -> Ok kind
        | other -> wrong "--checkpoint" $"'%s{other}'" "final, best or latest"

    /// The objective of a flag's text, or what is wrong with it, and where.
    let objective (flag: string) (text: string option) : Result<Objective option, Problem> =
        match text with
        | None -> Ok None
        | Some text ->
            Objective.parse text
            |> Result.map Some
            |> Result.mapError (fun reason ->
                let reason = reason.Replace("At character", "at character").TrimEnd '.'
                Unreadable(flag, reason))

    /// Names of measures, separated by commas, or `all`.
    let measures (flag: string) (text: string) : Result<Measure list, Problem> =
        if text.Trim().ToLowerInvariant() = "all" then
            Ok Measure.all
        else
            text.Split(',', StringSplitOptions.RemoveEmptyEntries ||| StringSplitOptions.TrimEntries)
            |> Array.toList
            |> Problem.traverse (fun name ->
                Measure.parse name
                |> Result.mapError (fun _ ->
                    let known = Measure.all |> List.map Measure.print |> String.concat ", "
                    Mismatch(flag, $"'%s{name}'", $"names of measures, separated by commas: %s{known}")))
            |> Result.bind (fun found ->
                if found.IsEmpty then
                    Error(Mismatch(flag, "no name", "at least one measure"))
                else
                    Ok found)
