namespace SkeletonRecall.Training

open System
open System.IO

/// What a checkpoint of Python's nnU-Net (`checkpoint_final.pth`) says beside its weights' values.
type PythonCheckpoint =
    {
        /// The configuration's name in the plans: `2d`, `3d_fullres`.
        Configuration: string option
        /// The trainer class: `nnUNetTrainer`, `nnUNetTrainerSkeletonRecall`.
        Trainer: string option
        /// Axes (0 = slowest of the patch) along which prediction may mirror; None where the file does not say.
        MirrorAxes: int list option
        /// Epochs that are done.
        Epoch: int
        /// The tensors of the network with their shapes, each once, in the order of the file, under the names that nnU-Net
        /// calls them by first: `encoder.stages.0.0.convs.0.conv.weight`.
        Tensors: (string * int list) list
    }

/// Reading checkpoints of Python's nnU-Net v2 without Python: files of torch 1.6 and later. Nothing in them is run; see
/// `Pickle`. What they keep for further training (optimizer, log) is passed over and its numbers are not read.
[<RequireQualifiedAccess>]
module PythonCheckpoint =

    // Texts of the file stand in messages of one line.
    let private oneLine (text: string) : string =
        String.map (fun letter -> if Char.IsControl letter then '?' else letter) text

    // What DistributedDataParallel and torch.compile put in front.
    let rec private withoutPrefix (name: string) : string =
        [ "module."; "_orig_mod." ]
        |> List.tryFind (fun prefix -> name.StartsWith(prefix, StringComparison.Ordinal))
        |> Option.map (fun prefix -> withoutPrefix (name.Substring prefix.Length))
        |> Option.defaultValue name

    // The decoder holds the encoder, and a block its layers in a list too: the same tensor under up to 4 names.
    let private firstName (name: string) : string =
        let name =
            if name.StartsWith("decoder.encoder.", StringComparison.Ordinal) then
                name.Substring "decoder.".Length
            else
                name

        name.Replace(".all_modules.0.", ".conv.").Replace(".all_modules.1.", ".norm.")

    // The network's tensors, each under its first name; a name that stands itself counts before one that was made of another.
    let private tensors (root: Pickled) : (string * TorchTensor) list =
        let named =
            match Pickled.tryFind "network_weights" root with
            | Some(Pickled.Entries _ as weights) -> Pickled.entries weights
            | Some other -> Elements.refuse $"its network_weights are %s{Pickled.describe other}"
            | None ->
                match Pickled.entries root |> List.map fst |> List.truncate 12 with
                | [] -> Elements.refuse "it is no checkpoint of nnU-Net: it holds no network_weights"
                | keys ->
                    let keys = String.concat ", " keys
                    Elements.refuse $"it is no checkpoint of nnU-Net: network_weights is missing among %s{keys}"

        let views =
            named
            |> List.map (fun (name, value) ->
                match value with
                | Pickled.Tensor tensor -> withoutPrefix (oneLine name), tensor
                | other -> Elements.refuse $"its network_weights hold %s{Pickled.describe other} under %s{name}")

        let own = Map.ofList views

        views
        |> List.map (fun (name, tensor) ->
            let first = firstName name
            first, own.TryFind first |> Option.defaultValue tensor)
        |> List.distinctBy fst

    let private text (key: string) (value: Pickled) : string option =
        match Pickled.tryFind key value with
        | Some(Pickled.Text text) -> Some(oneLine text)
        | _ -> None

    let private axes (value: Pickled) : int list =
        let whole (item: Pickled) =
            match item with
            | Pickled.Whole axis when axis >= 0L && axis < 3L -> int axis
            | other -> Elements.refuse $"its inference_allowed_mirroring_axes hold %s{Pickled.describe other}"

        match value with
        | Pickled.Nothing -> []
        | Pickled.Tuple items -> items |> Array.map whole |> Array.distinct |> Array.sort |> List.ofArray
        | Pickled.Items items -> items |> Seq.map whole |> Seq.distinct |> Seq.sort |> List.ofSeq
        | other -> Elements.refuse $"its inference_allowed_mirroring_axes are %s{Pickled.describe other}"

    let private describe (root: Pickled) (tensors: (string * TorchTensor) list) : PythonCheckpoint =
        {
            Configuration = Pickled.tryFind "init_args" root |> Option.bind (text "configuration")
            Trainer = text "trainer_name" root
            MirrorAxes = Pickled.tryFind "inference_allowed_mirroring_axes" root |> Option.map axes
            Epoch =
                match Pickled.tryFind "current_epoch" root with
                | Some(Pickled.Whole epoch) when epoch >= 0L && epoch <= int64 Int32.MaxValue -> int epoch
                | _ -> 0
            Tensors = tensors |> List.map (fun (name, tensor) -> name, tensor.Shape)
        }

    /// Reads a checkpoint from a stream that can be sought; `path` names it in messages. `choose` sees what the file says
    /// and tells which tensors are wanted, by their names in `Tensors`; no others are read. Their values come back as 32-bit
    /// floats, row-major, in the order asked for. Memory is that of the wanted tensors and, where several share their
    /// numbers, of those. A problem, in one sentence, for a file of another kind, a damaged one, and one that asks for
    /// anything but tensors and plain values.
    let read
        (path: string)
        (stream: Stream)
        (choose: PythonCheckpoint -> Result<string list, Problem>)
        : Result<PythonCheckpoint * NamedArray list, Problem> =
        Elements.guard (fun () ->
            let file = TorchTensors.openFile stream
            let tensors = tensors file.Root
            let checkpoint = describe file.Root tensors
            let all = Map.ofList tensors

            choose checkpoint
            |> Result.map (fun names ->
                let wanted =
                    names
                    |> List.map (fun name ->
                        match all.TryFind name with
                        | Some tensor -> name, tensor
                        | None -> invalidArg (nameof choose) $"The checkpoint has no tensor %s{name}.")

                checkpoint, TorchTensors.floats file wanted))
        |> Result.mapError (fun reason -> Unreadable(path, reason))
        |> Result.bind id

    /// All tensors of a checkpoint's network; see `read`.
    let readAll (path: string) (stream: Stream) : Result<PythonCheckpoint * NamedArray list, Problem> =
        read path stream (fun checkpoint -> Ok(List.map fst checkpoint.Tensors))
