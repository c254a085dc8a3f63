// SPDX-License-Identifier: Apache-2.0

/// What is known of words, from the tables of this target; read once.
struct Lexicon: Sendable {
    static let shared = Lexicon()

    /// By the hash of the word as it is written.
    private var words: [UInt64: Entry] = [:]
    /// By the hash of the stem.
    private var stems: [UInt64: StemEntry] = [:]
    /// "new york": by both words' hashes.
    private(set) var phrases: [UInt64: Wording.Word] = [:]
    /// "thousand", by hash.
    let factors: [UInt64: Double] = [
        WordHash.of("hundred"): 100, WordHash.of("thousand"): 1e3, WordHash.of("million"): 1e6,
        WordHash.of("billion"): 1e9, WordHash.of("trillion"): 1e12,
    ]
    /// Those that are no words of their own: "i", "v", "x" and "mix" are left out.
    let romanNumerals: [UInt64: Double] = {
        let numerals: StaticString = "ii iii iv . vi vii viii ix . xi xii xiii xiv xv xvi xvii xviii xix"
        var values: [UInt64: Double] = [:]
        for (place, word) in numerals.tableWords.enumerated() where word.count > 1 {
            values[WordHash.of(word)] = Double(place + 2)
        }
        return values
    }()
    private let negations: [Language: Set<UInt64>]
    private let markers: [Language: Set<UInt64>]

    private struct Entry {
        var isFunction = false
        var kind = WordKind.none
        /// Another word that this one is compared as.
        var key: UInt64 = 0
        var ordinal = 0
    }

    private struct StemEntry {
        var idf = Rarity.ofUnknown
        var opposites: Opposites.Group = 0
        var synonyms = Synonyms.Range.none
    }

    static func pair(_ first: UInt64, _ second: UInt64) -> UInt64 { (first &* 31) ^ second }

    static let ordinalEndings = (WordHash.of("st"), WordHash.of("nd"), WordHash.of("rd"), WordHash.of("th"))
    static let decadeEnding = WordHash.of("s")
    static let thousand = WordHash.of("k")

    private init() {
        negations = Language.allNegations
        markers = Language.allMarkers
        for (idf, stem) in Rarity.table { stems[stem, default: StemEntry()].idf = idf }
        for (stem, group) in Opposites.shared.groups { stems[stem, default: StemEntry()].opposites = group }
        for (stem, range) in Synonyms.shared.ranges { stems[stem, default: StemEntry()].synonyms = range }
        for word in FunctionWords.english.tableWords { words[WordHash.of(word), default: Entry()].isFunction = true }
        for (index, word) in FunctionWords.ordinals.tableWords.enumerated() {
            words[WordHash.of(word), default: Entry()].ordinal = index + 1
        }
        for (kind, word) in WordKind.table { words[WordHash.of(word), default: Entry()].kind = kind }
        for group in Units.table {
            for name in group {
                words[WordHash.of(name), default: Entry()].key = Stem.hash(group[0])
                words[WordHash.of(name), default: Entry()].kind = .unit
            }
        }
        for group in WordKind.spellings {
            let kind = words[WordHash.of(group[0])]?.kind ?? .none
            for name in group.dropFirst() {
                words[WordHash.of(name), default: Entry()].key = Stem.hash(group[0])
                words[WordHash.of(name), default: Entry()].kind = kind
            }
        }
        for names in WordKind.phrases { note(phrase: names) }
    }

    /// `name=one two`: two words that are compared as one.
    private mutating func note(phrase: [UInt8]) {
        let halves = phrase.split(separator: UInt8(ascii: "="))
        let parts = halves[1].split(separator: UInt8(ascii: "_"))
        let whole = halves[0].withUnsafeBufferPointer { word($0) }
        phrases[Self.pair(WordHash.of(parts[0]), WordHash.of(parts[1]))] = whole
    }

    /// - Parameter letters: Lower case.
    func word(_ letters: UnsafeBufferPointer<UInt8>) -> Wording.Word {
        let exact = WordHash.of(letters)
        var word = Wording.Word(key: Stem.hash(letters), exact: exact, role: .content, idf: Rarity.ofUnknown)
        if let entry = words[exact] {
            word.role = entry.isFunction ? .function : .content
            word.kind = entry.kind
            if entry.key != 0 { word.key = entry.key }
            if entry.ordinal > 0 {
                word.role = .number
                word.number = Double(entry.ordinal)
                word.key = WordHash.of(number: word.number)
            }
        }
        if word.kind == .none, letters.count > 3, letters.last == UInt8(ascii: "s"),
            let one = words[WordHash.of(UnsafeBufferPointer(rebasing: letters.dropLast()))], one.kind != .unit
        {
            word.kind = one.kind
        }
        let stem = Stem.hash(letters)
        if let entry = stems[stem] {
            word.idf = entry.idf
            word.opposites = entry.opposites
            word.synonyms = entry.synonyms
        }
        if word.opposites == 0 || letters.last == UInt8(ascii: "t") {
            let base = oppositesOfBase(letters)
            if base != 0 { word.opposites = base }
        }
        return word
    }

    /// Of "largest" and "higher": those of "large" and "high".
    private func oppositesOfBase(_ letters: UnsafeBufferPointer<UInt8>) -> Opposites.Group {
        let ending: Int
        if letters.count > 5, letters.suffix(3).elementsEqual("est".utf8) {
            ending = 3
        } else if letters.count > 4, letters.suffix(2).elementsEqual("er".utf8) {
            ending = 2
        } else {
            return 0
        }
        var base = Array(letters.dropLast(ending))
        if base.last == UInt8(ascii: "i") { base[base.count - 1] = UInt8(ascii: "y") }
        if base.count > 3, base[base.count - 1] == base[base.count - 2] { base.removeLast() }
        return stems[Stem.hash(base)]?.opposites ?? 0
    }

    func isNegation(_ word: UInt64, in language: Language) -> Bool { negations[language]?.contains(word) ?? false }

    func isFunctionWord(_ word: UInt64, in language: Language) -> Bool { markers[language]?.contains(word) ?? false }
}
