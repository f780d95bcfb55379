module SkeletonRecall.Tests.PreparedFolderTests

open System
open System.IO
open System.Threading
open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Tests.Rods

[<Tests>]
let tests =
    testList
        "PreparedFolder"
        [
            test "a case is complete or absent: a second run makes what is missing, damaged or of a changed file" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    Expect.equal (counts (preprocessed request [ "3d_fullres" ])) [ 5, 0 ] "all"
                    Expect.equal (counts (preprocessed request [ "3d_fullres" ])) [ 0, 5 ] "none"
                    let folder = Store.file (target request) "nnUNetPlans_3d_fullres"

                    let path (number: int) =
                        Store.file folder $"rod_%d{number}.safetensors"

                    let whole = File.ReadAllBytes(path 0)
                    File.Delete(path 1)
                    File.WriteAllBytes(path 2, File.ReadAllBytes(path 2)[..1000])
                    let raw = Store.file request.Roots.Raw dataset.Name
                    File.SetLastWriteTimeUtc(Path.Combine(raw, "labelsTr", "rod_3.nii.gz"), DateTime(2020, 1, 1))
                    Expect.equal (counts (preprocessed request [ "3d_fullres" ])) [ 3, 2 ] "three"
                    Expect.equal (File.ReadAllBytes(path 0)) whole "the others are as they were"

                    Expect.equal
                        (counts (preprocessed { request with Clean = true } [ "3d_fullres" ]))
                        [ 5, 0 ]
                        "all anew"

                    Expect.equal (File.ReadAllBytes(path 0)) whole "and the same")
            }

            test "other plans make other cases" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    preprocessed request [ "3d_fullres" ] |> ignore

                    let coarse =
                        { Planner.standard with
                            TargetSpacing = Some [ 2.0; 1.0; 1.0 ]
                        }

                    // Written here and not changed since, so that it may be replaced.
                    Preparation.plan request coarse |> Problem.orThrow |> ignore
                    Expect.equal (counts (preprocessed request [ "3d_fullres" ])) [ 5, 0 ] "all")
            }

            test "a cancelled run leaves whole cases, and the next goes on" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    use stop = new CancellationTokenSource()
                    let request = { request with Workers = 1 }

                    Expect.throwsT<OperationCanceledException>
                        (fun () ->
                            Preparation.preprocess
                                request
                                "nnUNetPlans"
                                [ "3d_fullres" ]
                                stop.Token
                                silent
                                (fun _ case ->
                                    if case = "rod_1" then
                                        stop.Cancel())
                            |> ignore)
                        "cancelled"

                    let folder = Store.file (target request) "nnUNetPlans_3d_fullres"
                    let there = files folder
                    Expect.contains there "rod_0.safetensors" "what was done before"
                    Expect.isLessThan there.Length 5 "some"

                    for name in there do
                        Expect.isOk (PreprocessedStore.openCase (Store.file folder name)) "whole"

                    Expect.equal
                        (counts (preprocessed request [ "3d_fullres" ]))
                        [ 5 - there.Length, there.Length ]
                        "the rest")
            }

            test "a folder that another program preprocessed is refused with the cure, and stays as it is" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    let folder = Store.file (target request) "nnUNetPlans_3d_fullres"

                    for name in [ "rod_0.npz"; "rod_0.pkl"; "rod_0.b2nd"; "rod_0.npy" ] do
                        Directory.CreateDirectory folder |> ignore
                        File.WriteAllText(Store.file folder name, "theirs")

                        Expect.stringContains
                            (message (tryPreprocess request "nnUNetPlans" [ "3d_fullres" ]))
                            $"got files of another program, such as %s{name}; wanted a folder of its own: plan under another name with -overwrite_plans_name and preprocess with -p, or take another --root"
                            name

                        Expect.equal (files folder) [ name ] "untouched"
                        File.Delete(Store.file folder name))
            }

            test "cases are found for training, and stale ones are refused" {
                inFolder (fun _ request ->
                    let plans = planned request
                    let raw = Store.file request.Roots.Raw dataset.Name
                    let ids = [ for number in [ 3; 1 ] -> CaseId.ofString $"rod_%d{number}" ]

                    let tryCases () =
                        PreparedFolder.tryCases request.Roots raw dataset plans plans.Configurations["3d_fullres"] ids

                    Expect.equal (tryCases ()) (Ok None) "none yet"
                    preprocessed request [ "3d_fullres" ] |> ignore

                    match tryCases () with
                    | Ok(Some found) -> Expect.equal (found |> List.map _.Id) ids "in the order asked for"
                    | other -> failtest $"%A{other}"

                    File.SetLastWriteTimeUtc(Path.Combine(raw, "imagesTr", "rod_1_0000.nii.gz"), DateTime(2020, 1, 1))
                    Expect.stringContains (message (tryCases ())) "run preprocess again" "changed"
                    File.Delete(Path.Combine(target request, "nnUNetPlans_3d_fullres", "rod_3.safetensors"))
                    Expect.stringContains (message (tryCases ())) "run preprocess" "missing")
            }

            test "what a case takes is reckoned by its own header" {
                inFolder (fun _ request ->
                    planned request |> ignore
                    let raw = Store.file request.Roots.Raw dataset.Name

                    let largest () =
                        let notes = ResizeArray<string>()

                        Preparation.preprocess
                            { request with Clean = true }
                            "nnUNetPlans"
                            [ "3d_fullres" ]
                            CancellationToken.None
                            notes.Add
                            still
                        |> Problem.orThrow
                        |> ignore

                        let line = notes |> Seq.find (fun line -> line.Contains "at most")
                        let words = line.Split ' ' |> List.ofArray
                        let at = words |> List.findIndex ((=) "most")
                        float words[at + 1]

                    let before = largest ()

                    // The fingerprint stays as it is: 300 slices of nothing are cropped away.
                    let case = caseOf 2
                    let slices = 300
                    let extent = Extent.space (case.Image.Extent.Depth + slices) 24 26
                    let part = case.Image.Extent.Count

                    let wide =
                        Array.init 2 (fun channel ->
                            Array.append
                                (Array.sub case.Image.Data (channel * part) part)
                                (Array.zeroCreate (slices * 24 * 26)))
                        |> Array.concat

                    let labels =
                        Volume.create
                            extent
                            (Array.append case.Labels.Value.Data (Array.zeroCreate (slices * 24 * 26)))

                    Store.writeCase
                        raw
                        true
                        (Case.create
                            case.Id
                            { Image.create 2 extent wide with
                                Spacing = case.Image.Spacing
                            }
                            (Some(Volume.withSpacing case.Image.Spacing labels)))
                    |> Problem.orThrow

                    Expect.isGreaterThan (largest ()) (before + 2.0) "MB")
            }

            test "nothing is open on files while they are replaced" {
                if not (Directory.Exists "/proc/self/fd") then
                    skiptest "there is no /proc here"

                inFolder (fun folder request ->
                    planned request |> ignore
                    preprocessed request [ "3d_fullres" ] |> ignore

                    let path =
                        Path.Combine(target request, "nnUNetPlans_3d_fullres", "rod_0.safetensors")

                    let stored = PreprocessedStore.openCase path |> Problem.orThrow
                    let prepared = PreprocessedStore.prepare stored |> Problem.orThrow
                    Sampler.box (Extent.space 4 4 4) [ 0; 0; 0 ] prepared |> ignore
                    let held = ResizeArray<string>()

                    // Looked at whenever a case has just been replaced.
                    Preparation.preprocess
                        { request with
                            Clean = true
                            Workers = 1
                        }
                        "nnUNetPlans"
                        [ "3d_fullres" ]
                        CancellationToken.None
                        silent
                        (fun _ _ ->
                            for line in File.ReadAllLines "/proc/self/maps" do
                                if line.Contains(folder, StringComparison.Ordinal) then
                                    held.Add line

                            for link in Directory.GetFiles "/proc/self/fd" do
                                let target =
                                    try
                                        File.ResolveLinkTarget(link, false) |> Option.ofObj
                                    with :? IOException ->
                                        None

                                match target with
                                | Some target when
                                    target.FullName.StartsWith(folder, StringComparison.Ordinal)
                                    && target.FullName.EndsWith(".safetensors", StringComparison.Ordinal)
                                    ->
                                    held.Add target.FullName
                                | _ -> ())
                    |> Problem.orThrow
                    |> ignore

                    Expect.isEmpty held "open or mapped"

                    Expect.throwsT<ProblemException>
                        (fun () -> Sampler.box (Extent.space 4 4 4) [ 0; 0; 0 ] prepared |> ignore)
                        "replaced")
            }
        ]
