// SPDX-License-Identifier: Apache-2.0

extension QuestionWords {
    /// Appends what a contraction or a word of a number stands for.
    ///
    /// - Returns: Whether it was one.
    mutating func appendSpeltOut(_ word: UnsafeBufferPointer<UInt8>) -> Bool {
        if appendNumberWord(word) { return true }
        if let whole = SpeltOut.whole[WordHash.of(word)] {
            for part in whole { part.withUnsafeBufferPointer { append(word: $0) } }
            return true
        }
        guard let apostrophe = word.lastIndex(of: UInt8(ascii: "'")), apostrophe > 0 else {
            return appendCompound(word)
        }
        let head = UnsafeBufferPointer(rebasing: word[..<apostrophe])
        let tail = UnsafeBufferPointer(rebasing: word[(apostrophe + 1)...])
        if tail.elementsEqual("t".utf8), head.last == UInt8(ascii: "n"), head.count > 2 {
            // What is left may be another.
            append(piece: UnsafeBufferPointer(rebasing: head[..<(head.count - 1)]))
            append("not")
            return true
        }
        if tail.elementsEqual("nt".utf8), head.count > 1 {
            append(piece: head)
            append("not")
            return true
        }
        guard let verb = SpeltOut.tails[WordHash.of(tail)] else { return false }
        guard !verb.needsPronoun || SpeltOut.pronouns.contains(WordHash.of(head)) else { return false }
        append(piece: head)
        append(verb.word)
        return true
    }

    private mutating func append(_ word: StaticString) { word.withUTF8Buffer { append(word: $0) } }

    /// "two" is 2, and "twenty one" 21. "one" alone stays: it more often is a pronoun.
    private mutating func appendNumberWord(_ word: UnsafeBufferPointer<UInt8>) -> Bool {
        guard word.count <= 9, let number = SpeltOut.numbers[WordHash.of(word)] else { return false }
        if number < 10, let last = words.last, last.isTens, !last.isFollowedByPause {
            let tens = bytes[Int(last.start)..<Int(last.end)].reduce(0) { $0 * 10 + Int($1 - 0x30) }
            removeLast()
            append(number: tens + number, isTens: false)
            return true
        }
        guard number != 1 else { return false }
        append(number: number, isTens: number >= 20)
        return true
    }

    /// Words of numbers within "two:30", "two/24" and "twenty-one".
    private mutating func appendCompound(_ word: UnsafeBufferPointer<UInt8>) -> Bool {
        func isJoint(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: ":") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "-")
        }
        guard word.contains(where: isJoint) else { return false }
        var compound: [UInt8] = []
        var tens = 0
        var start = 0
        var isChanged = false
        for end in 0...word.count where end == word.count || isJoint(word[end]) {
            let part = UnsafeBufferPointer(rebasing: word[start..<end])
            if let number = SpeltOut.numbers[WordHash.of(part)], number != 1 || tens > 0 {
                if tens > 0, number < 10 {
                    compound.removeLast(3)
                    compound.append(contentsOf: String(tens + number).utf8)
                } else {
                    compound.append(contentsOf: String(number).utf8)
                }
                isChanged = true
                tens = number >= 20 && end < word.count && word[end] == UInt8(ascii: "-") ? number : 0
            } else {
                compound.append(contentsOf: part)
                tens = 0
            }
            if end < word.count { compound.append(word[end]) }
            start = end + 1
        }
        if isChanged { compound.withUnsafeBufferPointer { append(word: $0) } }
        return isChanged
    }
}

/// What contractions and words of numbers stand for. English.
enum SpeltOut {
    /// What stands behind an apostrophe. "'s" is a verb only after a pronoun or question word.
    static let tails: [UInt64: (word: StaticString, needsPronoun: Bool)] = [
        WordHash.of("re"): ("are", false), WordHash.of("ve"): ("have", false), WordHash.of("ll"): ("will", false),
        WordHash.of("m"): ("am", true), WordHash.of("d"): ("would", true), WordHash.of("s"): ("is", true),
    ]

    static let pronouns = Set(
        ("i you he she it we they that this these those there here what who where when why how which" as StaticString)
            .tableWords.map { WordHash.of($0) })

    /// Contractions that no rule finds, also as they are typed without an apostrophe. Those that are words of their
    /// own without it (its, were, well, ill, id, shed) are left alone.
    static let whole: [UInt64: [[UInt8]]] = {
        let table: StaticString = """
            can't=can_not cannot=can_not cant=can_not won't=will_not wont=will_not shan't=shall_not n't=not
            ain't=is_not aint=is_not dont=do_not doesnt=does_not didnt=did_not isnt=is_not arent=are_not wasnt=was_not
            werent=were_not hasnt=has_not havent=have_not hadnt=had_not couldnt=could_not wouldnt=would_not
            shouldnt=should_not mustnt=must_not neednt=need_not im=i_am ive=i_have youre=you_are youve=you_have
            theyre=they_are theyve=they_have weve=we_have whats=what_is wheres=where_is whos=who_is hows=how_is
            whens=when_is whys=why_is thats=that_is theres=there_is let's=let_us gonna=going_to wanna=want_to
            gimme=give_me lemme=let_me pls=please plz=please thx=thanks
            """
        var entries: [UInt64: [[UInt8]]] = [:]
        for entry in table.tableWords {
            let halves = entry.split(separator: UInt8(ascii: "="))
            entries[WordHash.of(halves[0])] = halves[1].split(separator: UInt8(ascii: "_")).map(Array.init)
        }
        return entries
    }()

    static let numbers: [UInt64: Int] = {
        let ones: StaticString = """
            zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
            seventeen eighteen nineteen
            """
        let tens: StaticString = "twenty thirty forty fifty sixty seventy eighty ninety"
        var entries: [UInt64: Int] = [:]
        for (value, word) in ones.tableWords.enumerated() where value > 0 { entries[WordHash.of(word)] = value }
        for (step, word) in tens.tableWords.enumerated() { entries[WordHash.of(word)] = 20 + 10 * step }
        return entries
    }()
}
