namespace SkeletonRecall.Tests

open System.Text.Json
open TorchSharp
open Expecto
open SkeletonRecall

/// What one head of a loss record holds, as arrays.
type RecordedHead =
    {
        Logits: NumpyArray
        Truth: NumpyArray option
        Skeleton: NumpyArray option
        Mask: NumpyArray option
        Gradient: float[]
    }

/// The loss records of `shared/parity`: values and gradients of upstream's formulas.
[<RequireQualifiedAccess>]
module LossRecords =

    let private files (element: JsonElement) : string list =
        if element.ValueKind = JsonValueKind.Array then
            [ for file in element.EnumerateArray() -> string file ]
        else
            [ string element ]

    let private arrays (parent: JsonElement) (key: string) : NumpyArray list =
        match parent.TryGetProperty key with
        | true, element ->
            files element
            |> List.map (fun file -> Golden.numpy (Golden.sharedPath $"parity/%s{file}"))
        | _ -> []

    /// A parameter of the record that is a number.
    let number (key: string) (record: Parity.Record) : float =
        record.Json.GetProperty("params").GetProperty(key).GetDouble()

    /// A parameter of the record that is true or false.
    let flag (key: string) (record: Parity.Record) : bool =
        record.Json.GetProperty("params").GetProperty(key).GetBoolean()

    /// The id of the ignore label, if the record has one.
    let ignored (record: Parity.Record) : int64 option =
        match record.Json.GetProperty("params").TryGetProperty "ignore" with
        | true, value when value.ValueKind = JsonValueKind.Number -> Some(value.GetInt64())
        | _ -> None

    /// The heads, finest first.
    let heads (record: Parity.Record) : RecordedHead list =
        let inputs = record.Json.GetProperty "inputs"
        let expected = record.Json.GetProperty("expected").GetProperty "f64"
        let logits = arrays inputs "logits"
        let at (key: string) (head: int) = arrays inputs key |> List.tryItem head

        List.zip logits (arrays expected "grad_logits")
        |> List.mapi (fun head (logits, gradient) ->
            {
                Logits = logits
                Truth = at "target" head
                Skeleton = at "skel" head
                Mask = at "mask" head
                Gradient = Golden.values<float> gradient
            })

    let private shape (array: NumpyArray) : int64[] =
        array.Shape |> List.map int64 |> List.toArray

    /// Ids as int64 where everything is double, as the int16 of training otherwise.
    let private ids (kind: torch.ScalarType) (array: NumpyArray) (values: int64[]) : Tensor =
        let shape = List.map int64 array.Shape
        use narrow = Tensors.ofInt16 shape (Array.map int16 values)
        narrow.``to`` ((if kind = torch.float64 then torch.int64 else torch.int16), copy = true)

    /// The target of a head. The ignore label becomes background that does not count.
    let target (kind: torch.ScalarType) (ignored: int64 option) (head: RecordedHead) : Target =
        let truth =
            match head.Truth with
            | Some truth -> truth
            | None -> head.Skeleton.Value

        let labels = Golden.integers truth
        let isIgnored (label: int64) = Some label = ignored

        let valid =
            match head.Mask, ignored with
            | Some mask, _ -> Some(mask, Golden.integers mask |> Array.map byte)
            | None, Some _ -> Some(truth, labels |> Array.map (fun label -> if isIgnored label then 0uy else 1uy))
            | None, None -> None

        {
            Truth = Classes(ids kind truth (labels |> Array.map (fun label -> if isIgnored label then 0L else label)))
            Skeleton =
                head.Skeleton
                |> Option.map (fun skeleton -> ids kind skeleton (Golden.integers skeleton))
            Valid =
                valid
                |> Option.map (fun (array, mask) -> Tensors.ofBytes (List.map int64 array.Shape) mask)
        }

    let private compare (record: Parity.Record) (kind: torch.ScalarType) (loss: HeadLoss) : unit =
        let isDouble = kind = torch.float64
        let heads = heads record
        use _scope = Tensors.scope ()

        let logits =
            heads
            |> List.map (fun head ->
                let values =
                    Tensors.ofArray (List.map int64 head.Logits.Shape) (Golden.values<float32> head.Logits)

                values.``to``(kind).detach().requires_grad_ true)

        let targets = heads |> List.map (target kind (ignored record))
        let value = loss logits targets
        value.backward ()

        let expected =
            record.Json.GetProperty("expected").GetProperty("f64").GetProperty("loss").GetDouble()

        let tolerance = if isDouble then 1e-10 else 1e-5 * abs expected

        Expect.isLessThanOrEqual
            (abs (Tensors.item value - expected))
            tolerance
            $"loss in %O{kind}: %g{expected} wanted"

        let largest =
            heads
            |> List.map (fun head -> head.Gradient |> Array.map abs |> Array.max)
            |> List.max

        for head, logits in List.zip heads logits do
            let gradient =
                match logits.grad with
                | null -> Array.zeroCreate head.Gradient.Length
                | gradient -> Tensors.toArray<float>(gradient.``to`` torch.float64)

            Expect.equal (shape head.Logits) logits.shape "shape"

            let difference =
                Array.map2 (fun got wanted -> abs (got - wanted)) gradient head.Gradient
                |> Array.max

            let tolerance = if isDouble then 1e-10 else 1e-6 * largest
            Expect.isLessThanOrEqual difference tolerance $"gradient in %O{kind}, largest %g{largest}"

    /// One test per record of the kind, in double and in single precision.
    let tests (kind: string) (loss: Parity.Record -> HeadLoss) : Test =
        let records =
            Parity.losses
            |> List.filter (fun record -> string (record.Json.GetProperty "kind") = kind)

        Parity.tests $"records %s{kind}" records (fun record ->
            LibTorch.ensure ()
            compare record torch.float64 (loss record)
            compare record torch.float32 (loss record))

    /// A loss of one head as one of a list of one head.
    let single (loss: Loss) (logits: Tensor list) (targets: Target list) : Tensor =
        loss (List.exactlyOne logits) (List.exactlyOne targets)
