namespace SkeletonRecall

open System.Collections.Generic

/// Matching the tunnels of two volumes: the one dimension that components of fore- or background do not tell.
///
/// A tunnel of a shape A inside a shape U is filled at the cell where, while U grows cell by cell to the whole box, the
/// image of H1(A) in H1(U) loses a rank. By Alexander's duality that rank is the rank of the linking numbers (mod 2)
/// between the loops of A and the loops of what U has not reached yet. So U is grown backwards: squares are taken off
/// from the last to the first, each joins two cubes of the outside or closes a loop there, and a loop whose linking
/// numbers with those of A are independent of all earlier ones marks the square at which a tunnel of A is filled.
[<RequireQualifiedAccess>]
module internal Tunnels =

    /// What the cells leave free: its squares, and a spanning forest of its cubes in which later squares come first.
    [<Sealed>]
    type private Outside(box: Loops.Box, cells: byte[]) =
        let count = box.Count
        let steps, sizes = box.Steps, box.Sizes

        // Squares that exist and are free, by the bits of `square`; then those of the forest.
        let free = Array.zeroCreate<byte> count
        let forest = Array.zeroCreate<byte> count

        // The cubes on both sides of a square; `count` is the outside of the box.
        let behind (vertex: int) (axis: int) =
            if box.At vertex axis > 0 then
                vertex - steps[axis]
            else
                count

        let ahead (vertex: int) (axis: int) =
            if box.At vertex axis < sizes[axis] - 1 then
                vertex
            else
                count

        do
            for vertex in 0 .. count - 1 do
                let inner0 = box.At vertex 0 < sizes[0] - 1
                let inner1 = box.At vertex 1 < sizes[1] - 1
                let inner2 = box.At vertex 2 < sizes[2] - 1
                let mutable bits = 0uy

                if inner1 && inner2 then
                    bits <- bits ||| Loops.square 0

                if inner0 && inner2 then
                    bits <- bits ||| Loops.square 1

                if inner0 && inner1 then
                    bits <- bits ||| Loops.square 2

                free[vertex] <- bits &&& ~~~cells[vertex]

            let roots = Array.init (count + 1) id

            let root (cube: int) =
                let mutable at = cube

                while roots[at] <> at do
                    roots[at] <- roots[roots[at]]
                    at <- roots[at]

                at

            for vertex in count - 1 .. -1 .. 0 do
                for axis in 2..-1..0 do
                    if free[vertex] &&& Loops.square axis <> 0uy then
                        let left = root (behind vertex axis)
                        let right = root (ahead vertex axis)

                        if left <> right then
                            roots[min left right] <- max left right
                            forest[vertex] <- forest[vertex] ||| Loops.square axis

        // The cubes of the forest, each after its parent, with the square (4 * vertex + axis) between them.
        let order = ResizeArray<struct (int * int * int)>()

        do
            let seen = Array.zeroCreate<bool>(count + 1)
            let queue = Queue<int>()

            let visit (from: int) (vertex: int) (axis: int) =
                if forest[vertex] &&& Loops.square axis <> 0uy then
                    let left, right = behind vertex axis, ahead vertex axis
                    let next = if left = from then right else left

                    if not seen[next] then
                        seen[next] <- true
                        order.Add(struct (next, from, 4 * vertex + axis))
                        queue.Enqueue next

            let drain () =
                while queue.Count > 0 do
                    let cube = queue.Dequeue()

                    if cube = count then
                        for vertex in 0 .. count - 1 do
                            for axis in 0..2 do
                                let place = box.At vertex axis

                                if place = 0 || place = sizes[axis] - 1 then
                                    visit count vertex axis
                    else
                        for axis in 0..2 do
                            visit cube cube axis

                            if box.At cube axis < sizes[axis] - 1 then
                                visit cube (cube + steps[axis]) axis

            for root in count .. -1 .. 0 do
                if not seen[root] then
                    seen[root] <- true
                    queue.Enqueue root
                    drain ()

        /// The linking numbers of up to 64 loops, one bit each, for every free square outside the forest where they are
        /// not all 0, from the last square to the first.
        member _.Linking(loops: int[][]) : struct (int * uint64) list =
            // A surface bounded by each loop: a curtain from it along the columns to the first one, and there along the
            // rows. Squares hold one bit per surface.
            let across0 = Array.zeroCreate<uint64> count
            let across1 = Array.zeroCreate<uint64> count
            let plane = Array.zeroCreate<uint64>(sizes[0] * sizes[1])

            loops
            |> Array.iteri (fun at loop ->
                let bit = 1UL <<< at

                for code in loop do
                    let vertex = code >>> 2

                    match code &&& 3 with
                    | 0 ->
                        across1[vertex] <- across1[vertex] ^^^ bit
                        let place = vertex / sizes[2]
                        plane[place] <- plane[place] ^^^ bit
                    | 1 -> across0[vertex] <- across0[vertex] ^^^ bit
                    | _ -> ())

            // From edges at c to squares before c.
            let sweep (values: uint64[]) (start: int) (step: int) (length: int) =
                let mutable sum = 0UL

                for at in length - 1 .. -1 .. 0 do
                    let here = values[start + at * step]
                    values[start + at * step] <- sum
                    sum <- sum ^^^ here

            for row in 0 .. sizes[0] * sizes[1] - 1 do
                sweep across0 (row * sizes[2]) 1 sizes[2]
                sweep across1 (row * sizes[2]) 1 sizes[2]

            for slice in 0 .. sizes[0] - 1 do
                sweep plane (slice * sizes[1]) 1 sizes[1]

            let crossed (vertex: int) (axis: int) =
                match axis with
                | 0 -> across0[vertex]
                | 1 -> across1[vertex]
                | _ ->
                    if vertex % sizes[2] = 0 then
                        plane[vertex / sizes[2]]
                    else
                        0UL

            let potentials = Array.zeroCreate<uint64>(count + 1)

            for struct (cube, from, code) in order do
                potentials[cube] <- potentials[from] ^^^ crossed (code >>> 2) (code &&& 3)

            let found = ResizeArray<struct (int * uint64)>()

            for vertex in count - 1 .. -1 .. 0 do
                let bits = free[vertex] &&& ~~~forest[vertex]

                if bits <> 0uy then
                    for axis in 2..-1..0 do
                        if bits &&& Loops.square axis <> 0uy then
                            let linked =
                                crossed vertex axis
                                ^^^ potentials[behind vertex axis]
                                ^^^ potentials[ahead vertex axis]

                            if linked <> 0UL then
                                found.Add(struct (4 * vertex + axis, linked))

            List.ofSeq found

    // The squares whose linking numbers are independent of those of all later squares.
    let private fillings (outside: Outside) (loops: int[] list) : HashSet<int> =
        let chunks = loops |> List.chunkBySize 64 |> List.map Array.ofList
        let vectors = SortedDictionary<int, uint64[]>()

        chunks
        |> List.iteri (fun at chunk ->
            for struct (code, linked) in outside.Linking chunk do
                match vectors.TryGetValue -code with
                | true, vector -> vector[at] <- linked
                | _ ->
                    let vector = Array.zeroCreate<uint64> chunks.Length
                    vector[at] <- linked
                    vectors[-code] <- vector)

        let result = HashSet<int>()
        // Reduced vectors by the place of their first bit.
        let basis = Dictionary<int, uint64[]>()

        let first (vector: uint64[]) =
            let word = vector |> Array.tryFindIndex (fun word -> word <> 0UL)

            match word with
            | Some word -> 64 * word + System.Numerics.BitOperations.TrailingZeroCount vector[word]
            | None -> -1

        for entry in vectors do
            let vector = Array.copy entry.Value
            let mutable place = first vector
            let mutable reducing = true

            while reducing && place >= 0 do
                match basis.TryGetValue place with
                | true, known ->
                    for word in 0 .. vector.Length - 1 do
                        vector[word] <- vector[word] ^^^ known[word]

                    place <- first vector
                | _ ->
                    basis[place] <- vector
                    result.Add -entry.Key |> ignore
                    reducing <- false

        result

    /// How many tunnels of both masks are filled at the same square while their union grows.
    let matched (closed: bool) (prediction: Mask) (truth: Mask) : int =
        let box = Loops.Box(closed, prediction.Extent)
        let ours = Loops.spanning box (Loops.cells closed prediction)
        let theirs = Loops.spanning box (Loops.cells closed truth)

        if ours.IsEmpty || theirs.IsEmpty then
            0
        else
            let outside = Outside(box, Loops.cells closed (Mask.union prediction truth))
            let filled = fillings outside ours
            filled.IntersectWith(fillings outside theirs)
            filled.Count
