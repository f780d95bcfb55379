/// No call that is marked as a tail call takes a span: the runtime may lose the span's array (src/Directory.Build.props).
/// The tests are compiled as a user's program is, with marks, so that they show what users get.
module SkeletonRecall.Tests.TailCallTests

open System
open System.Reflection
open System.Reflection.Emit
open Expecto

// The instructions of one byte, and those of two by their second.
let private short, long =
    let short = Array.zeroCreate<OpCode> 256
    let long = Array.zeroCreate<OpCode> 256

    for field in typeof<OpCodes>.GetFields(BindingFlags.Public ||| BindingFlags.Static) do
        let code = field.GetValue null |> nonNull |> unbox<OpCode>
        (if code.Size = 1 then short else long)[int code.Value &&& 0xFF] <- code

    short, long

// The bytes that follow an instruction.
let private operand (il: byte[]) (at: int) (code: OpCode) : int =
    match code.OperandType with
    | OperandType.InlineNone -> 0
    | OperandType.ShortInlineBrTarget
    | OperandType.ShortInlineI
    | OperandType.ShortInlineVar -> 1
    | OperandType.InlineVar -> 2
    | OperandType.InlineI8
    | OperandType.InlineR -> 8
    | OperandType.InlineSwitch -> 4 + 4 * BitConverter.ToInt32(il, at)
    | _ -> 4

// The tokens of the methods that a method's code calls with a mark.
let private marked (il: byte[]) : int list =
    let rec from (at: int) (isMarked: bool) (found: int list) : int list =
        if at >= il.Length then
            found
        else
            let code, next =
                if il[at] = 0xFEuy then
                    long[int il[at + 1]], at + 2
                else
                    short[int il[at]], at + 1

            let isCall = code = OpCodes.Call || code = OpCodes.Callvirt

            (if isMarked && isCall then
                 BitConverter.ToInt32(il, next) :: found
             else
                 found)
            |> from (next + operand il next code) (code = OpCodes.Tailcall)

    from 0 false []

let private everything =
    BindingFlags.Public
    ||| BindingFlags.NonPublic
    ||| BindingFlags.Static
    ||| BindingFlags.Instance
    ||| BindingFlags.DeclaredOnly

let private generic (arguments: Type[]) : Type[] | null =
    if arguments.Length = 0 then null else arguments

let private calls (assembly: Assembly) : (MethodInfo * MethodBase) list =
    [
        for kind in assembly.GetTypes() do
            for method in kind.GetMethods everything do
                match method.GetMethodBody() with
                | null -> ()
                | body ->
                    for token in marked (nonNull (body.GetILAsByteArray())) do
                        let callee =
                            method.Module.ResolveMethod(
                                token,
                                generic (kind.GetGenericArguments()),
                                generic (method.GetGenericArguments())
                            )

                        method, nonNull callee
    ]

let private takesSpan (callee: MethodBase) : bool =
    callee.GetParameters()
    |> Array.exists (fun parameter -> parameter.ParameterType.IsByRefLike)

let private own = Assembly.GetExecutingAssembly()

let private tested: Assembly list =
    [
        for reference in own.GetReferencedAssemblies() do
            if
                reference.Name
                |> string
                |> _.StartsWith("skeleton", StringComparison.OrdinalIgnoreCase)
            then
                Assembly.Load reference
    ]

[<Tests>]
let tests =
    testList
        "Tail calls"
        [
            test "the tests have marked calls, which are found" { Expect.isNonEmpty (calls own) "marked calls" }

            for assembly in own :: tested do
                test $"%s{string (assembly.GetName().Name)} marks no call with a span" {
                    let found =
                        calls assembly
                        |> List.filter (fun (_, callee) -> takesSpan callee)
                        |> List.map (fun (caller, callee) -> $"%O{caller.DeclaringType}.%s{caller.Name}: %O{callee}")

                    Expect.equal found [] "marked calls with spans"
                }
        ]
