// SPDX-License-Identifier: Apache-2.0

/// Two wordings, word against word: what they have in common, and what is left of each. Guards and ``Likeness`` read
/// it.
///
/// Takes time with the product of both lengths, which ``Wording/maximumWords`` bounds, and no memory of its own.
struct Comparison {
    /// Leftover words of a side beyond which they are only counted: texts so different need no synonyms.
    private static let maximumLeftovers = 24

    /// One of the texts, by an order of their words: so every result is the same both ways round.
    let asked: Wording
    let stored: Wording
    /// `asked` is what was given second.
    let isTurned: Bool
    /// Words without a partner: neither the same, nor a synonym, nor the same spelt otherwise.
    private(set) var askedOpen: WordSet
    private(set) var storedOpen: WordSet
    /// Words whose partner is their opposite; not open any more.
    private(set) var opposites = 0
    /// Of them, those that are prepositions and the like ("on", "off").
    private(set) var oppositeFunctions = 0

    init(_ asked: Wording, _ stored: Wording) {
        isTurned = Self.precedes(stored, asked)
        self.asked = isTurned ? stored : asked
        self.stored = isTurned ? asked : stored
        askedOpen = WordSet(below: self.asked.words.count)
        storedOpen = WordSet(below: self.stored.words.count)
        matchEqual()
        guard askedOpen.count <= Self.maximumLeftovers, storedOpen.count <= Self.maximumLeftovers else { return }
        matchOpposites()
        matchAlike()
        matchCompounds()
    }

    private static func precedes(_ one: Wording, _ two: Wording) -> Bool {
        guard one.words.count == two.words.count else { return one.words.count < two.words.count }
        for (first, second) in zip(one.words, two.words) where first.exact != second.exact {
            return first.exact < second.exact
        }
        return false
    }

    private mutating func matchEqual() {
        // The same place first: equal texts are done in one pass.
        for index in 0..<min(asked.words.count, stored.words.count)
        where asked.words[index].key == stored.words[index].key {
            askedOpen.remove(index)
            storedOpen.remove(index)
        }
        var next = askedOpen.first(from: 0)
        while let index = next {
            let key = asked.words[index].key
            if let partner = storedOpen.first(where: { stored.words[$0].key == key }) {
                askedOpen.remove(index)
                storedOpen.remove(partner)
            }
            next = askedOpen.first(from: index + 1)
        }
    }

    private mutating func match(_ isMatch: (Int, Int) -> Bool, _ note: (Int, Int) -> Void = { _, _ in }) {
        var next = askedOpen.first(from: 0)
        while let index = next {
            if let partner = storedOpen.first(where: { isMatch(index, $0) }) {
                askedOpen.remove(index)
                storedOpen.remove(partner)
                note(index, partner)
            }
            next = askedOpen.first(from: index + 1)
        }
    }

    private mutating func matchOpposites() {
        let (asked, stored) = (asked, stored)
        var found = 0
        var functions = 0
        match({ Self.areOpposite($0, asked, $1, stored) }) { one, two in
            found += 1
            if asked.words[one].role == .function, stored.words[two].role == .function { functions += 1 }
        }
        opposites = found
        oppositeFunctions = functions
    }

    private static func areOpposite(_ first: Int, _ asked: Wording, _ second: Int, _ stored: Wording) -> Bool {
        let (one, two) = (asked.words[first], stored.words[second])
        // A negation is counted by itself.
        guard one.role != .number || two.role != .number, one.role != .negation, two.role != .negation else {
            return false
        }
        if Opposites.shared.areOpposite(one.opposites, two.opposites) { return true }
        if one.role == .function, two.role == .function { return Particles.areOpposite(first, asked, second, stored) }
        guard one.role == .content, two.role == .content,
            !Synonyms.shared.areSynonyms(one.synonyms, two.synonyms)
        else { return false }
        return asked.letters(one) { letters in stored.letters(two) { Affixes.areOpposite(letters, $0) } }
    }

    private mutating func matchAlike() {
        let (asked, stored) = (asked, stored)
        match({ Self.areAlike(asked.words[$0], asked, stored.words[$1], stored) })
    }

    /// Synonyms and spellings.
    private static func areAlike(_ one: Wording.Word, _ first: Wording, _ two: Wording.Word, _ second: Wording) -> Bool
    {
        switch (one.role, two.role) {
        case (.content, .content), (.content, .function), (.function, .content): break
        // "More than one" is more than 1.
        case (.function, .number): return one.exact == Self.oneWritten && two.number == 1
        case (.number, .function): return two.exact == Self.oneWritten && one.number == 1
        default: return false
        }
        // Those that are one have one key (``WordKind/spellings``); WordNet has millions that are billions.
        if one.kind != .none, two.kind != .none { return false }
        if one.role == two.role, Synonyms.shared.areSynonyms(one.synonyms, two.synonyms) { return true }
        let isKnown = (one.idf < Rarity.ofUnknown, two.idf < Rarity.ofUnknown)
        if one.role != two.role, isKnown.0, isKnown.1 { return false }
        let isName = one.kind != .none || two.kind != .none
        // A common word is no misspelt name.
        if isName, one.kind != .none ? isKnown.1 : isKnown.0 { return false }
        let known: Spelling.Knowledge =
            isName ? .name : isKnown.0 && isKnown.1 ? .both : isKnown.0 || isKnown.1 ? .one : .neither
        return first.letters(one) { letters in second.letters(two) { Spelling.isSame(letters, $0, known) } }
    }

    private static let oneWritten = WordHash.of("one")

    // MARK: What is left

    /// There is more of either text than was read, and they are not the same.
    var isUnread: Bool { (asked.isTruncated || stored.isTruncated) && asked.whole != stored.whole }

    func open(_ role: Wording.Role) -> (asked: Int, stored: Int) {
        var counts = (asked: 0, stored: 0)
        askedOpen.forEach { if asked.words[$0].role == role { counts.asked += 1 } }
        storedOpen.forEach { if stored.words[$0].role == role { counts.stored += 1 } }
        return counts
    }

    /// Words of content and numbers that both have.
    var commonContent: Int {
        asked.words.indices.reduce(0) { count, index in
            let role = asked.words[index].role
            return askedOpen.contains(index) || role == .function || role == .negation ? count : count + 1
        }
    }

    /// How many of all words have a partner, or a number or an opposite in their place: 1 if nothing is added or left
    /// out.
    ///
    /// - Parameter explained: Words without a partner that a guard looks at, of the side with more.
    func closeness(explained: Int) -> Float {
        let longer = max(asked.words.count, stored.words.count)
        guard longer > 0 else { return 1 }
        let numbers = open(.number)
        let left = max(askedOpen.count, storedOpen.count) - min(numbers.asked, numbers.stored)
        return 1 - Float(max(0, left - explained)) / Float(longer)
    }

    /// Whether one negates what the other does not. Two negations are one in some languages, and none in others: only
    /// none against some, or odd against even.
    var negationsDiffer: Bool {
        let (one, two) = (asked.negations, stored.negations)
        return one != two && (min(one, two) == 0 || (one ^ two) & 1 == 1)
    }

    /// How much of the content, numbers apart, both have: 1 if nothing else is left.
    ///
    /// - Parameter explained: Words of content that a guard looks at, of the side with more.
    func agreement(explained: Int) -> Float {
        let open = open(.content)
        let left = max(0, max(open.asked, open.stored) - explained)
        guard left > 0 else { return 1 }
        let common = commonContent
        return Float(common) / Float(common + left)
    }

    /// Whether the words apart from what a guard looks at are so much the same that its difference is what matters: by
    /// the content, or, in a question of few, by all words. Never where much is added or left out.
    func restAgrees(_ agreement: Float, _ closeness: Float, words: Int = 0, content: Int = 0) -> Bool {
        let whole = self.closeness(explained: words)
        return whole >= closeness && (whole >= 0.8 || self.agreement(explained: content) >= agreement)
    }

    // MARK: Compounds

    /// "checkbook" and "check book", "nfl" and "national football league".
    private mutating func matchCompounds() {
        let (asked, stored) = (asked, stored)
        Self.matchCompounds(of: asked, &askedOpen, in: stored, &storedOpen)
        Self.matchCompounds(of: stored, &storedOpen, in: asked, &askedOpen)
    }

    private static func matchCompounds(
        of one: Wording, _ oneOpen: inout WordSet, in other: Wording, _ otherOpen: inout WordSet
    ) {
        var next = oneOpen.first(from: 0)
        while let index = next {
            let word = one.words[index]
            if word.role == .content, word.length >= 2, let run = run(standingFor: word, of: one, in: other, otherOpen)
            {
                oneOpen.remove(index)
                for place in run { otherOpen.remove(place) }
            }
            next = oneOpen.first(from: index + 1)
        }
    }

    /// The neighbours that spell the word together, or begin with its letters.
    private static func run(
        standingFor word: Wording.Word, of one: Wording, in other: Wording, _ open: WordSet
    ) -> Range<Int>? {
        var start = open.first(from: 0)
        while let first = start {
            var end = first
            var isSpelt = true
            var spelt = 0
            while end < other.words.count, open.contains(end), end - first < 6 {
                let part = other.words[end]
                let offset = Int(word.start) + (end - first)
                guard part.length > 0 else { break }
                let isInitial =
                    end - first < Int(word.length) && one.bytes[offset] == other.bytes[Int(part.start)]
                isSpelt =
                    isSpelt && spelt + Int(part.length) <= Int(word.length)
                    && one.bytes[(Int(word.start) + spelt)..<(Int(word.start) + spelt + Int(part.length))]
                        .elementsEqual(other.bytes[Int(part.start)..<Int(part.start + part.length)])
                spelt += Int(part.length)
                guard isInitial || isSpelt else { break }
                end += 1
                if isSpelt, spelt == Int(word.length), end - first > 1 { return first..<end }
                if isInitial, end - first == Int(word.length), end - first > 1,
                    areInitials(word, one, other, first..<end)
                {
                    return first..<end
                }
            }
            start = open.first(from: first + 1)
        }
        return nil
    }

    private static func areInitials(_ word: Wording.Word, _ one: Wording, _ other: Wording, _ run: Range<Int>) -> Bool {
        run.enumerated().allSatisfy { offset, place in
            one.bytes[Int(word.start) + offset] == other.bytes[Int(other.words[place].start)]
        }
    }
}
