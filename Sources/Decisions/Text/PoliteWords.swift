// SPDX-License-Identifier: Apache-2.0

/// Polite words around a question, which change nothing about its answer.
struct PoliteWords: Sendable {
    static let shared = PoliteWords()

    private struct Phrase {
        let words: [UInt64]
        /// Goes only if a pause follows, or the beginning of a question: "hello world" keeps its hello.
        var needsPause = false
        /// Stays where it is spoken of: "please in French".
        var isCourtesy = false
    }

    /// By their first word, the longest first.
    private let leading: [UInt64: [Phrase]]
    /// By their last word, the longest first.
    private let trailing: [UInt64: [Phrase]]
    private let beginnings: Set<UInt64>
    /// Words behind which, without a stop, a closing is what is asked about: "the French word for thank you".
    private let mentioning: Set<UInt64>
    /// Words before which a courtesy is.
    private let mentioned: Set<UInt64>

    private init() {
        func hashes(_ phrase: some Sequence<UInt8>) -> [UInt64] {
            Array(phrase).split(separator: 0x20).map { WordHash.of($0) }
        }
        func phrases(_ table: StaticString, needsPause: Bool = false, isCourtesy: Bool = false) -> [Phrase] {
            table.withUTF8Buffer { Array($0) }.map { $0 == 0x0a ? 0x20 : $0 }.split(separator: UInt8(ascii: "."))
                .map { Phrase(words: hashes($0), needsPause: needsPause, isCourtesy: isCourtesy) }
                .filter { !$0.words.isEmpty }
        }
        let first =
            phrases(Self.openings) + phrases(Self.courtesies, isCourtesy: true)
            + phrases(Self.greetings, needsPause: true)
        leading = Dictionary(grouping: first) { $0.words[0] }
            .mapValues { $0.sorted { $0.words.count > $1.words.count } }
        trailing = Dictionary(grouping: phrases(Self.closings)) { $0.words[$0.words.count - 1] }
            .mapValues { $0.sorted { $0.words.count > $1.words.count } }
        beginnings = Set(Self.beginnings.tableWords.map { WordHash.of($0) })
        mentioning = Set(Self.mentioning.tableWords.map { WordHash.of($0) })
        mentioned = Set(Self.mentioned.tableWords.map { WordHash.of($0) })
    }

    /// Takes them off, from both ends until none is left; never the last word.
    func trim(_ words: inout QuestionWords) {
        var range = 0..<words.words.count
        while range.count > 1 {
            if words.isDash(range.lowerBound), words.isName(range.lowerBound + 1) {
                range = (range.lowerBound + 1)..<range.upperBound
            } else if words.isMark(range.upperBound - 1) {
                range = range.lowerBound..<(range.upperBound - 1)
            } else if let count = lead(words, range) {
                range = (range.lowerBound + count)..<range.upperBound
            } else if let count = trail(words, range) {
                range = range.lowerBound..<(range.upperBound - count)
            } else {
                break
            }
        }
        if range.count < words.words.count { words.keep(range) }
    }

    private func lead(_ words: QuestionWords, _ range: Range<Int>) -> Int? {
        guard let candidates = leading[words.hash(range.lowerBound)] else { return nil }
        // "Hi! There was" greets with one word, "hi there" with two.
        return longest(of: candidates, acrossPauses: false, words, range)
            ?? longest(of: candidates, acrossPauses: true, words, range)
    }

    private func longest(
        of candidates: [Phrase], acrossPauses: Bool, _ words: QuestionWords, _ range: Range<Int>
    ) -> Int? {
        for phrase in candidates where phrase.words.count < range.count {
            let next = range.lowerBound + phrase.words.count
            guard acrossPauses || !words.words[range.lowerBound..<(next - 1)].contains(where: \.isFollowedByPause)
            else {
                continue
            }
            let isSame = phrase.words.indices.allSatisfy { words.hash(range.lowerBound + $0) == phrase.words[$0] }
            let isFree = !phrase.needsPause || words.words[next - 1].isFollowedByPause
            if phrase.isCourtesy, mentioned.contains(words.hash(next)) { continue }
            if isSame, isFree || beginnings.contains(words.hash(next)) { return phrase.words.count }
        }
        return nil
    }

    private func trail(_ words: QuestionWords, _ range: Range<Int>) -> Int? {
        guard let candidates = trailing[words.hash(range.upperBound - 1)] else { return nil }
        for phrase in candidates where phrase.words.count < range.count {
            let start = range.upperBound - phrase.words.count
            if !words.words[start - 1].isFollowedByStop, mentioning.contains(words.hash(start - 1)) { continue }
            if phrase.words.indices.allSatisfy({ words.hash(start + $0) == phrase.words[$0] }) {
                return phrase.words.count
            }
        }
        return nil
    }

    // Contractions are spelt out before these are looked for. English, then German, French, Spanish, Italian, Dutch
    // and Portuguese.
    private static let openings: StaticString = """
        please tell me. please could you tell me. please can you tell me. please let me know. please help me
        understand. tell me. let me know. kindly. kindly tell me. can you tell me. could you tell me. would you tell
        me. will you tell me. can you please tell me. could you please tell me. would you please tell me. will you
        please tell me. can you let me know. could you let me know. could you please let me know. can you please let
        me know. can you explain. could you explain. could you please explain. can you please explain. can you please.
        could you please. would you please. will you please. could you kindly. would you kindly. can you help me
        understand. could you help me understand. would you mind telling me. i
        would like to know. i want to know. i need to know. i wish to know. i would love to know. i was wondering. i
        was wondering if you could tell me. i was wondering if you can tell me. i am wondering. just wondering. may i
        ask. can i ask. may i know. could i ask. quick question. just a quick question. a quick question. one
        question. one quick question. i have a question. i have a quick question. excuse me. sorry to bother you. if
        you do not mind. bitte sag mir. kannst du mir sagen. können sie mir sagen. können sie mir bitte sagen. ich
        möchte wissen. dis moi. dites moi. pouvez vous me dire. peux tu me dire. je voudrais savoir. puede decirme. podría decirme. me gustaría saber. puoi dirmi.
        vorrei sapere. kunt u mij vertellen. você pode me dizer. gostaria de saber
        """
    private static let courtesies: StaticString = """
        please. bitte. s'il vous plaît. s'il te plaît. por favor. per favore. alstublieft
        """
    private static let greetings: StaticString = """
        do you know. do you happen to know. hi. hello. hey. hi there. hello there. hey there. hi everyone. hi all. dear all. good morning. good afternoon.
        good evening. good day. greetings. ok. okay. so. well. um. uh. oh. thanks. thank you. hallo. guten tag. guten
        morgen. bonjour. salut. hola. buenos días. buenas tardes. ciao. buongiorno. goedendag. olá. bom dia
        """
    private static let closings: StaticString = """
        please. thanks. thank you. thanks in advance. thank you in advance. thank you very much. thank you so much.
        thanks so much. thanks a lot. thanks very much. many thanks. thanks again. thanks for your help. thank you for
        your help. thanks for the help. thanks for helping. thank you kindly. cheers. much appreciated. any help is
        appreciated. any help would be appreciated. kind regards. best regards. regards. bitte. danke. vielen dank.
        danke im voraus. danke schön. merci. merci beaucoup. merci d'avance. s'il vous plaît. s'il te plaît. gracias.
        muchas gracias. por favor. grazie. grazie mille. per favore. dank je. dank u. bedankt. alvast bedankt.
        alstublieft. obrigado. obrigada
        """
    private static let beginnings: StaticString = """
        what who whom whose where when why which how can could would will shall should may might must do does did is
        are was were am has have had i we my our you your it its the a an there this that if please tell give show
        let just need want looking help wie was wer wo wann warum ich kann können comment quel quelle où quand
        pourquoi je est qué cómo cuál dónde cuándo quién por puedo
        """
    private static let mentioning: StaticString = """
        for of to say says saying said mean means meaning word words phrase translate translated translation is
        and or between write spell pronounce define
        bedeutet heißt heisst bedeutung und oder signifie dire et ou veut mot significa decir palabra y o dire
        significato parola e betekent woord en zeggen dizer palavra
        """
    private static let mentioned: StaticString = """
        in auf en em op and or und et y e vs versus mean means meaning translation translated bedeutet heißt heisst
        signifie significa auf
        """
}

extension QuestionWords {
    /// A dash or a colon that stands alone.
    fileprivate func isDash(_ index: Int) -> Bool { isOne(of: "-:", index) }

    /// Nothing but marks.
    fileprivate func isMark(_ index: Int) -> Bool {
        bytes[Int(words[index].start)..<Int(words[index].end)].allSatisfy(Self.isMark)
    }

    private func isOne(of signs: String, _ index: Int) -> Bool {
        let word = words[index]
        return word.end - word.start == 1 && signs.utf8.contains(bytes[Int(word.start)])
    }

    /// A word of more than a letter, which no sign before it counts.
    fileprivate func isName(_ index: Int) -> Bool {
        let word = words[index]
        return word.end - word.start > 1 && bytes[Int(word.start)].isLetter
    }
}
