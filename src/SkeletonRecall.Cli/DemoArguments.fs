namespace SkeletonRecall.Cli

open Argu

/// `demo`: the whole job on generated vessels.
type DemoArguments =
    | [<AltCommandLine("-o")>] Output of folder: string
    | Seed of number: int
    | Images of count: int
    | Size of pixels: int
    | Epochs of count: int
    | Iterations of count: int

    interface IArgParserTemplate with
        member this.Usage =
            match this with
            | Output _ -> "folder for everything the demo writes (default: ./skeleton-recall/demo)."
            | Seed _ -> "seed of the images, the weights and the patches (default: 1)."
            | Images _ -> "images to train on; as many again are held out (default: 12)."
            | Size _ -> "height and width of an image in pixels (default: 256)."
            | Epochs _ -> "epochs of each training (default: 15)."
            | Iterations _ -> "training steps of an epoch (default: 50)."
