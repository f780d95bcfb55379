namespace SkeletonRecall.Training

open System
open System.Globalization
open System.Runtime.InteropServices
open System.Text
open SkeletonRecall

/// Skeletons of cases as files, so that they are made once: safetensors with the positions and radii along each strand
/// and the class of each, and the options that made it as text. A file's name has a key in it that depends on all that the
/// skeleton depends on, the labels among it; a file made of something else is never taken for the right one.
[<RequireQualifiedAccess>]
module SkeletonStore =

    let private format = "skeleton-recall skeleton 1"

    /// What made a skeleton, in one line. The tube's radius is not part of it.
    let print (options: TubeOptions) (ignore: int option) (patchAxes: int) : string =
        let number (value: IFormattable) : string =
            value.ToString(null, CultureInfo.InvariantCulture)

        let option (print: 'T -> string) (value: 'T option) : string =
            value |> Option.map print |> Option.defaultValue "none"

        String.Join(
            "; ",
            [
                "skeleton of "
                + match options.SkeletonOf with
                  | SkeletonOf.MergedForeground -> "merged foreground"
                  | SkeletonOf.EachClass -> "each class"
                "ignore " + option number options.Ignore
                "guard " + (if options.Guard then "on" else "off")
                "prune " + options.Prune.ToString("R", CultureInfo.InvariantCulture)
                "thinning "
                + option
                    (function
                    | Thinning.Zhang -> "zhang"
                    | Thinning.Lee -> "lee")
                    options.Thinning
                "data set ignores " + option number ignore
                "patch axes " + number patchAxes
            ]
        )

    /// The key of a skeleton: 16 hexadecimal digits of a hash of the options, the grid and the labels.
    let key (options: TubeOptions) (ignore: int option) (patchAxes: int) (labels: LabelMap) : string =
        let text =
            $"%s{format}; %s{print options ignore patchAxes}; %O{labels.Extent}; %O{labels.Spacing}"

        let values = MemoryMarshal.AsBytes(ReadOnlySpan<int16> labels.Data).ToArray()
        (Sha256.hex (Array.append (Encoding.UTF8.GetBytes text) values)).Substring(0, 16)

    let private raw (values: 'T[]) : byte[] =
        MemoryMarshal.AsBytes(ReadOnlySpan<'T> values).ToArray()

    let private tensor (name: string) (element: ElementType) (count: int) (bytes: byte[]) : StoredTensor =
        {
            Name = name
            Type = element
            Shape = [ count ]
            Bytes = bytes
        }

    /// Writes a skeleton; `made` says by which options (see `print`).
    let save (path: string) (key: string) (made: string) (skeleton: CaseSkeleton) : Result<unit, Problem> =
        let strands = skeleton.Strands
        let voxels = strands |> Array.collect (fun strand -> strand.Voxels)
        let lengths = strands |> Array.map (fun strand -> strand.Voxels.Length)

        let content =
            {
                Metadata =
                    Map.ofList
                        [
                            "format", format
                            "key", key
                            "options", made
                            "shape",
                            String.Join(
                                ",",
                                skeleton.Extent.Shape
                                |> List.map (fun axis -> axis.ToString CultureInfo.InvariantCulture)
                            )
                            "slicewise", (if skeleton.Slicewise then "true" else "false")
                        ]
                Tensors =
                    [
                        tensor "voxels" ElementType.Int32 voxels.Length (raw voxels)
                        tensor
                            "radii"
                            ElementType.Float32
                            voxels.Length
                            (raw (strands |> Array.collect (fun strand -> strand.Radii)))
                        tensor "lengths" ElementType.Int32 lengths.Length (raw lengths)
                        tensor
                            "classes"
                            ElementType.Int16
                            lengths.Length
                            (raw (strands |> Array.map (fun strand -> strand.Class)))
                    ]
            }

        Files.writeAtomically path (fun stream -> Safetensors.write stream content)

    let private values<'T when 'T: struct and 'T: (new: unit -> 'T) and 'T :> ValueType>
        (name: string)
        (element: ElementType)
        (content: Safetensors)
        : 'T[] option =
        content.Tensors
        |> List.tryFind (fun tensor -> tensor.Name = name && tensor.Type = element && tensor.Shape.Length = 1)
        |> Option.map (fun tensor -> MemoryMarshal.Cast<byte, 'T>(ReadOnlySpan tensor.Bytes).ToArray())

    // The skeleton of a file's content, where it is whole and is the one that is wanted.
    let private decode (key: string) (extent: Extent) (content: Safetensors) : CaseSkeleton option =
        let has (name: string) (wanted: string) =
            content.Metadata.TryFind name = Some wanted

        match
            values<int> "voxels" ElementType.Int32 content,
            values<float32> "radii" ElementType.Float32 content,
            values<int> "lengths" ElementType.Int32 content,
            values<int16> "classes" ElementType.Int16 content
        with
        | Some voxels, Some radii, Some lengths, Some classes when
            has "format" format
            && has "key" key
            && voxels.Length = radii.Length
            && lengths.Length = classes.Length
            && Array.forall (fun length -> length > 0) lengths
            && Array.sumBy int64 lengths = int64 voxels.Length
            && Array.forall (fun voxel -> uint voxel < uint extent.Count) voxels
            ->
            let starts = Array.scan (+) 0 lengths

            Some
                {
                    Extent = extent
                    Slicewise = has "slicewise" "true"
                    Strands =
                        Array.init lengths.Length (fun number ->
                            {
                                Class = classes[number]
                                Voxels = Array.sub voxels starts[number] lengths[number]
                                Radii = Array.sub radii starts[number] lengths[number]
                            })
                }
        | _ -> None

    /// Reads a skeleton with the given key of a case with the given extent. None where there is no such file or what it
    /// holds is damaged or something else: the skeleton is to be made then.
    let tryLoad (path: string) (key: string) (extent: Extent) : CaseSkeleton option =
        if not (Files.exists path) then
            None
        else
            match Safetensors.readFile path with
            | Ok content -> decode key extent content
            | Error _ -> None

    /// The case with its skeleton, from the file that `place` names for a key; where that is not there, the skeleton is made
    /// (see `Case.skeletonize`) and written there. The case as it is where it has no labels.
    let attach
        (place: string -> string)
        (options: TubeOptions)
        (ignore: int option)
        (patchAxes: int)
        (case: Case)
        : Result<Case, Problem> =
        match case.Labels with
        | None -> Ok case
        | Some labels ->
            let key = key options ignore patchAxes labels
            let path = place key

            match tryLoad path key labels.Extent with
            | Some skeleton -> Ok(Case.withSkeleton skeleton case)
            | None ->
                let made = Case.skeletonize options ignore patchAxes { case with Skeleton = None }

                match made.Skeleton with
                | None -> Ok made
                | Some skeleton ->
                    save path key (print options ignore patchAxes) skeleton
                    |> Result.map (fun () -> made)
