// SPDX-License-Identifier: Apache-2.0

/// On and off, before and after, from here to there and from there to here. English.
enum DirectionGuard {
    private static let agreement: Float = 0.8
    private static let closeness: Float = 0.7

    static func refuses(_ comparison: Comparison) -> Bool {
        guard comparison.restAgrees(agreement, closeness) else { return false }
        if comparison.oppositeFunctions > 0, !comparison.negationsDiffer { return true }
        let (asked, stored) = (Journey(comparison.asked), Journey(comparison.stored))
        guard let start = asked.start, let end = asked.end, start != end else { return false }
        return stored.start == end && stored.end == start
    }
}

/// What follows "from" and "to".
private struct Journey {
    var start: UInt64?
    var end: UInt64?

    private static let from = WordHash.of("from")
    private static let to = WordHash.of("to")
    private static let into = WordHash.of("into")

    init(_ wording: Wording) {
        var isStart: Bool?
        for word in wording.words {
            if word.exact == Self.from {
                isStart = true
            } else if word.exact == Self.to || word.exact == Self.into {
                isStart = false
            } else if let which = isStart, word.role != .function {
                if which, start == nil { start = word.key }
                if !which, start != nil || end == nil { end = end ?? word.key }
                isStart = nil
            }
        }
    }
}
