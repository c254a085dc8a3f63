// SPDX-License-Identifier: Apache-2.0

extension WordingReader {
    consuming func finished() -> Wording {
        let language = languages.likeliest
        nameMonths()
        for index in wording.words.indices where wording.words[index].role != .number {
            let exact = wording.words[index].exact
            if lexicon.isNegation(exact, in: language), language != .english || negates(index) {
                wording.words[index].role = .negation
                wording.negations += 1
            } else if language != .english, lexicon.isFunctionWord(exact, in: language) {
                wording.words[index].role = .function
            }
        }
        wording.questionType = QuestionType(wording.words)
        wording.trigrams = Self.trigrams(wording.bytes)
        return wording
    }

    private static let may = WordHash.of("may")
    private static let beforeMay = Set(
        ("in of until till by last next since this" as StaticString).tableWords.map { WordHash.of($0) })

    /// "May" is a month beside a number, and after "in".
    private mutating func nameMonths() {
        for index in wording.words.indices where wording.words[index].exact == Self.may {
            let before = index > 0 ? wording.words[index - 1] : nil
            let after = index + 1 < wording.words.count ? wording.words[index + 1] : nil
            let isMonth =
                before?.role == .number || after?.role == .number
                || before.map { Self.beforeMay.contains($0.exact) } ?? false
            guard isMonth else { continue }
            wording.words[index].role = .content
            wording.words[index].kind = .month
        }
    }

    private static let no = WordHash.of("no")
    private static let beforeNo = Set(
        ("is are was were be been has have had there get got getting make makes see with why receive show"
            as StaticString)
            .tableWords.map { WordHash.of($0) })

    private static let afterNo = Set(
        ("make wait sorry rather actually scratch uh um" as StaticString).tableWords.map { WordHash.of($0) })
    private static let not = WordHash.of("not")
    private static let or = WordHash.of("or")

    /// English "no" is often said without denying anything ("no, wait", "the first, no, the second"), and so is "or
    /// not".
    private func negates(_ index: Int) -> Bool {
        let word = wording.words[index].exact
        if word == Self.not { return index == 0 || wording.words[index - 1].exact != Self.or }
        guard word == Self.no else { return true }
        guard index > 0, index + 1 < wording.words.count, wording.words[index + 1].role == .content else {
            return false
        }
        return Self.beforeNo.contains(wording.words[index - 1].exact)
            && !Self.afterNo.contains(wording.words[index + 1].exact)
    }

    private static func trigrams(_ bytes: [UInt8]) -> [UInt32] {
        guard bytes.count > 2 else { return [] }
        var all = [UInt32](unsafeUninitializedCapacity: bytes.count - 2) { trigrams, count in
            for position in 0..<(bytes.count - 2) {
                trigrams[position] =
                    UInt32(bytes[position]) << 16 | UInt32(bytes[position + 1]) << 8 | UInt32(bytes[position + 2])
            }
            count = bytes.count - 2
        }
        all.sort()
        var kept = 1
        for position in 1..<all.count where all[position] != all[kept - 1] {
            all[kept] = all[position]
            kept += 1
        }
        all.removeSubrange(kept...)
        return all
    }
}
