module SkeletonRecall.Tests.Sha256Tests

open System
open System.Text
open Expecto
open SkeletonRecall

[<Tests>]
let tests =
    testList
        "Sha256"
        [
            testCase "the standard's examples" (fun () ->
                let hash (text: string) =
                    Sha256.hex (Encoding.ASCII.GetBytes text)

                Expect.equal
                    (hash "abc")
                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                    "one block"

                Expect.equal
                    (hash "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
                    "two blocks"

                Expect.equal
                    (hash (String('a', 1_000_000)))
                    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
                    "a million")

            testCase "as .NET's, at every length of a block" (fun () ->
                for length in 0..200 do
                    let bytes = Array.init length (fun index -> byte (31 * index + length))

                    Expect.equal
                        (Sha256.hex bytes)
                        (Convert.ToHexStringLower(Security.Cryptography.SHA256.HashData bytes))
                        $"%d{length} bytes")
        ]
