namespace SkeletonRecall.Tests

open System.Text.Json
open TorchSharp
open Expecto
open SkeletonRecall

/// Numbers that the public code of other losses gave for the samples of LossSamples; see golden/README.md.
[<RequireQualifiedAccess>]
module FamilyGolden =

    let private document: Lazy<JsonDocument> =
        lazy JsonDocument.Parse(System.IO.File.ReadAllText(Golden.path "losses/family.json"))

    /// The numbers of an entry.
    let values (name: string) : float list =
        [
            for value in document.Value.RootElement.GetProperty(name).EnumerateArray() -> value.GetDouble()
        ]

    /// Two samples of 12 x 14 pixels, a thick and a thin bar of two classes in each, and logits that know them from noise.
    let scene () : Tensor * Target =
        let label (sample: int) (row: int) (column: int) : int =
            let inside (top: int, bottom: int, left: int, right: int) =
                row >= top && row < bottom && column >= left && column < right

            match sample with
            | 0 when inside (9, 11, 1, 9) -> 2
            | 0 when inside (3, 8, 2, 12) -> 1
            | 1 when inside (2, 4, 8, 13) -> 2
            | 1 when inside (1, 11, 4, 7) -> 1
            | _ -> 0

        let voxels = 12 * 14

        let labels =
            Array.init (2 * voxels) (fun at -> int16 (label (at / voxels) (at % voxels / 14) (at % 14)))

        let logits =
            Array.init (6 * voxels) (fun at ->
                let channel = at / voxels % 3
                let isTrue = int labels[at / (3 * voxels) * voxels + at % voxels] = channel
                2.0 * sin (12.9898 * float (at + 1)) + (if isTrue then 3.0 else 0.0))

        Tensors.ofDoubles [ 2L; 3L; 12L; 14L ] logits, Target.ofClasses (Tensors.ofInt16 [ 2L; 1L; 12L; 14L ] labels)

    /// The foreground of the scene as two regions.
    let regions () : Tensor * Target =
        let logits, target = scene ()

        match target.Truth with
        | Classes ids ->
            let inside =
                torch.cat ([| for region in 1..2 -> ids.eq (Scalar.op_Implicit region) |], 1L)

            logits.narrow (1L, 1L, 2L), Target.ofRegions (inside.``to`` torch.uint8)
        | Regions _ -> failtest "classes are wanted"

    /// Fails unless value and sum of the gradient's absolute entries are those of an entry.
    let agree (tolerance: float) (name: string) (loss: Loss) (logits: Tensor) (target: Target) : unit =
        let value, gradient = LossSamples.differentiate loss logits target

        match values name with
        | [ wanted; slope ] ->
            let close = { absolute = 0.0; relative = tolerance }
            Expect.floatClose close value wanted $"%s{name}: value"
            Expect.floatClose close (Array.sumBy abs gradient) slope $"%s{name}: gradient"
        | other -> failtest $"%s{name} holds %d{other.Length} numbers"
