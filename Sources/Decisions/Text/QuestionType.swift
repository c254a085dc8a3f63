// SPDX-License-Identifier: Apache-2.0

/// What kind of answer a question asks for.
package enum QuestionType: UInt8, Sendable {
    case who, when, where_, why
    case howMany, howLong, howOld, howFar, howOften, howBig
    /// "How do I", "how to"; "how did it".
    case how, manner
}

extension QuestionType {
    /// Of the words that say it: "who", "when" or "what year", "where" or "which country", "why", "how many". English.
    ///
    /// - Returns: nil if none does, or if several say different things.
    init?(_ words: [Wording.Word]) {
        var found: QuestionType?
        for (index, word) in words.enumerated() where word.role == .function {
            var type = Self.single[word.exact]
            // Further on, "when" and "where" mostly join sentences.
            if type == .when || type == .where_, index > 1 { type = nil }
            if type == nil, index + 1 < words.count, Self.openings.contains(word.exact) {
                type = Self.pairs[Lexicon.pair(word.exact, words[index + 1].exact)]
            }
            if type == .howMany, index + 2 < words.count, Self.time.contains(words[index + 2].key) { type = .howLong }
            guard let type else { continue }
            if let found, found != type { return nil }
            found = type
        }
        let how = Self.how(words)
        guard let type = found ?? how, found == nil || how != .manner else { return nil }
        self = type
    }

    /// "How long until" is "when". How something is to be done is only told apart from why: it is asked in many ways.
    func differs(from other: QuestionType) -> Bool {
        let both: Set = [self, other]
        if both.contains(.how) { return both == [.how, .why] }
        if both.contains(.manner) {
            return both == [.manner, .when] || both == [.manner, .where_] || both == [.manner, .who]
        }
        return self != other && both != [.when, .howLong]
    }

    private static func how(_ words: [Wording.Word]) -> QuestionType? {
        for index in words.indices.dropLast() where words[index].exact == howWritten {
            if doing.contains(words[index + 1].exact) { return .how }
            if happening.contains(words[index + 1].exact) { return .manner }
        }
        return nil
    }

    private static let howWritten = WordHash.of("how")
    private static let doing = Set(
        ("do can should could would to" as StaticString).tableWords.map { WordHash.of($0) })
    private static let happening = Set(("did was were" as StaticString).tableWords.map { WordHash.of($0) })

    private static let single: [UInt64: QuestionType] = [
        WordHash.of("who"): .who, WordHash.of("whom"): .who, WordHash.of("whose"): .who, WordHash.of("when"): .when,
        WordHash.of("where"): .where_, WordHash.of("why"): .why,
    ]

    /// "How many days" is how long.
    private static let time = Set(
        ("time longer second minute hour day week month year" as StaticString).tableWords.map { Stem.hash($0) })

    private static let openings: Set<UInt64> = [WordHash.of("how"), WordHash.of("what"), WordHash.of("which")]

    private static let pairs: [UInt64: QuestionType] = {
        let rows: [(type: QuestionType, phrases: StaticString)] = [
            (.howMany, "how_many how_much"), (.howLong, "how_long"), (.howOld, "how_old"), (.howFar, "how_far"),
            (.howOften, "how_often"), (.howBig, "how_big how_tall how_high how_large how_wide how_deep"),
            (.when, "what_year what_date what_day what_month which_year which_date which_day which_month what_time"),
            (.where_, "what_country what_city what_state which_country which_city which_state"), (.why, "how_come"),
        ]
        var pairs: [UInt64: QuestionType] = [:]
        for (type, phrases) in rows {
            for phrase in phrases.tableWords {
                let words = phrase.split(separator: UInt8(ascii: "_"))
                pairs[Lexicon.pair(WordHash.of(words[0]), WordHash.of(words[1]))] = type
            }
        }
        return pairs
    }()
}
