namespace SkeletonRecall.Training

/// A walk over a GIF file's first picture without its pixels: how many there really are. The decoder takes memory for what the
/// header declares and fills what is missing with the background.
[<RequireQualifiedAccess>]
module internal GifFrames =

    let private refuse (reason: string) : 'T = Elements.refuse reason

    let private byteAt (bytes: byte[]) (at: int) : int =
        if at < bytes.Length then
            int bytes[at]
        else
            refuse "it is truncated"

    let private wordAt (bytes: byte[]) (at: int) : int =
        byteAt bytes at ||| (byteAt bytes (at + 1) <<< 8)

    // Bytes of a table of colours by its flags.
    let private table (flags: int) : int =
        if flags &&& 0x80 <> 0 then 3 * (2 <<< (flags &&& 7)) else 0

    // The place behind a chain of blocks.
    let rec private behind (bytes: byte[]) (at: int) : int =
        match byteAt bytes at with
        | 0 -> at + 1
        | length -> behind bytes (at + 1 + length)

    // How many pixels LZW codes in a chain of blocks stand for. Only lengths are kept: a new code is one longer than the last.
    let private pixels (bytes: byte[]) (start: int) : int64 =
        let least = byteAt bytes start

        if least < 1 || least > 11 then
            refuse $"it is damaged: its codes begin with %d{least} bits"

        let clear = 1 <<< least
        let lengths = Array.zeroCreate<int> 4096
        let mutable width = least + 1
        let mutable next = clear + 2
        let mutable previous = -1
        let mutable count = 0L
        let mutable bits = 0
        let mutable held = 0
        let mutable at = start + 1
        let mutable left = byteAt bytes at
        let mutable ended = left = 0
        at <- at + 1

        for code in 0 .. clear - 1 do
            lengths[code] <- 1

        while not ended do
            while held < width && not ended do
                if left = 0 then
                    left <- byteAt bytes at
                    at <- at + 1
                    ended <- left = 0

                if not ended then
                    bits <- bits ||| (byteAt bytes at <<< held)
                    held <- held + 8
                    at <- at + 1
                    left <- left - 1

            if not ended then
                let code = bits &&& ((1 <<< width) - 1)
                bits <- bits >>> width
                held <- held - width

                if code = clear then
                    width <- least + 1
                    next <- clear + 2
                    previous <- -1
                elif code = clear + 1 then
                    ended <- true
                else
                    if code > next || (code = next && previous < 0) then
                        refuse $"its compressed data are damaged (code %d{code} before it is known)"

                    if previous >= 0 && next < 4096 then
                        lengths[next] <- lengths[previous] + 1
                        next <- next + 1

                        if next = (1 <<< width) && width < 12 then
                            width <- width + 1

                    count <- count + int64 lengths[code]
                    previous <- code

        count

    /// Refuses a file whose first picture is smaller than the header declares, or holds fewer pixels.
    let validate (bytes: byte[]) : unit =
        let width, height = wordAt bytes 6, wordAt bytes 8

        if width = 0 || height = 0 then
            refuse $"its header declares %d{width} x %d{height} pixels"

        let rec picture (at: int) : unit =
            match byteAt bytes at with
            | 0x21 -> picture (behind bytes (at + 2))
            | 0x2C ->
                let wide, high = wordAt bytes (at + 5), wordAt bytes (at + 7)

                if wide <> width || high <> height then
                    refuse
                        $"its header declares %d{width} x %d{height} pixels, and its first picture has %d{wide} x %d{high}; save it as PNG"

                let found = pixels bytes (at + 10 + table (byteAt bytes (at + 9)))

                if found < int64 width * int64 height then
                    refuse $"it is truncated: %d{found} of %d{width} x %d{height} pixels are there"
            | _ -> refuse "it is damaged or truncated: no picture is there"

        picture (13 + table (byteAt bytes 10))
