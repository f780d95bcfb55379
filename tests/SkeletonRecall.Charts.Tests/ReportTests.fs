module SkeletonRecall.Tests.ReportTests

open System
open System.Globalization
open System.Text
open System.Text.RegularExpressions
open Expecto
open SkeletonRecall
open SkeletonRecall.Training
open SkeletonRecall.Charts

let private input: Lazy<ReportInput> =
    lazy (Samples.input 64 [ "vessels_07"; "vessels_08"; "vessels_09" ])

let private page: Lazy<string> = lazy (Report.page input.Value)

/// The page without its scripts: what a browser takes for markup.
let private markup (page: string) : string =
    Regex.Replace(page, "<script.*?</script>", "", RegexOptions.Singleline)

let private occurrences (pattern: string) (text: string) : int = Regex.Matches(text, pattern).Count

// Expecto's own would print megabytes.
let private holds (part: string) (page: string) : unit =
    Expect.isTrue (page.Contains(part, StringComparison.Ordinal)) $"the page holds %s{part}"

let private underComma (work: unit -> 'T) : 'T =
    let before = CultureInfo.CurrentCulture

    try
        CultureInfo.CurrentCulture <- Culture.comma
        work ()
    finally
        CultureInfo.CurrentCulture <- before

[<Tests>]
let tests: Test =
    testList
        "Report"
        [
            test "nothing on the page comes from elsewhere" {
                let outside =
                    "(src|href|action|data)\s*=\s*[\"']?\s*(https?:)?//|url\(\s*[\"']?(https?:)?//|@import|<link|<iframe|<object"

                Expect.equal (occurrences outside (markup page.Value)) 0 "references"
                Expect.equal (occurrences "<script [^>]*src\s*=" page.Value) 0 "scripts"
                holds "default-src &#39;none&#39;" page.Value
            }

            test "plotly.js stands in the page once, and the page is small enough" {
                Expect.equal (occurrences "plotly\.js v\d" page.Value) 1 "copies"
                Expect.isLessThanOrEqual (Encoding.UTF8.GetByteCount page.Value) Report.maximumBytes "bytes"
            }

            test "every case is in the table and among the pictures" {
                let markup = markup page.Value

                for case in [ "vessels_07"; "vessels_08"; "vessels_09" ] do
                    Expect.equal (occurrences $"<th scope=\"row\"><a href=\"#case-\d\">%s{case}</a>" markup) 2 "rows"
                    holds $"<h3>%s{case}</h3>" markup

                Expect.equal (occurrences "<img src=\"data:image/png;base64," markup) 6 "pictures"
            }

            test "the worst case comes first" {
                let worst =
                    input.Value.Scores
                    |> List.collect snd
                    |> List.minBy (fun (scores: Scores) -> scores.ClDice)

                let first =
                    Regex.Match(markup page.Value, "id=\"case-0\".*?<h3>(.*?)</h3>", RegexOptions.Singleline)

                Expect.equal first.Groups[1].Value worst.Case "first picture"
            }

            test "the score table holds means, differences, n and seed" {
                let comparison = Comparison.ofScores 1 input.Value.Scores
                let markup = markup page.Value

                for row in comparison.Rows do
                    holds $">%s{row.Measure}<" markup

                holds "n = 3" markup
                holds "seed 1" markup
                holds "95 %" markup
            }

            test "names are text, whatever they hold" {
                let evil = "<script>alert(1)</script>"
                let sample = Samples.input 48 [ evil + "\"'&" ]

                let page =
                    Report.page
                        { sample with
                            Title = evil
                            Summary = evil
                            Options = [ evil, evil ]
                            Runs = sample.Runs |> List.map (fun run -> { run with Name = run.Name + evil })
                            Scores = sample.Scores |> List.map (fun (run, scores) -> run + evil, scores)
                            Overlays =
                                sample.Overlays
                                |> List.map (fun overlay ->
                                    { overlay with
                                        Run = overlay.Run + evil
                                    })
                        }

                Expect.equal (occurrences "<script>alert" page) 0 "no script of theirs"
                holds "&lt;script&gt;alert(1)&lt;/script&gt;" page
            }

            test "numbers have points under a decimal comma" {
                let other = underComma (fun () -> Report.page input.Value)
                Expect.isTrue (other = page.Value) "the same page"
            }

            test "parts without anything to show are left out" {
                let bare =
                    Report.page
                        { input.Value with
                            Runs = []
                            Scores = []
                            Overlays = []
                        }

                Expect.isLessThan bare.Length 50_000 "without plotly.js"
                Expect.equal (occurrences "<section" bare) 1 "options alone"
            }

            test "a page that would be too long leaves out the better cases and says so" {
                let extent = Extent.plane 900 900
                let rng = Seed.rng (Seed.ofInt 5)
                // Noise cannot be packed: about 0.8 MB each, 1.1 MB in base 64.
                let noise = Array.init extent.Count (fun _ -> float32 (rng.NextInt 256))
                let image = Volume.create extent noise

                let overlays =
                    List.init 9 (fun index ->
                        {
                            Case = $"noise_%d{index}"
                            Run = Samples.baseline
                            Image = image
                            Truth = Mask.empty extent
                            Prediction = Mask.empty extent
                        })

                let page =
                    Report.page
                        { input.Value with
                            Scores = []
                            Overlays = overlays
                        }

                let shown = occurrences "<article" page
                Expect.isLessThanOrEqual (Encoding.UTF8.GetByteCount page) Report.maximumBytes "bytes"
                Expect.isTrue (shown >= 4 && shown < 9) $"%d{shown} of 9 are shown"
                holds $"of 9 cases the worst %d{shown} are shown" page
            }

            test "an overlay whose parts differ in size is refused" {
                let overlay = input.Value.Overlays.Head

                Expect.throwsT<ArgumentException>
                    (fun () ->
                        Report.page
                            { input.Value with
                                Overlays =
                                    [
                                        { overlay with
                                            Truth = Mask.empty (Extent.plane 3 3)
                                        }
                                    ]
                            }
                        |> ignore)
                    "refused"
            }

            test "every break and false bridge is marked" {
                let markup = markup page.Value

                let stretches (find: Mask -> Mask -> Stretch list) =
                    input.Value.Overlays
                    |> List.sumBy (fun overlay -> (find overlay.Prediction overlay.Truth).Length)

                Expect.equal (occurrences "<ellipse class=\"break\"" markup) (stretches Breaks.breaks) "breaks"
                Expect.equal (occurrences "<polygon class=\"bridge\"" markup) (stretches Breaks.bridges) "bridges"
                Expect.isGreaterThan (stretches Breaks.breaks) 0 "there are some"
            }

            test "a volume has a view of both skeletons with its marks, and three slices" {
                let overlay = Samples.space 20 40 64 [ 2.0; 1.0; 1.0 ] "tubes" "one"

                let page =
                    Report.page
                        { input.Value with
                            Scores = []
                            Overlays = [ overlay ]
                        }

                let data =
                    Regex.Match(page, "<script id=\"case-0-space-0\" type=\"application/json\">(.*?)</script>")

                use json = System.Text.Json.JsonDocument.Parse data.Groups[1].Value

                let points =
                    [
                        for group in json.RootElement.GetProperty("groups").EnumerateArray() ->
                            group.GetProperty("points").GetBytesFromBase64().Length / 6
                    ]

                let classes = Overlay.counts (Overlay.classify overlay.Prediction overlay.Truth)
                Expect.equal points.Tail [ classes.Found; classes.Invented; classes.Missed ] "points of the skeletons"

                let marks =
                    [
                        for mark in json.RootElement.GetProperty("marks").EnumerateArray() -> string mark[0]
                    ]

                Expect.equal marks [ "break"; "bridge" ] "marks"
                Expect.equal (occurrences "<canvas" page) 1 "views"
                Expect.equal (occurrences "aspect-ratio:" (markup page)) 3 "slices"
                holds "1 break, 1 false bridge" page
                Expect.equal (json.RootElement.GetProperty("spacing").ToString()) "[1,1,2]" "x first"
            }

            test "two runs of 1000 epochs with hundreds of cases stay below 10 MB" {
                let run (seed: int) (name: string) : Run =
                    {
                        Name = name
                        Objective = "dice + ce + skeleton-recall"
                        History = Samples.history seed 1000 [ "dice"; "ce"; "skeleton-recall" ]
                    }

                let cases = [ for number in 0..299 -> $"case_%03d{number}" ]

                let scores (run: string) =
                    run,
                    [
                        for case in cases do
                            for label in 1..3 ->
                                { (input.Value.Scores |> List.collect snd |> List.head) with
                                    Case = case
                                    Label = label
                                }
                    ]

                let plane = Samples.input 512 [ "plane" ]
                let space = Samples.space 40 96 96 [ 2.0; 1.0; 1.0 ] "space"

                let page =
                    Report.page
                        { input.Value with
                            Runs = [ run 1 Samples.baseline; run 2 Samples.recall ]
                            Scores = [ scores Samples.baseline; scores Samples.recall ]
                            Overlays =
                                [
                                    for number in 0..39 do
                                        for overlay in plane.Overlays -> { overlay with Case = cases[number] }
                                    for number in 40..49 do
                                        for run in [ Samples.baseline; Samples.recall ] ->
                                            { space run with Case = cases[number] }
                                ]
                        }

                let bytes = Encoding.UTF8.GetByteCount page
                Expect.isLessThanOrEqual bytes Report.maximumBytes $"%d{bytes} bytes"
                Expect.isGreaterThan bytes 5_000_000 "nearly all that fits is shown"
                holds "The page is full: of 300 cases" page
            }

            testSequenced (
                test "a browser draws volumes and complains of nothing" {
                    match Browser.find () with
                    | None -> skiptest "no Chromium here (Debian: apt-get install chromium)"
                    | Some program ->
                        let overlays =
                            [
                                Samples.space 20 40 64 [ 2.0; 1.0; 1.0 ] "tubes" "one"
                                Samples.space 20 40 64 [ 2.0; 1.0; 1.0 ] "tubes" "two"
                            ]

                        let page =
                            Report.page
                                { input.Value with
                                    Scores = []
                                    Overlays = overlays
                                }

                        let dom, complaints = Browser.openPage program page
                        Expect.equal complaints [] "console"

                        let drawn =
                            [
                                for found in Regex.Matches(dom, "data-drawn=\"(\d+)\"") -> int found.Groups[1].Value
                            ]

                        Expect.equal drawn.Length 2 "both views drew"
                        Expect.all drawn (fun points -> points > 100) "points"
                }
            )

            testSequenced (
                test "a browser draws every chart and complains of nothing" {
                    match Browser.find () with
                    | None -> skiptest "no Chromium here (Debian: apt-get install chromium)"
                    | Some program ->
                        let dom, complaints = Browser.openPage program page.Value
                        let charts = (Curves.all input.Value.Runs).Length
                        Expect.equal charts 8 "a loss for each objective, pseudo Dice, two measures and three terms"
                        Expect.equal complaints [] "console"
                        Expect.equal (occurrences "class=\"plot js-plotly-plot\"" dom) charts "charts"
                        Expect.equal (occurrences "class=\"cartesianlayer\"" dom) charts "plots"
                        Expect.equal (occurrences "class=\"trace scatter" dom) 15 "lines"
                }
            )
        ]
