namespace SkeletonRecall

/// Graphs of the skeletons that tubes are grown from.
[<RequireQualifiedAccess>]
module TubeGraph =

    // Everything of several graphs of one grid, in their order.
    let private append (graphs: SkeletonGraph list) (empty: SkeletonGraph) : SkeletonGraph =
        (empty, graphs)
        ||> List.fold (fun all graph ->
            let shift = all.Nodes.Length

            { all with
                Nodes = Array.append all.Nodes graph.Nodes
                Branches =
                    graph.Branches
                    |> Array.map (fun branch ->
                        { branch with
                            Ends = branch.Ends |> Option.map (fun (first, last) -> first + shift, last + shift)
                        })
                    |> Array.append all.Branches
            })

    // The skeleton that the options make of a structure, as a graph with radii.
    let private ofStructure (options: TubeOptions) (structure: Mask) : SkeletonGraph =
        Tube.skeleton options structure
        |> SkeletonGraph.ofMask
        |> SkeletonGraph.withRadii (Distance.toBackground structure)

    /// The graph of the skeleton that `Tube.ofLabels` grows with the same options, with radii (distances to the outside
    /// of what was skeletonized) and classes. For `EachClass` it is the classes' graphs side by side, smallest class first.
    /// Throws ArgumentException as `Tube.ofLabels` does.
    let ofLabels (options: TubeOptions) (labels: LabelMap) : SkeletonGraph =
        TubeOptions.require options

        let isForeground (label: int16) =
            label > 0s && Some label <> options.Ignore

        let empty =
            Mask.empty labels.Extent
            |> Mask.withSpacing labels.Spacing
            |> SkeletonGraph.ofMask

        let graphs =
            match options.SkeletonOf with
            | SkeletonOf.MergedForeground -> [ ofStructure options (Mask.ofVolume isForeground labels) ]
            | SkeletonOf.EachClass ->
                labels.Data
                |> Array.distinct
                |> Array.filter isForeground
                |> Array.sort
                |> Array.map (fun label -> ofStructure options (Mask.ofVolume (fun value -> value = label) labels))
                |> List.ofArray

        append graphs empty |> SkeletonGraph.withClasses labels
