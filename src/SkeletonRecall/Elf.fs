namespace SkeletonRecall

open System
open System.Buffers.Binary
open System.Text

/// The one repair that libtorch's .NET wrapper needs on Linux systems older than the one it was built on.
/// File layout: ELF-64, little endian ("System V Application Binary Interface", and the symbol-version
/// sections of the "Linux Standard Base Core Specification").
[<RequireQualifiedAccess>]
module internal Elf =

    [<Struct>]
    type private Section =
        {
            Kind: uint32
            Offset: int
            Size: int
            Link: int
            Entries: int
        }

    let private dynamicSymbols = 11u
    let private neededVersions = 0x6ffffffeu
    let private symbolVersions = 0x6fffffffu
    /// The version index of a symbol without a version.
    let private unversioned = 1us
    /// The flag of a needed version that may be absent.
    let private weakFlag = 2us

    let private half (image: byte[]) (at: int) : uint16 =
        BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(image, at, 2))

    let private word (image: byte[]) (at: int) : int =
        BinaryPrimitives.ReadInt32LittleEndian(ReadOnlySpan(image, at, 4))

    let private long (image: byte[]) (at: int) : int =
        int (BinaryPrimitives.ReadInt64LittleEndian(ReadOnlySpan(image, at, 8)))

    let private isElf (image: byte[]) : bool =
        image.Length >= 64
        && image.AsSpan(0, 4).SequenceEqual(ReadOnlySpan [| 0x7fuy; byte 'E'; byte 'L'; byte 'F' |])
        && image[4] = 2uy
        && image[5] = 1uy

    let private sections (image: byte[]) : Section[] =
        let table, size, count =
            long image 0x28, int (half image 0x3a), int (half image 0x3c)

        Array.init count (fun index ->
            let at = table + index * size

            {
                Kind = uint32 (word image (at + 4))
                Offset = long image (at + 0x18)
                Size = long image (at + 0x20)
                Link = word image (at + 0x28)
                Entries = word image (at + 0x2c)
            })

    let private text (image: byte[]) (strings: Section) (offset: int) : string =
        let start = strings.Offset + offset
        Encoding.ASCII.GetString(image, start, Array.IndexOf(image, 0uy, start) - start)

    /// Marks the need for a version as weak in place and returns the version's index in the symbol table.
    let private weakenNeed (image: byte[]) (strings: Section) (needs: Section) (version: string) : uint16 option =
        let mutable found = None
        let mutable file = needs.Offset

        for _ in 1 .. needs.Entries do
            let mutable entry = file + word image (file + 8)

            for _ in 1 .. int (half image (file + 2)) do
                if text image strings (word image (entry + 8)) = version then
                    let flags = half image (entry + 4) ||| weakFlag
                    BinaryPrimitives.WriteUInt16LittleEndian(Span(image, entry + 4, 2), flags)
                    found <- Some(half image (entry + 6))

                entry <- entry + word image (entry + 12)

            file <- file + word image (file + 12)

        found

    /// Points every dynamic symbol of the given version at the stub, in place; how many there were, and how many
    /// had a name too short to be overwritten.
    let private redirect
        (image: byte[])
        (strings: Section)
        (symbols: Section)
        (versions: Section)
        (version: uint16)
        (stub: string)
        : struct (int * int) =
        let name = Encoding.ASCII.GetBytes(stub + "\000")
        let mutable redirected = 0
        let mutable refused = 0

        for index in 0 .. symbols.Size / 24 - 1 do
            let slot = versions.Offset + 2 * index

            if (half image slot &&& 0x7fffus) = version then
                let offset = word image (symbols.Offset + 24 * index)

                if (text image strings offset).Length >= stub.Length then
                    Array.blit name 0 image (strings.Offset + offset) name.Length
                    BinaryPrimitives.WriteUInt16LittleEndian(Span(image, slot, 2), unversioned)
                    redirected <- redirected + 1
                else
                    refused <- refused + 1

        struct (redirected, refused)

    /// A copy of a shared object in which the need for a symbol version (such as GLIBCXX_3.4.32) is weak and the
    /// symbols of that version point at `stub`, an unversioned function of the C library that is harmless to call.
    /// None when the bytes are no 64-bit little-endian ELF file, are damaged, or do not need that version.
    let weaken (version: string) (stub: string) (image: byte[]) : byte[] option =
        try
            if not (isElf image) then
                None
            else
                let copy = Array.copy image
                let all = sections copy

                let find (kind: uint32) =
                    all |> Array.tryFind (fun section -> section.Kind = kind)

                match find dynamicSymbols, find symbolVersions, find neededVersions with
                | Some symbols, Some versions, Some needs ->
                    let strings = all[symbols.Link]

                    weakenNeed copy strings needs version
                    |> Option.bind (fun index ->
                        match redirect copy strings symbols versions index stub with
                        | struct (_, 0) -> Some copy
                        | _ -> None)
                | _ -> None
        with
        | :? IndexOutOfRangeException
        | :? ArgumentException
        | :? OverflowException -> None
