namespace SkeletonRecall.Training

open System
open System.Buffers.Binary
open System.Collections.Generic
open System.Numerics
open System.Text

/// Python's pickle format, protocols 2 to 5 (pickletools.py), as far as torch writes it into checkpoints: a machine with a
/// stack, which builds plain values and descriptions of tensors. Names stand for what `PickleNames` lists, and nothing is
/// run.
[<RequireQualifiedAccess>]
module internal Pickle =

    [<Sealed>]
    type private Machine(bytes: byte[], mostMemory: int64) =
        let mutable at = 0
        let mutable taken = 0L
        let stack = ResizeArray<Pickled>()
        let marks = Stack<int>()
        let memo = Dictionary<int, Pickled>()

        let charge (size: int) : unit =
            taken <- taken + int64 size

            if taken > mostMemory then
                Elements.refuse $"its pickle unpacks to more than the %d{mostMemory >>> 20} MiB that its size allows"

        let advance (count: int) : int =
            if count < 0 || count > bytes.Length - at then
                Elements.refuse "its pickle is truncated"

            at <- at + count
            at - count

        let byte1 () : int = int bytes[advance 1]

        let short () =
            int (BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(bytes, advance 2, 2)))

        let int4 () =
            BinaryPrimitives.ReadInt32LittleEndian(ReadOnlySpan(bytes, advance 4, 4))

        // A negative one is refused by `advance`.
        let long () : int =
            let size = BinaryPrimitives.ReadInt64LittleEndian(ReadOnlySpan(bytes, advance 8, 8))
            int (max -1L (min size (int64 Int32.MaxValue)))

        let push (value: Pickled) : unit =
            charge 32
            stack.Add value

        let text (length: int) : string =
            charge (2 * max 0 length)
            Encoding.UTF8.GetString(bytes, advance length, length)

        let line () : string =
            let finish = Array.IndexOf(bytes, 10uy, at)

            if finish < 0 then
                Elements.refuse "its pickle is truncated"

            let line = text (finish - at)
            at <- at + 1
            line

        let block (length: int) : Pickled =
            charge (max 0 length)
            Pickled.Bytes(Array.sub bytes (advance length) length)

        let number (length: int) : Pickled =
            if length > 1024 then
                Elements.refuse $"its pickle has a number of %d{length} bytes"

            let value = BigInteger(ReadOnlySpan(bytes, advance length, length))

            if value >= BigInteger Int64.MinValue && value <= BigInteger Int64.MaxValue then
                Pickled.Whole(int64 value)
            else
                Pickled.Real(float value)

        // What the innermost mark lets see of the stack.
        let floor () : int =
            if marks.Count = 0 then 0 else marks.Peek()

        let pop () : Pickled =
            if stack.Count <= floor () then
                Elements.refuse "its pickle takes more from its stack than there is"

            let value = stack[stack.Count - 1]
            stack.RemoveAt(stack.Count - 1)
            value

        let peek () : Pickled =
            let value = pop ()
            stack.Add value
            value

        let popTo (first: int) : Pickled[] =
            let values = Array.init (stack.Count - first) (fun index -> stack[first + index])
            stack.RemoveRange(first, values.Length)
            values

        let popToMark () : Pickled[] =
            if marks.Count = 0 then
                Elements.refuse "its pickle looks for a mark that was not set"

            let first = marks.Pop()
            charge (8 * (stack.Count - first))
            popTo first

        let popSome (count: int) : Pickled[] =
            Array.init count (fun _ -> pop ()) |> Array.rev

        let append (values: Pickled[]) : unit =
            match peek () with
            | Pickled.Items items ->
                charge (16 * values.Length)
                items.AddRange values
            | other -> Elements.refuse $"its pickle appends to %s{Pickled.describe other}"

        let set (values: Pickled[]) : unit =
            match peek () with
            | Pickled.Entries entries when values.Length % 2 = 0 ->
                charge (24 * values.Length)

                for index in 0..2 .. values.Length - 2 do
                    entries.Add(struct (values[index], values[index + 1]))
            | other -> Elements.refuse $"its pickle sets entries of %s{Pickled.describe other}"

        let call () : unit =
            let arguments = pop ()
            let callee = pop ()

            match callee, arguments with
            | Pickled.Maker maker, Pickled.Tuple arguments -> push (PickleNames.call charge maker arguments)
            | other, _ -> Elements.refuse $"its pickle calls %s{Pickled.describe other}"

        let remember (key: int) : unit =
            charge 48
            memo[key] <- peek ()

        let recall (key: int) : unit =
            match memo.TryGetValue key with
            | true, value -> push value
            | _ -> Elements.refuse $"its pickle recalls number %d{key}, which it did not keep"

        let named (moduleName: Pickled) (name: Pickled) : unit =
            match moduleName, name with
            | Pickled.Text moduleName, Pickled.Text name -> push (PickleNames.find moduleName name)
            | _ -> Elements.refuse "its pickle has a name that is no text"

        let dictionary (values: Pickled[]) : unit =
            push (Pickled.Entries(ResizeArray()))
            set values

        let refused (code: int) : 'T =
            let what =
                match char code with
                | 'i'
                | 'o'
                | '\u0092' -> "makes an object of a class by an old way"
                | '\u0082'
                | '\u0083'
                | '\u0084' -> "uses a registry of extensions"
                | 'P' -> "has a text as persistent id"
                | 'I'
                | 'L'
                | 'F'
                | 'S'
                | 'V'
                | 'g'
                | 'p' -> "is of protocol 0"
                | _ -> "is damaged, or of a later protocol"

            Elements.refuse $"its pickle %s{what} (opcode 0x%02X{code} at byte %d{at - 1}), which torch does not write"

        /// Runs one instruction; false for the last one.
        member _.Step() : bool =
            let code = byte1 ()

            match char code with
            | '\u0080' ->
                if byte1 () > 5 then
                    Elements.refuse "its pickle is of a protocol after 5"
            | '\u0095' -> advance 8 |> ignore
            | '.' -> ()
            | '(' ->
                charge 8
                marks.Push stack.Count
            | '0' ->
                if marks.Count > 0 && marks.Peek() = stack.Count then
                    marks.Pop() |> ignore
                else
                    pop () |> ignore
            | '1' -> popToMark () |> ignore
            | '2' -> push (peek ())
            | 'N' -> push Pickled.Nothing
            | '\u0088' -> push (Pickled.Truth true)
            | '\u0089' -> push (Pickled.Truth false)
            | 'J' -> push (Pickled.Whole(int64 (int4 ())))
            | 'K' -> push (Pickled.Whole(int64 (byte1 ())))
            | 'M' -> push (Pickled.Whole(int64 (short ())))
            | '\u008a' -> push (number (byte1 ()))
            | '\u008b' -> push (number (int4 ()))
            | 'G' -> push (Pickled.Real(BinaryPrimitives.ReadDoubleBigEndian(ReadOnlySpan(bytes, advance 8, 8))))
            | 'X' -> push (Pickled.Text(text (int4 ())))
            | '\u008c' -> push (Pickled.Text(text (byte1 ())))
            | '\u008d' -> push (Pickled.Text(text (long ())))
            | 'U' -> push (Pickled.Text(text (byte1 ())))
            | 'T' -> push (Pickled.Text(text (int4 ())))
            | 'B' -> push (block (int4 ()))
            | 'C' -> push (block (byte1 ()))
            | '\u008e' -> push (block (long ()))
            | ']'
            | '\u008f' ->
                charge 56
                push (Pickled.Items(ResizeArray()))
            | 'a' -> append (popSome 1)
            | 'e'
            | '\u0090' -> append (popToMark ())
            | 'l' -> push (Pickled.Items(ResizeArray(popToMark ())))
            | '\u0091' -> push (Pickled.Items(ResizeArray(popToMark ())))
            | ')' -> push (Pickled.Tuple [||])
            | 't' -> push (Pickled.Tuple(popToMark ()))
            | '\u0085' -> push (Pickled.Tuple(popSome 1))
            | '\u0086' -> push (Pickled.Tuple(popSome 2))
            | '\u0087' -> push (Pickled.Tuple(popSome 3))
            | '}' ->
                charge 56
                dictionary [||]
            | 'd' -> dictionary (popToMark ())
            | 's' -> set (popSome 2)
            | 'u' -> set (popToMark ())
            | 'c' ->
                let moduleName = line ()
                named (Pickled.Text moduleName) (Pickled.Text(line ()))
            | '\u0093' ->
                let name = pop ()
                named (pop ()) name
            | 'R'
            | '\u0081' -> call ()
            | 'b' ->
                let state = pop ()
                PickleNames.setState (peek ()) state
            | 'q' -> remember (byte1 ())
            | 'r' -> remember (int4 ())
            | '\u0094' -> remember memo.Count
            | 'h' -> recall (byte1 ())
            | 'j' -> recall (int4 ())
            | 'Q' -> push (PickleNames.storage (pop ()))
            | _ -> refused code

            code <> int '.'

        /// What is left at the end.
        member _.Result() : Pickled = pop ()

    /// What a pickle holds. Refused, as `Elements.refuse` does, where it names anything that is not on the list, is
    /// damaged, or would take more than this much memory.
    let read (mostMemory: int64) (bytes: byte[]) : Pickled =
        let machine = Machine(bytes, mostMemory)

        while machine.Step() do
            ()

        machine.Result()
