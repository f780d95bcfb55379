namespace SkeletonRecall.Benchmarks

open System
open SkeletonRecall.Training

module Program =

    type private Options =
        {
            Json: string option
            Quick: bool
            /// A part of the names of the cases to run.
            Only: string
            /// The device whose rows of training are wanted, and no others.
            Device: Device option
        }

    let private usage =
        "compare [--json FILE] [--quick] [--only TEXT] | compare --device cpu|cuda|mps [--quick]\n"
        + "  --json FILE  also writes the rows to a file\n"
        + "  --quick      shorter runs, without the large cases\n"
        + "  --only TEXT  only the cases whose name holds the text, none of the losses\n"
        + "  --device     training on the device alone: time of a step, share of waiting for data, memory\n"
        + "losses [TEXT]  the rows of losses alone, those whose name holds the text\n"
        + "training       augmented batches, steps, what lives on after 10,000 of them, memory of a prediction; each alone by\n"
        + "               batches, steps, lasting, memory behind it"

    let rec private parse (options: Options) (arguments: string list) : Options option =
        match arguments with
        | [] -> Some options
        | "--quick" :: rest -> parse { options with Quick = true } rest
        | "--only" :: text :: rest -> parse { options with Only = text } rest
        | "--json" :: file :: rest -> parse { options with Json = Some file } rest
        | "--device" :: name :: rest ->
            Device.tryParse name
            |> Option.bind (fun device -> parse { options with Device = Some device } rest)
        | _ -> None

    let private compare (options: Options) : int =
        let python = Python.find ()
        let seconds = if options.Quick then 0.3 else 1.0
        printfn "%s" Row.machine

        match python with
        | Some python -> printfn "theirs: %s (%s)" python.Versions python.Command
        | None -> printfn "theirs: plain F#, one voxel at a time; no Python here imports scikit-image and scipy"

        printfn "\n%s" Row.header

        let gudhi = python |> Option.forall (Python.has "gudhi")

        let rows =
            Cases.all options.Quick gudhi
            @ DistanceCases.all
            @ ScoreCases.all options.Quick gudhi
            @ FormatCases.all options.Quick
            |> List.choose (fun case ->
                let case = case ()

                if case.Name.Contains options.Only then
                    let row = Row.measure python seconds case
                    printfn "%s" (Row.print row)
                    Some row
                else
                    None)

        let rows =
            rows
            @ PreprocessCases.run python seconds options.Only
            @ PredictCases.run options.Quick seconds options.Only
            @ MemoryCases.run options.Quick options.Only

        let rows =
            if options.Only = "" then
                rows @ LossCases.run python options.Quick ""
            else
                rows

        options.Json |> Option.iter (fun file -> Row.save file python rows)
        if List.forall (fun row -> row.Equal) rows then 0 else 1

    [<EntryPoint>]
    let main (arguments: string[]) : int =
        match List.ofArray arguments with
        | "compare" :: rest ->
            match
                parse
                    {
                        Json = None
                        Quick = false
                        Only = ""
                        Device = None
                    }
                    rest
            with
            | Some { Device = Some device; Quick = quick } ->
                match DeviceCases.run quick device with
                | Ok code -> code
                | Error problem ->
                    eprintfn "%s" (Problem.message problem)
                    1
            | Some options -> compare options
            | None ->
                eprintfn "%s" usage
                2
        | MemoryCases.Command :: rest ->
            MemoryCases.child rest
            0
        | "loss" :: rest ->
            LossCases.child rest
            0
        | "training" :: parts ->
            let isAsked (part: string) =
                List.isEmpty parts || List.contains part parts

            printfn "%s" Row.machine

            for part, run in
                [
                    "batches", AugmentCases.augmented
                    "steps", (fun () -> TrainCases.steps 200)
                    "lasting", (fun () -> TrainCases.lasting 10000)
                    "memory", TrainCases.memory
                ] do
                if isAsked part then
                    run ()

            0
        | [ "preprocess" ] ->
            PreprocessCases.child ()
            0
        | "losses" :: only when only.Length <= 1 ->
            let rows =
                LossCases.run (Python.find ()) false (only |> List.tryHead |> Option.defaultValue "")

            if List.forall (fun row -> row.Equal) rows then 0 else 1
        | _ ->
            eprintfn "%s" usage
            2
