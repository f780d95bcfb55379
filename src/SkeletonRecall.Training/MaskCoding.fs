namespace SkeletonRecall.Training

open System
open System.Collections.Generic
open SkeletonRecall

/// How the values of masks become labels.
[<RequireQualifiedAccess>]
type MaskRule =
    /// By what is found: 0 and one other value are background and foreground; values 0, 1, 2 ... stay; other values and
    /// colours become 0, 1, 2 ... in ascending order. The background is the value that is named, else 0 or black, else what
    /// is found most often. Values between 0 and full white are refused unless `names` says how many classes there are.
    | Found of background: int option * names: string list
    /// 1 where the brightest channel is above the threshold.
    | Above of threshold: float
    /// Only these values, and their labels.
    | Fixed of labels: (int * int) list

/// From masks to labels: what is in them, and what it becomes.
[<RequireQualifiedAccess>]
module internal MaskCoding =

    /// What the numbers of a mask are.
    [<RequireQualifiedAccess>]
    type Kind =
        | Grey
        /// Indices of a palette.
        | Index
        /// 65536 red + 256 green + blue.
        | Colour

    /// A mask as it is stored.
    type Mask =
        {
            Kind: Kind
            Codes: int[]
            Extent: Extent
            Spacing: Spacing
            Geometry: Geometry
        }

    /// How often each value was found in masks of one kind.
    type Counts = { Kind: Kind; Times: Map<int, int64> }

    /// More values than this are no classes.
    let private most = 64

    let private ofRaster (raster: Raster) : Kind * int[] =
        let count = raster.Width * raster.Height

        let sample (at: int) (channel: int) : int =
            int raster.Samples[at * raster.Channels + channel]

        let isColoured (at: int) : bool =
            sample at 1 <> sample at 0 || sample at 2 <> sample at 0

        if raster.Palette.IsSome then
            Kind.Index, Array.init count (fun at -> sample at 0)
        elif raster.Channels < 3 || not (Seq.exists isColoured (seq { 0 .. count - 1 })) then
            Kind.Grey, Array.init count (fun at -> sample at 0)
        else
            let shift = max 0 (raster.BitDepth - 8)

            Kind.Colour,
            Array.init count (fun at ->
                (sample at 0 >>> shift <<< 16)
                ||| (sample at 1 >>> shift <<< 8)
                ||| (sample at 2 >>> shift))

    let private ofVoxels (file: ImageFile) : Result<Kind * int[], string> =
        Elements.guard (fun () -> VoxelValues.toLabels file.Values)
        |> Result.bind (fun values ->
            let count = file.Extent.Count
            let value (channel: int) (at: int) : int = int values[channel * count + at]

            if file.Channels = 1 then
                Ok(Kind.Grey, Array.init count (value 0))
            elif file.Channels < 3 then
                Error $"it has %d{file.Channels} channels; a mask has one, or colours"
            elif
                Seq.forall (fun at -> value 0 at = value 1 at && value 0 at = value 2 at) (seq { 0 .. count - 1 })
            then
                Ok(Kind.Grey, Array.init count (value 0))
            elif Array.exists (fun value -> value > 255us) values then
                Error "its colours have 16 bits; save it with 8"
            else
                Ok(Kind.Colour, Array.init count (fun at -> (value 0 at <<< 16) ||| (value 1 at <<< 8) ||| value 2 at)))

    /// A mask from a file, in the values that are stored.
    let read (path: string) : Result<Mask, Problem> =
        VoxelFile.read path "a mask is wanted"
        |> Result.bind (fun content ->
            match content with
            | Content.Pixels raster ->
                let kind, codes = ofRaster raster

                Ok
                    {
                        Kind = kind
                        Codes = codes
                        Extent = Extent.plane raster.Height raster.Width
                        Spacing = Spacing.unit 2
                        Geometry = Geometry.standard 2
                    }
            | Content.Voxels file ->
                ofVoxels file
                |> Result.mapError (fun reason -> Unreadable(path, reason))
                |> Result.map (fun (kind, codes) ->
                    {
                        Kind = kind
                        Codes = codes
                        Extent = file.Extent
                        Spacing = file.Spacing
                        Geometry = file.Geometry
                    }))

    /// How often each value is in a mask; an error where there are more than anyone could mean.
    let count (path: string) (mask: Mask) : Result<Counts, Problem> =
        let times = Dictionary<int, int64>()
        let mutable at = 0

        while at < mask.Codes.Length && times.Count <= 65536 do
            let code = mask.Codes[at]
            let mutable next = at + 1

            // Runs of one value are the rule.
            while next < mask.Codes.Length && mask.Codes[next] = code do
                next <- next + 1

            times[code] <- times.GetValueOrDefault(code, 0L) + int64 (next - at)
            at <- next

        if at < mask.Codes.Length then
            Error(
                Mismatch(
                    path,
                    "more than 65536 different colours",
                    "a mask of a few: is it a photograph? --threshold makes one class of it"
                )
            )
        else
            Ok
                {
                    Kind = mask.Kind
                    Times = Map.ofSeq (times |> Seq.map (fun entry -> entry.Key, entry.Value))
                }

    let private grey (code: int) : int = code * 0x010101

    // Grey values among colours are colours.
    let private asColour (kind: Kind) (code: int) : int =
        if kind = Kind.Grey then grey (min 255 code) else code

    let private add (left: Map<int, int64>) (right: Map<int, int64>) : Map<int, int64> =
        (left, right)
        ||> Map.fold (fun sum code times ->
            sum |> Map.change code (fun known -> Some(Option.defaultValue 0L known + times)))

    /// Both together. Grey masks may stand among coloured ones (a mask without objects is black); indices may not.
    let merge (left: Counts) (right: Counts) : Result<Counts, string> =
        let coloured (counts: Counts) =
            (Map.empty, counts.Times)
            ||> Map.fold (fun sum code times -> add sum (Map.ofList [ asColour counts.Kind code, times ]))

        match left.Kind, right.Kind with
        | one, other when one = other ->
            Ok
                { left with
                    Times = add left.Times right.Times
                }
        | Kind.Index, Kind.Colour
        | Kind.Colour, Kind.Index -> Error "some masks have a palette and others colours; save them all alike"
        | Kind.Index, _
        | _, Kind.Index ->
            Ok
                {
                    Kind = Kind.Index
                    Times = add left.Times right.Times
                }
        | _ ->
            Ok
                {
                    Kind = Kind.Colour
                    Times = add (coloured left) (coloured right)
                }

    let private name (kind: Kind) (code: int) : string =
        match kind with
        | Kind.Colour -> $"#%06x{code}"
        | Kind.Grey
        | Kind.Index -> string code

    let private listed (kind: Kind) (codes: int list) : string =
        let some = codes |> List.truncate 8 |> List.map (name kind) |> String.concat ", "

        if codes.Length > 8 then
            $"%s{some}, ... (%d{codes.Length} values)"
        else
            some

    /// Values and their labels, values ascending.
    type Coding = { Kind: Kind; Labels: Map<int, int16> }

    let private isWhite (code: int) : bool = code = 255 || code = 65535

    let private inOrder (counts: Counts) (codes: int list) : Coding =
        {
            Kind = counts.Kind
            Labels = codes |> List.mapi (fun label code -> code, int16 label) |> Map.ofList
        }

    // `names` are those of the foreground, as many as there are classes; none where nobody said.
    let private found (background: int option) (names: string list) (counts: Counts) : Result<Coding, string> =
        let codes = counts.Times |> Map.keys |> List.ofSeq
        let kind = counts.Kind
        let between = codes |> List.filter (fun code -> code > 0 && not (isWhite code))
        let hasWhite = kind = Kind.Grey && codes |> List.exists isWhite

        let ground =
            background
            |> Option.defaultWith (fun () ->
                if counts.Times.ContainsKey 0 then
                    0
                else
                    codes |> List.maxBy (fun code -> counts.Times[code]))

        if codes.Length > most then
            Error
                $"they hold %d{codes.Length} different values (%s{listed kind codes}), too many for classes; --threshold T makes one class of what is above T"
        elif not (counts.Times.ContainsKey ground) then
            Error $"the background %s{name kind ground} is not among their values (%s{listed kind codes})"
        elif codes.Length = 1 then
            Error $"they hold nothing but %s{listed kind codes}; is it the right folder?"
        elif not names.IsEmpty && names.Length <> codes.Length - 1 then
            Error
                $"they hold %d{codes.Length} values (%s{listed kind codes}) for the background and %d{names.Length} named classes; name each, or use --threshold T"
        elif names.IsEmpty && hasWhite && not between.IsEmpty then
            let share =
                let all = counts.Times |> Map.values |> Seq.sum

                100.0 * float (between |> List.sumBy (fun code -> counts.Times[code]))
                / float all

            Error
                $"they hold values between black and white (%s{listed kind between}; %.3g{share} %% of the pixels), as smoothing and JPEG leave them; --threshold 127 makes one class of what is brighter, --labels A,B,... says that each value is a class"
        else
            Ok(inOrder counts (ground :: List.except [ ground ] codes))

    /// What each value becomes, or why the masks cannot be labels.
    let decide (rule: MaskRule) (counts: Counts) : Result<Coding, string> =
        match rule with
        | MaskRule.Found(background, names) -> found background names counts
        | MaskRule.Above _ -> Ok(inOrder counts [ 0; 1 ])
        | MaskRule.Fixed labels ->
            let known = Map.ofList labels

            match
                counts.Times
                |> Map.keys
                |> Seq.filter (fun code -> not (known.ContainsKey code))
                |> List.ofSeq
            with
            | [] ->
                Ok
                    {
                        Kind = counts.Kind
                        Labels = known |> Map.map (fun _ label -> int16 label)
                    }
            | unknown ->
                let wanted = labels |> List.map (fst >> string) |> String.concat ", "
                Error $"they hold %s{listed counts.Kind unknown}; only %s{wanted} are known in this data set"

    /// One line: which values were found, how often, and what they became.
    let describe (names: string list) (counts: Counts) (coding: Coding) : string =
        let all = counts.Times |> Map.values |> Seq.sum

        let entries =
            counts.Times
            |> Map.toList
            |> List.map (fun (code, times) ->
                let label = int coding.Labels[code]

                let word =
                    List.tryItem label names
                    |> Option.map (fun name -> " " + name)
                    |> Option.defaultValue ""

                $"%s{name counts.Kind code} -> %d{label}%s{word} (%d{times} times, %.3g{100.0 * float times / float all} %%)")
            |> String.concat ", "

        let what =
            match counts.Kind with
            | Kind.Grey -> "values"
            | Kind.Index -> "palette indices"
            | Kind.Colour -> "colours"

        $"%s{what} of the masks: %s{entries}"

    /// The label map of a mask.
    let apply (coding: Coding) (mask: Mask) : LabelMap =
        let code =
            if coding.Kind = Kind.Colour && mask.Kind = Kind.Grey then
                asColour Kind.Grey
            else
                id

        let mutable last = Int32.MinValue
        let mutable label = 0s
        let labels = Array.zeroCreate<int16> mask.Codes.Length

        for at in 0 .. labels.Length - 1 do
            if mask.Codes[at] <> last then
                last <- mask.Codes[at]
                label <- coding.Labels[code last]

            labels[at] <- label

        Volume.create mask.Extent labels |> Volume.withSpacing mask.Spacing

    /// 0 and 1 by the brightest channel of an image file.
    let above (threshold: float) (path: string) : Result<Mask, Problem> =
        Reader.image [ path ]
        |> Result.map (fun image ->
            let count = image.Extent.Count

            {
                Kind = Kind.Grey
                Codes =
                    Array.init count (fun at ->
                        let mutable brightest = image.Data[at]

                        for channel in 1 .. min 3 image.Channels - 1 do
                            brightest <- max brightest image.Data[channel * count + at]

                        if float brightest > threshold then 1 else 0)
                Extent = image.Extent
                Spacing = image.Spacing
                Geometry = image.Geometry
            })
