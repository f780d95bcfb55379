module SkeletonRecall.Tests.ProfileTests

open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Profile"
        [
            testCase "names are read back"
            <| fun () ->
                Expect.equal
                    (Profile.all |> List.map (fun profile -> profile.Name))
                    [ "paper"; "topcow"; "topbrain"; "toothfairy"; "metrics-reloaded" ]
                    "names"

                for profile in Profile.all do
                    match Profile.parse profile.Name with
                    | Ok read -> Expect.equal read.Name profile.Name profile.Name
                    | Error message -> failtest message

                match Profile.parse "topcaw" with
                | Ok _ -> failtest "topcaw was read"
                | Error message -> Expect.stringContains message "metrics-reloaded" "wanted"

            testCase "a pair replaces the one of its rank"
            <| fun () ->
                let six = ConnectivityPair.dual Connectivity.Six
                let changed = Profile.withPair six Profile.paper
                Expect.equal (Profile.pair changed (Extent.space 1 1 1)) six "volume"
                Expect.equal (Profile.pair changed (Extent.plane 1 1)) (ConnectivityPair.standard 2) "plane"
        ]
