namespace SkeletonRecall.Training

open System
open System.Globalization
open System.IO
open System.Text
open System.Text.Json
open SkeletonRecall

/// Graphs of skeletons as text: two tables for spreadsheets, and JSON with every voxel. Numbers have a decimal point in any
/// culture; coordinates are in voxels, slowest axis first (slice, row, column; of a plane row, column), lengths and radii
/// in mm.
[<RequireQualifiedAccess>]
module GraphText =

    let private kind (kind: NodeKind) : string =
        match kind with
        | NodeKind.Isolated -> "isolated"
        | NodeKind.End -> "end"
        | NodeKind.Joint -> "joint"
        | NodeKind.Junction -> "junction"

    let private whole (value: int) : string =
        value.ToString CultureInfo.InvariantCulture

    // An empty cell where there is no number.
    let private real (value: float) : string =
        if Double.IsFinite value then
            value.ToString("R", CultureInfo.InvariantCulture)
        else
            ""

    let private axes (graph: SkeletonGraph) : string list =
        if graph.Extent.Rank = 2 then
            [ "row"; "column" ]
        else
            [ "slice"; "row"; "column" ]

    let private table (heading: string list) (rows: string list[]) : string =
        let text = StringBuilder()

        let add (fields: string list) =
            text.AppendJoin(',', fields).Append('\n') |> ignore

        add heading
        Array.iter add rows
        text.ToString()

    /// A line for each node: number, kind (isolated, end, joint, junction), degree, class, number of voxels, the mean of
    /// their coordinates, radius, tunnels.
    let nodes (graph: SkeletonGraph) : string =
        graph.Nodes
        |> Array.mapi (fun number node ->
            [
                whole number
                kind node.Kind
                whole node.Degree
                whole (int node.Class)
                whole node.Voxels.Length
                yield! List.map real node.Centre
                real node.Radius
                whole node.Tunnels
            ])
        |> table (
            [ "node"; "kind"; "degree"; "class"; "voxels" ]
            @ axes graph
            @ [ "radius_mm"; "tunnels" ]
        )

    /// A line for each branch: number, the nodes at its ends (empty for a ring), class, number of voxels from node to node,
    /// length, chord, tortuosity (empty where it is not finite), and the mean, smallest and largest radius.
    let branches (graph: SkeletonGraph) : string =
        graph.Branches
        |> Array.mapi (fun number branch ->
            let radius (summary: float[] -> float) =
                if branch.Radii.Length = 0 then
                    nan
                else
                    summary branch.Radii

            [
                whole number
                yield!
                    match branch.Ends with
                    | Some(first, last) -> [ whole first; whole last ]
                    | None -> [ ""; "" ]
                whole (int branch.Class)
                whole branch.Voxels.Length
                real branch.Length
                real branch.Chord
                real (SkeletonGraph.tortuosity branch)
                real (radius Array.average)
                real (radius Array.min)
                real (radius Array.max)
            ])
        |> table
            [
                "branch"
                "from"
                "to"
                "class"
                "voxels"
                "length_mm"
                "chord_mm"
                "tortuosity"
                "mean_radius_mm"
                "min_radius_mm"
                "max_radius_mm"
            ]

    let private number (json: Utf8JsonWriter) (name: string) (value: float) : unit =
        if Double.IsFinite value then
            json.WriteNumber(name, value)
        else
            json.WriteNull name

    let private numbers (json: Utf8JsonWriter) (name: string) (values: float seq) : unit =
        json.WriteStartArray name

        for value in values do
            if Double.IsFinite value then
                json.WriteNumberValue value
            else
                json.WriteNullValue()

        json.WriteEndArray()

    let private voxels (json: Utf8JsonWriter) (extent: Extent) (positions: int[]) : unit =
        json.WriteStartArray "voxels"

        for position in positions do
            json.WriteStartArray()

            if extent.Rank = 3 then
                json.WriteNumberValue(position / extent.Width / extent.Height)

            json.WriteNumberValue(position / extent.Width % extent.Height)
            json.WriteNumberValue(position % extent.Width)
            json.WriteEndArray()

        json.WriteEndArray()

    let private node (json: Utf8JsonWriter) (extent: Extent) (index: int) (node: SkeletonNode) : unit =
        json.WriteStartObject()
        json.WriteNumber("node", index)
        json.WriteString("kind", kind node.Kind)
        json.WriteNumber("degree", node.Degree)
        json.WriteNumber("class", int node.Class)
        numbers json "centre" node.Centre
        number json "radius_mm" node.Radius
        json.WriteNumber("tunnels", node.Tunnels)
        json.WriteNumber("cavities", node.Cavities)
        voxels json extent node.Voxels
        json.WriteEndObject()

    let private branch (json: Utf8JsonWriter) (extent: Extent) (index: int) (branch: SkeletonBranch) : unit =
        json.WriteStartObject()
        json.WriteNumber("branch", index)

        match branch.Ends with
        | Some(first, last) ->
            json.WriteNumber("from", first)
            json.WriteNumber("to", last)
        | None ->
            json.WriteNull "from"
            json.WriteNull "to"

        json.WriteNumber("class", int branch.Class)
        number json "length_mm" branch.Length
        number json "chord_mm" branch.Chord
        number json "tortuosity" (SkeletonGraph.tortuosity branch)
        numbers json "radii_mm" branch.Radii
        voxels json extent branch.Voxels
        json.WriteEndObject()

    /// Nodes and branches with the coordinates of their voxels; numbers that are not finite are null.
    let json (graph: SkeletonGraph) : string =
        use buffer = new MemoryStream()

        do
            use json = new Utf8JsonWriter(buffer)
            json.WriteStartObject()
            json.WriteStartArray "shape"
            graph.Extent.Shape |> List.iter json.WriteNumberValue
            json.WriteEndArray()
            numbers json "spacing_mm" graph.Spacing.Values
            number json "length_mm" (SkeletonGraph.length graph)
            json.WriteNumber("components", SkeletonGraph.components graph)
            json.WriteNumber("cycles", SkeletonGraph.cycles graph)
            json.WriteStartArray "nodes"
            graph.Nodes |> Array.iteri (node json graph.Extent)
            json.WriteEndArray()
            json.WriteStartArray "branches"
            graph.Branches |> Array.iteri (branch json graph.Extent)
            json.WriteEndArray()
            json.WriteEndObject()

        Encoding.UTF8.GetString(buffer.ToArray()) + "\n"
