namespace SkeletonRecall.Training

open System
open System.Runtime.InteropServices
open SkeletonRecall

/// Where the classes of a case lie, for patches that must show one: nnU-Net's `class_locations`.
type ClassLocations =
    {
        /// Row-major positions of each foreground label that occurs, ascending labels; a sample of them where there are many.
        Classes: Map<int, int[]>
        /// Where the data set has an ignore label: a sample of the positions that are annotated.
        Annotated: int[] option
    }

/// Finding them.
[<RequireQualifiedAccess>]
module ClassLocations =

    /// At least so many positions of a label are kept (or all there are), and at least the share below.
    let private keptAtLeast = 10000

    let private keptShare = 0.01
    let private seed = 1234u

    /// Of many positions, the ones that nnU-Net keeps: the first of numpy's permutation.
    let private thinOut (random: NumpyRandom) (positions: int[]) : int[] =
        let count = positions.Length

        let kept = max (min keptAtLeast count) (int (Math.Ceiling(keptShare * float count)))

        let order = random.Permutation count
        Array.init kept (fun i -> positions[order[i]])

    // How often each label from 0 on occurs.
    let private histogram (data: int16[]) : int[] =
        let counts = Array.zeroCreate<int>(int Int16.MaxValue + 1)

        for label in data do
            if label >= 0s then
                counts[int label] <- counts[int label] + 1

        counts

    // The positions of all labels above 0 but the ignored one, each label's together.
    let private positions (counts: int[]) (ignored: int) (data: int16[]) : int[][] =
        let places =
            counts
            |> Array.mapi (fun label count ->
                if label > 0 && label <> ignored && count > 0 then
                    Array.zeroCreate<int> count
                else
                    [||])

        let filled = Array.zeroCreate<int> counts.Length
        // Four labels at a time: most are background.
        let words = MemoryMarshal.Cast<int16, uint64>(ReadOnlySpan data)

        let note (at: int) =
            let label = int data[at]

            if label > 0 && label <> ignored then
                places[label][filled[label]] <- at
                filled[label] <- filled[label] + 1

        for word in 0 .. words.Length - 1 do
            if words[word] <> 0UL then
                for at in 4 * word .. 4 * word + 3 do
                    note at

        for at in 4 * words.Length .. data.Length - 1 do
            note at

        places

    // Positions of the labels that are not ignored: they are annotated.
    let private annotated (random: NumpyRandom) (count: int) (ignored: int) (data: int16[]) : int[] =
        let found = Array.zeroCreate<int>(data.Length - count)
        let mutable next = 0

        for at in 0 .. data.Length - 1 do
            if int data[at] <> ignored then
                found[next] <- at
                next <- next + 1

        thinOut random found

    // `merge` makes the classes of the positions of each label.
    let private find (ignore: int option) (labels: LabelMap) (merge: int[][] -> (int * int[]) list) : ClassLocations =
        let data = labels.Data
        let counts = histogram data
        let random = NumpyRandom seed

        let classes =
            [
                for key, places in merge (positions counts (Option.defaultValue -1 ignore) data) do
                    if places.Length > 0 then
                        key, thinOut random places
            ]

        {
            Classes = Map.ofList classes
            Annotated =
                ignore
                |> Option.map (fun ignored -> annotated random counts[ignored] ignored data)
        }

    /// The positions of the labels of a case, as nnU-Net samples them (seed 1234). `ignore` is the data set's ignore label.
    /// Labels below 0, which mark what lies outside, are no class.
    let ofLabels (ignore: int option) (labels: LabelMap) : ClassLocations =
        find ignore labels (fun places ->
            [
                for label in 1 .. places.Length - 1 do
                    if places[label].Length > 0 then
                        label, places[label]
            ])

    /// The same for the classes of a data set: its labels, or its regions, numbered from 1 in their order. Regions may share
    /// positions.
    let ofDataset (dataset: Dataset) (labels: LabelMap) : ClassLocations =
        if Dataset.hasRegions dataset then
            find dataset.Ignore labels (fun places ->
                dataset.Regions
                |> List.mapi (fun number region ->
                    let found = region.Labels |> List.map (fun label -> places[label]) |> Array.concat
                    Array.sortInPlace found
                    number + 1, found))
        else
            ofLabels dataset.Ignore labels
