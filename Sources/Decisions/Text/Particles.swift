// SPDX-License-Identifier: Apache-2.0

/// Small words that turn a question round only beside the same word: log in and log out, to and from my account.
/// English, and German.
enum Particles {
    /// After the same word.
    private static let after: Set<UInt64> = pairs("in=out into=out in=off on=off ein=aus an=aus an=ab auf=zu")
    /// Before the same word, or after it.
    private static let beside: Set<UInt64> = pairs("to=from into=from will=did")

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
        guard beside.contains(pair) else { return false }
        return isSame(behind(first, asked), behind(second, stored))
    }

    private static func isSame(_ one: UInt64?, _ two: UInt64?) -> Bool { one != nil && one == two }

    private static func before(_ index: Int, _ wording: Wording) -> UInt64? {
        index > 0 && wording.words[index - 1].role != .function ? wording.words[index - 1].key : nil
    }

    /// The first word behind it that is no article.
    private static func behind(_ index: Int, _ wording: Wording) -> UInt64? {
        wording.words[(index + 1)...].first { $0.role != .function }?.key
    }
}
