namespace SkeletonRecall.Training

/// How often, and along which axes, a U-Net halves a patch; nnU-Net's `get_pool_and_conv_props`.
type Pooling =
    {
        /// The patch, each axis padded up to a multiple of its divisor.
        PatchSize: int list
        /// The stride of each stage, the first all 1.
        Strides: int list list
        /// The kernel of each stage.
        KernelSizes: int list list
        /// 2 to the number of times that each axis is halved.
        Divisor: int list
    }

/// The topology of a U-Net for a patch.
[<RequireQualifiedAccess>]
module Pooling =

    /// No axis becomes shorter than this.
    let private smallest = 4.0

    /// The axes to halve at this stage: long enough, and with a spacing of less than twice the finest of those that are long enough.
    let private axesToPool (spacing: float list) (size: float list) : bool list =
        let long = size |> List.map (fun length -> length >= 2.0 * smallest)

        if not (List.contains true long) then
            long
        else
            let finest = List.zip spacing long |> List.filter snd |> List.map fst |> List.min

            let pooled =
                List.map2 (fun long spacing -> long && spacing / finest < 2.0) long spacing

            match List.zip size pooled |> List.filter snd with
            | [ length, _ ] when length < 3.0 * smallest -> List.map (fun _ -> false) pooled
            | _ -> pooled

    /// The topology for a patch of `size` voxels of `spacing` mm, one entry per axis, slowest first. One stage, when no
    /// axis reaches 8 voxels. Median sizes may end in 0.5.
    /// Throws ArgumentException when the lists differ in length or hold values below 1 voxel or 0 mm.
    let ofSizes (spacing: float list) (size: float list) : Pooling =
        if
            spacing.Length <> size.Length
            || List.exists (fun length -> not (length >= 1.0)) size
            || List.exists (fun spacing -> not (spacing > 0.0)) spacing
        then
            invalidArg
                (nameof size)
                $"A patch has one positive size and one positive spacing per axis; got %A{size} and %A{spacing}."

        let rec descend
            (spacing: float list)
            (current: float list)
            (kernel: int list)
            (strides: int list list)
            (kernels: int list list)
            : int list list * int list list =
            let pooled = axesToPool spacing current

            if not (List.contains true pooled) then
                List.rev strides, List.rev (List.map (fun _ -> 3) kernel :: kernels)
            else
                let finest = List.min spacing
                // An axis that once has a kernel of 3 keeps it.
                let kernel =
                    List.map2
                        (fun kernel spacing -> if kernel = 3 || spacing / finest < 2.0 then 3 else 1)
                        kernel
                        spacing

                let stride = pooled |> List.map (fun pool -> if pool then 2 else 1)

                descend
                    (List.map2 (fun spacing stride -> spacing * float stride) spacing stride)
                    (List.map2 (fun length stride -> ceil (length / float stride)) current stride)
                    kernel
                    (stride :: strides)
                    (kernel :: kernels)

        let ones = size |> List.map (fun _ -> 1)
        let strides, kernels = descend spacing size ones [ ones ] []
        let divisor = strides |> List.fold (List.map2 (*)) ones

        {
            PatchSize = List.map2 (fun length divisor -> int (ceil (length / float divisor)) * divisor) size divisor
            Strides = strides
            KernelSizes = kernels
            Divisor = divisor
        }

    /// The same for a patch of whole sizes.
    let topology (spacing: float list) (size: int list) : Pooling = ofSizes spacing (List.map float size)
