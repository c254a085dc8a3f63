// SPDX-License-Identifier: Apache-2.0

/// Small words that turn a question round only beside the same word: log in and log out, to and from my account.
/// English, and German.
enum Particles {
    /// After the same word.
    private static let after: Set<UInt64> = pairs("in=out into=out in=off on=off ein=aus an=aus an=ab auf=zu")
    /// Before the same word, articles and possessives apart.
    private static let beside: Set<UInt64> = pairs("to=from into=from")
    /// So, where nothing is negated: what did not work will not work.
    private static let tenses: Set<UInt64> = pairs("will=did")
    private static let determiners = Set(
        ("a an the my your his her its our their this that it i you he she we they there" as StaticString).tableWords
            .map { WordHash.of($0) })

    private static func pairs(_ table: StaticString) -> Set<UInt64> {
        Set(
            table.tableWords.map { entry in
                let halves = entry.split(separator: UInt8(ascii: "="))
                return pair(WordHash.of(halves[0]), WordHash.of(halves[1]))
            })
    }

    /// The same both ways round.
    private static func pair(_ one: UInt64, _ two: UInt64) -> UInt64 { Lexicon.pair(min(one, two), max(one, two)) }

    static func areOpposite(_ first: Int, _ asked: Wording, _ second: Int, _ stored: Wording) -> Bool {
        let pair = pair(asked.words[first].exact, stored.words[second].exact)
        if after.contains(pair) { return isSame(before(first, asked), before(second, stored)) }
        let isTense = tenses.contains(pair) && asked.negations + stored.negations == 0
        guard isTense || beside.contains(pair) else { return false }
        return isSame(behind(first, asked), behind(second, stored))
    }

    private static func isSame(_ one: UInt64?, _ two: UInt64?) -> Bool { one != nil && one == two }

    private static func before(_ index: Int, _ wording: Wording) -> UInt64? {
        index > 0 && wording.words[index - 1].role != .function ? wording.words[index - 1].key : nil
    }

    private static func behind(_ index: Int, _ wording: Wording) -> UInt64? {
        guard let next = wording.words[(index + 1)...].first(where: { !determiners.contains($0.exact) }) else {
            return nil
        }
        return next.role == .function ? nil : next.key
    }
}
