namespace SkeletonRecall.Benchmarks

open System
open System.Diagnostics
open System.Globalization
open System.IO
open System.Reflection
open SkeletonRecall.Training

/// A Python that can import scikit-image and scipy.
type Python =
    {
        /// As it is called.
        Command: string
        /// Its versions, as in "scikit-image 0.19.3, scipy 1.10.1, numpy 1.24.2".
        Versions: string
    }

/// Running the reference in another process.
[<RequireQualifiedAccess>]
module Python =

    let private versions =
        "import numpy, scipy, skimage; from skimage import measure, morphology; from scipy import ndimage; "
        + "print(f'scikit-image {skimage.__version__}, scipy {scipy.__version__}, numpy {numpy.__version__}')"

    /// What an operation of `theirs.py` calls.
    let librariesOf (operation: string) : string =
        match operation with
        | "persistence" -> "gudhi, one run"
        | "nifti" -> "nibabel"
        | _ -> "scikit-image, scipy"

    /// One thread, and glibc keeps the memory that it has, as our side does: the environment of what is measured.
    let settings: (string * string) list =
        [
            "OMP_NUM_THREADS", "1"
            "OPENBLAS_NUM_THREADS", "1"
            "MKL_NUM_THREADS", "1"
            "MALLOC_MMAP_MAX_", "0"
            "MALLOC_TRIM_THRESHOLD_", "17179869184"
            "MALLOC_TOP_PAD_", "268435456"
        ]

    // Exit code, output and errors of a command; none where it cannot be started.
    let private run (command: string) (arguments: string list) : (int * string * string) option =
        let start =
            ProcessStartInfo(
                command,
                arguments,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                UseShellExecute = false
            )

        for name, value in settings do
            start.Environment[name] <- value

        let started =
            try
                Option.ofObj (Process.Start start)
            with :? ComponentModel.Win32Exception ->
                None

        started
        |> Option.map (fun running ->
            use running = running
            let errors = running.StandardError.ReadToEndAsync()
            let output = running.StandardOutput.ReadToEnd()
            running.WaitForExit()
            running.ExitCode, output.Trim(), errors.Result.Trim())

    /// The first of python3, python and /usr/bin/python3 that can import them.
    let find () : Python option =
        [ "python3"; "python"; "/usr/bin/python3" ]
        |> List.tryPick (fun command ->
            match run command [ "-c"; versions ] with
            | Some(0, output, _) -> Some { Command = command; Versions = output }
            | _ -> None)

    /// Whether it can import a module.
    let has (name: string) (python: Python) : bool =
        match run python.Command [ "-c"; $"import %s{name}" ] with
        | Some(0, _, _) -> true
        | _ -> false

    let private script () : string =
        use stream =
            match Assembly.GetExecutingAssembly().GetManifestResourceStream "theirs.py" with
            | null -> invalidOp "The script theirs.py is not in the program."
            | stream -> stream

        use reader = new StreamReader(stream)
        reader.ReadToEnd()

    /// The least milliseconds of an operation of theirs.py on the arrays, and its result; arrays travel as .npy files
    /// in a temporary folder. Throws InvalidOperationException with Python's own message when it fails.
    let time (python: Python) (operation: string) (seconds: float) (inputs: NpyArray list) : struct (float * NpyArray) =
        let folder = Directory.CreateTempSubdirectory("skeleton-recall-benchmark-").FullName

        try
            let file (name: string) = Path.Combine(folder, name)
            File.WriteAllText(file "theirs.py", script ())

            inputs
            |> List.iteri (fun at array -> File.WriteAllBytes(file $"%d{at}.npy", Npy.encode array))

            match run python.Command [ file "theirs.py"; operation; $"%g{seconds}"; folder; $"%d{inputs.Length}" ] with
            | Some(0, output, _) ->
                match Npy.decode (File.ReadAllBytes(file "result.npy")) with
                | Ok result -> struct (Double.Parse(output, CultureInfo.InvariantCulture), result)
                | Error reason -> invalidOp $"The result of %s{operation} cannot be read: %s{reason}"
            | Some(_, _, errors) -> invalidOp $"%s{python.Command} failed in %s{operation}: %s{errors}"
            | None -> invalidOp $"%s{python.Command} cannot be started any more."
        finally
            Directory.Delete(folder, true)
