module SkeletonRecall.Tests.PreprocessedStoreTests

open System
open System.IO
open System.Threading.Tasks
open Expecto
open Expecto.ExpectoFsCheck
open SkeletonRecall
open SkeletonRecall.Training

let private inFolder (work: string -> 'T) : 'T =
    let folder = Directory.CreateTempSubdirectory("skeleton-recall-store-").FullName

    try
        work folder
    finally
        Directory.Delete(folder, true)

let private caseOf (extent: Extent) (channels: int) (highest: int16) : PreprocessedCase =
    let labels =
        Array.init extent.Count (fun i ->
            if i % 7 = 0 then -1s
            elif i % 5 = 0 then highest
            else int16 (i % 3))
        |> Volume.create extent

    let spacing =
        Spacing.ofList (List.init extent.Rank (fun axis -> 0.1 + float axis / 3.0))

    {
        Id = CaseId.ofString "case_1"
        Image =
            { Image.create channels extent (Array.init (channels * extent.Count) (fun i -> float32 i / 7.0f)) with
                Spacing = spacing
            }
        Labels = Some(labels |> Volume.withSpacing spacing)
        Properties =
            {
                FileExtent = extent
                FileSpacing = Spacing.ofList (List.init extent.Rank (fun axis -> 1.0 / float (axis + 3)))
                FileGeometry = Geometry.standard extent.Rank
                Transpose = [ 0; 1; 2 ]
                Box = Crop.whole extent
            }
        Locations = Some(ClassLocations.ofLabels (Some 2) labels)
    }

let private stored (folder: string) (case: PreprocessedCase) : StoredCase =
    let path = Path.Combine(folder, CaseId.value case.Id + PreprocessedStore.ending)
    PreprocessedStore.save path "made by a test" case |> Problem.orThrow
    PreprocessedStore.openCase path |> Problem.orThrow

let private extent = Extent.space 5 9 33

// Files that this process holds open or mapped below a folder.
let private held (folder: string) : string list =
    [
        for link in Directory.GetFiles "/proc/self/fd" do
            match
                (try
                    File.ResolveLinkTarget(link, false)
                 with :? IOException ->
                     null)
            with
            | null -> ()
            | target -> target.FullName

        yield! File.ReadAllLines "/proc/self/maps"
    ]
    |> List.filter (fun line -> line.Contains(folder, StringComparison.Ordinal))

[<Tests>]
let tests =
    testList
        "PreprocessedStore"
        [
            for name, extent, channels, highest in
                [
                    "a volume", extent, 2, 4s
                    "a plane", Extent.plane 9 14, 3, 4s
                    "labels of 16 bits", Extent.plane 4 5, 1, 300s
                ] do
                test $"%s{name} comes back as it was" {
                    inFolder (fun folder ->
                        let case = caseOf extent channels highest
                        let found = stored folder case
                        Expect.equal (found.Id, found.Channels, found.Extent) (case.Id, channels, extent) "header"
                        Expect.equal found.Made "made by a test" "made"
                        Expect.equal found.Properties case.Properties "properties"
                        let back = PreprocessedStore.load found |> Problem.orThrow
                        Expect.equal back.Image case.Image "image"
                        Expect.equal (Option.get back.Labels).Data (Option.get case.Labels).Data "labels"
                        Expect.equal (Option.get back.Labels).Spacing case.Image.Spacing "spacing"
                        Expect.equal back.Locations case.Locations "locations")
                }

            test "a case without labels has none" {
                inFolder (fun folder ->
                    let case =
                        { caseOf extent 1 4s with
                            Labels = None
                            Locations = None
                        }

                    let found = stored folder case
                    let back = PreprocessedStore.load found |> Problem.orThrow
                    Expect.isNone back.Labels "labels"
                    Expect.isNone back.Locations "locations"
                    Expect.isError (PreprocessedStore.prepare found) "nothing to draw by")
            }

            testPropertyWithConfig
                { FsCheckConfig.defaultConfig with
                    maxTest = 200
                }
                "a patch is the one of the case in memory"
            <| fun (seed: int) ->
                inFolder (fun folder ->
                    let rng = Seed.rng (Seed.ofInt seed)

                    let shape = List.init (2 + rng.NextInt 2) (fun _ -> 1 + rng.NextInt 12)

                    let case =
                        caseOf (Extent.ofShape shape) (1 + rng.NextInt 2) (if rng.Chance 0.5 then 5s else 500s)

                    let found = stored folder case

                    // Planes too are cut out of volumes.
                    let axes =
                        if shape.Length = 3 && rng.Chance 0.3 then
                            2
                        else
                            shape.Length

                    let size = Extent.ofShape (List.init axes (fun _ -> 1 + rng.NextInt 16))
                    let origin = shape |> List.map (fun length -> rng.NextInt(length + 20) - 10)
                    let wanted = Patch.cut size origin case.Image (Option.get case.Labels)
                    let got = PreprocessedStore.patch size origin found
                    Expect.equal got.Image.Data wanted.Image.Data "image"
                    Expect.equal got.Labels.Data wanted.Labels.Data "labels"
                    Expect.equal (got.Image.Extent, got.Image.Spacing) (size, wanted.Image.Spacing) "size"
                    Expect.equal got.Labels.Spacing wanted.Labels.Spacing "spacing")

            test "patches are drawn as from memory, by several threads" {
                inFolder (fun folder ->
                    let case = caseOf extent 2 4s
                    let prepared = stored folder case |> PreprocessedStore.prepare |> Problem.orThrow

                    let inMemory = Sampler.prepare (Some 2) (Case.create case.Id case.Image case.Labels)

                    Expect.equal prepared.Locations inMemory.Locations "locations"
                    Expect.equal prepared.Annotated inMemory.Annotated "annotated"

                    let draw (source: Prepared) (number: int) =
                        let patch =
                            Sampler.cut [ 4; 8; 8 ] [ 4; 6; 6 ] (number % 2 = 0) (Seed.rng (Seed.ofInt number)) source

                        patch.Image.Data, patch.Labels.Data

                    let got = Array.zeroCreate 64
                    Parallel.For(0, 64, fun number -> got[number] <- draw prepared number) |> ignore
                    Expect.equal got (Array.init 64 (draw inMemory)) "patches")
            }

            test "a box of another rank is refused" {
                inFolder (fun folder ->
                    let found = stored folder (caseOf extent 1 4s)

                    for size, origin in [ extent, [ 0; 0 ]; Extent.plane 2 2, [ 0; 0 ] ] do
                        Expect.throwsT<ArgumentException>
                            (fun () -> PreprocessedStore.patch size origin found |> ignore)
                            "volume"

                    let plane = stored folder (caseOf (Extent.plane 4 4) 1 4s)

                    Expect.throwsT<ArgumentException>
                        (fun () -> PreprocessedStore.patch extent [ 0; 0; 0 ] plane |> ignore)
                        "plane")
            }

            test "damaged files are problems that name file and cure" {
                inFolder (fun folder ->
                    let found = stored folder (caseOf extent 1 4s)
                    let whole = File.ReadAllBytes found.Path

                    let opened (bytes: byte[]) =
                        File.WriteAllBytes(found.Path, bytes)

                        match PreprocessedStore.openCase found.Path with
                        | Ok _ -> failtest "it was opened"
                        | Error problem -> Problem.message problem

                    for length in [ 0; 7; 100; whole.Length - 1 ] do
                        Expect.stringContains (opened whole[.. length - 1]) found.Path $"%d{length} bytes"

                    use other = new MemoryStream()

                    Safetensors.write
                        other
                        {
                            Metadata = Map.ofList [ "format", "another" ]
                            Tensors = []
                        }

                    Expect.stringContains
                        (opened (other.ToArray()))
                        "preprocess the data set again"
                        "another program's"

                    match PreprocessedStore.openCase (Path.Combine(folder, "no.safetensors")) with
                    | Ok _ -> failtest "it was opened"
                    | Error problem -> Expect.stringContains (Problem.message problem) "run preprocess" "missing")
            }

            test "changed headers never crash" {
                inFolder (fun folder ->
                    let found = stored folder (caseOf (Extent.plane 4 5) 1 4s)
                    let whole = File.ReadAllBytes found.Path
                    let header = 8 + int (BitConverter.ToInt64(whole, 0))
                    let rng = Seed.rng (Seed.ofInt 3)

                    for _ in 1..2000 do
                        let changed = Array.copy whole
                        changed[rng.NextInt header] <- byte (rng.NextInt 256)
                        File.WriteAllBytes(found.Path, changed)

                        match PreprocessedStore.openCase found.Path with
                        | Error _ -> ()
                        | Ok case ->
                            match PreprocessedStore.load case with
                            | Ok back -> Expect.equal back.Image.Data.Length (case.Channels * case.Extent.Count) "size"
                            | Error _ -> ())
            }

            test "a file that was replaced is noticed" {
                inFolder (fun folder ->
                    let found = stored folder (caseOf extent 1 4s)
                    File.SetLastWriteTimeUtc(found.Path, DateTime(2001, 2, 3))

                    Expect.throwsT<ProblemException>
                        (fun () -> PreprocessedStore.patch (Extent.space 1 1 1) [ 0; 0; 0 ] found |> ignore)
                        "patch"

                    Expect.isError (PreprocessedStore.locations found) "locations")
            }

            test "no handle and no map stays behind, so that files can be replaced and deleted" {
                if not (Directory.Exists "/proc/self/fd") then
                    skiptest "there is no /proc here"

                inFolder (fun folder ->
                    let found = stored folder (caseOf extent 1 4s)
                    Expect.isEmpty (held folder) "opened"
                    let prepared = PreprocessedStore.prepare found |> Problem.orThrow
                    Sampler.box (Extent.space 2 2 2) [ 0; 0; 0 ] prepared |> ignore
                    Expect.isEmpty (held folder) "read"
                    use seen = File.OpenRead found.Path
                    Expect.isNonEmpty (held folder) "the test sees what is open")
            }
        ]
