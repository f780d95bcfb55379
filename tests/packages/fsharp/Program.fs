module Consumer.Program

open SkeletonRecall
open SkeletonRecall.Charts
open SkeletonRecall.Training
open TorchSharp

// The libtorch package is there twice: TorchSharp's own look-up must not meet another copy than ours.
[<EntryPoint>]
let main _ =
    let case = Synthetic.vessels Synthetic.standard (Seed.ofInt 1)
    let labels = case.Labels.Value
    let tube = Tube.ofLabels Tube.standard labels
    let height, width = int64 labels.Extent.Height, int64 labels.Extent.Width
    LibTorch.ensure ()

    let value =
        Tensors.measured (fun () ->
            let logits = torch.zeros ([| 1L; 2L; height; width |], requires_grad = true)

            let target =
                {
                    Truth = Classes(Tensors.ofLabels labels)
                    Skeleton = Some(Tensors.ofLabels tube)
                    Valid = None
                }

            let loss = SoftRecall.loss SoftRecall.standard logits target
            loss.backward ()
            Tensors.item loss)

    // Even logits recall half of every tube.
    printfn
        "recall %.4f, %d pixels of tube, libtorch %s, chart %s"
        value
        (Mask.count (Tube.binarize tube))
        (LibTorch.folder () |> Option.defaultValue "?")
        RunReport.file

    if abs (value + 0.5) < 1e-3 then 0 else 1
