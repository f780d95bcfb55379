namespace SkeletonRecall

open System.Runtime.InteropServices

/// Memory and file functions of the GNU C library.
module internal GnuLibrary =

    [<DllImport("libc.so.6", EntryPoint = "mallopt")>]
    extern int mallopt(int parameter, int value)

    [<DllImport("libc.so.6", EntryPoint = "gnu_get_libc_version")>]
    extern nativeint gnu_get_libc_version()

    [<DllImport("libc.so.6", EntryPoint = "setenv")>]
    extern int setenv(string name, string value, int overwrite)

    [<DllImport("libc.so.6", EntryPoint = "memfd_create", SetLastError = true)>]
    extern int memfd_create(string name, uint32 flags)

    [<DllImport("libc.so.6", EntryPoint = "realpath")>]
    extern nativeint private realpath(string path, nativeint result)

    [<DllImport("libc.so.6", EntryPoint = "free")>]
    extern void private free(nativeint memory)

    /// A path with no link in it, as /proc/self/maps names files; None for a file that is not there.
    let realPath (path: string) : string option =
        match realpath (path, 0n) with
        | 0n -> None
        | found ->
            let text = Marshal.PtrToStringUTF8 found
            free found
            Option.ofObj text
