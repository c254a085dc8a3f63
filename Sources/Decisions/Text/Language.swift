// SPDX-License-Identifier: Apache-2.0

/// The languages whose negations are known. A word that negates in one language may name something in another, so that
/// a text's own function words say first which it is.
enum Language: Int, CaseIterable, Sendable {
    case english, german, french, spanish, italian, dutch, portuguese

    private var data: (markers: StaticString, negations: StaticString) {
        switch self {
        case .english: (FunctionWords.english, NegationData.english)
        case .german: (NegationData.germanMarkers, NegationData.german)
        case .french: (NegationData.frenchMarkers, NegationData.french)
        case .spanish: (NegationData.spanishMarkers, NegationData.spanish)
        case .italian: (NegationData.italianMarkers, NegationData.italian)
        case .dutch: (NegationData.dutchMarkers, NegationData.dutch)
        case .portuguese: (NegationData.portugueseMarkers, NegationData.portuguese)
        }
    }

    static let allMarkers = all(\.markers)
    static let allNegations = all(\.negations)

    private static func all(_ words: (((markers: StaticString, negations: StaticString)) -> StaticString)) -> [Language:
        Set<UInt64>]
    {
        Dictionary(
            uniqueKeysWithValues: allCases.map { language in
                (language, Set(words(language.data).tableWords.map { WordHash.of($0) }))
            })
    }

    /// The languages that a word is a marker of, a bit each.
    static let markersByWord: [UInt64: UInt8] = {
        var languages: [UInt64: UInt8] = [:]
        for (language, words) in allMarkers {
            for word in words.union(allNegations[language] ?? []) {
                languages[word, default: 0] |= 1 << UInt8(language.rawValue)
            }
        }
        return languages
    }()
}

/// Counts function words by language.
struct LanguageCount {
    private var counts = SIMD8<UInt16>()

    mutating func note(_ word: UInt64) {
        guard let languages = Language.markersByWord[word] else { return }
        for language in 0..<Language.allCases.count where languages & 1 << UInt8(language) != 0 {
            counts[language] &+= 1
        }
    }

    /// English if none has more.
    var likeliest: Language {
        var best = Language.english
        for language in Language.allCases where counts[language.rawValue] > counts[best.rawValue] { best = language }
        return best
    }
}
