namespace SkeletonRecall

open System.Runtime.Intrinsics

/// The two passes of Zhang's method with scikit-image's look-up table, 512 pixels at a time: each neighbour is a vector of
/// bits, and the table is a boolean function of the eight. The functions are the smallest decision diagrams of the table
/// over all orders of the neighbours (34 choices each); the tests hold the table itself and compare.
[<RequireQualifiedAccess>]
module internal ZhangTable =

    let inline private choose (condition: Vector512<uint32>) (yes: Vector512<uint32>) (no: Vector512<uint32>) =
        Vector512.ConditionalSelect(condition, yes, no)

    /// Which pixels the first pass removes: those whose neighbourhood, weighing north-west 1, north 2, north-east 4,
    /// east 8, south-east 16, south 32, south-west 64 and west 128, is 3, 6, 7, 10-12, 14, 15, 28, 30, 31, 40, 60, 112,
    /// 120, 124, 130, 131, 134, 135, 143, 159-161, 193-195, 198, 199, 207, 225, 227, 231, 240, 241 or 243.
    let inline first
        (northWest: Vector512<uint32>)
        (north: Vector512<uint32>)
        (northEast: Vector512<uint32>)
        (east: Vector512<uint32>)
        (southEast: Vector512<uint32>)
        (south: Vector512<uint32>)
        (southWest: Vector512<uint32>)
        (west: Vector512<uint32>)
        : Vector512<uint32> =
        let s1 = Vector512.AndNot(west, east)
        let s2 = northWest &&& s1
        let s3 = southWest &&& s2
        let s4 = Vector512.AndNot(s3, southEast)
        let s5 = Vector512.OnesComplement(west)
        let s6 = choose east s5 west
        let s7 = choose northWest s1 s6
        let s8 = choose southWest s2 s7
        let s9 = s5 ||| Vector512.OnesComplement(east)
        let s10 = choose northWest s1 s9
        let s11 = southWest &&& s10
        let s12 = choose southEast s11 s8
        let s13 = choose south s12 s4
        let s14 = east &&& s5
        let s15 = Vector512.AndNot(s14, northWest)
        let s16 = Vector512.AndNot(s15, southWest)
        let s17 = southEast &&& s15
        let s18 = choose south s17 s16
        let s19 = choose northEast s18 s13
        let s20 = choose northWest s9 s6
        let s21 = choose southWest s1 s20
        let s22 = Vector512.AndNot(s21, southEast)
        let s23 = choose south s3 s22
        let s24 = northWest ||| s9
        let s25 = choose northWest west s1
        let s26 = choose southWest s25 s24
        let s27 = choose northWest east s14
        let s28 = Vector512.AndNot(s27, southWest)
        let s29 = choose southEast s28 s26
        let s30 = choose south s4 s29
        let s31 = choose northEast s30 s23
        choose north s31 s19

    /// Which pixels the second pass removes: neighbourhoods 7, 10, 15, 24, 26, 28, 30, 31, 40, 56, 60, 62, 63, 96, 104,
    /// 108, 112, 120, 124, 126, 130, 135, 160, 176, 192, 193, 195, 199, 224, 225, 240, 241, 248, 249 and 252.
    let inline second
        (northWest: Vector512<uint32>)
        (north: Vector512<uint32>)
        (northEast: Vector512<uint32>)
        (east: Vector512<uint32>)
        (southEast: Vector512<uint32>)
        (south: Vector512<uint32>)
        (southWest: Vector512<uint32>)
        (west: Vector512<uint32>)
        : Vector512<uint32> =
        let s1 = Vector512.OnesComplement(west)
        let s2 = east &&& s1
        let s3 = southEast &&& s2
        let s4 = Vector512.AndNot(s3, northWest)
        let s5 = Vector512.AndNot(west, east)
        let s6 = Vector512.AndNot(s5, southEast)
        let s7 = Vector512.AndNot(s6, northEast)
        let s8 = choose southWest s7 s4
        let s9 = choose east s1 west
        let s10 = choose northEast s3 s9
        let s11 = Vector512.AndNot(s10, northWest)
        let s12 = s1 ||| Vector512.OnesComplement(east)
        let s13 = southEast ||| s12
        let s14 = choose southEast east s2
        let s15 = choose northEast s14 s13
        let s16 = choose southEast west s5
        let s17 = Vector512.AndNot(s16, northEast)
        let s18 = choose northWest s17 s15
        let s19 = choose southWest s18 s11
        let s20 = choose south s19 s8
        let s21 = choose southEast s2 s9
        let s22 = choose northEast s3 s21
        let s23 = choose southEast s2 s12
        let s24 = northEast &&& s23
        let s25 = choose northWest s24 s22
        let s26 = northWest &&& s6
        let s27 = choose southWest s26 s25
        let s28 = northEast &&& s3
        let s29 = Vector512.AndNot(s28, northWest)
        let s30 = choose southWest s29 s28
        let s31 = choose south s30 s27
        choose north s31 s20
