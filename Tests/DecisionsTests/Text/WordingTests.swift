// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct WordingTests {
    private func numbers(_ text: String) -> [Double] {
        Wording(text).words.filter { $0.role == .number }.map(\.number)
    }

    @Test(arguments: [
        ("10 mg", [10.0]), ("10mg", [10]), ("$5", [5]), ("5$", [5]), ("€5", [5]), ("5€", [5]), ("the 3rd", [3]),
        ("the third", [3]), ("two", [2]), ("1,000", [1000]), ("5%", [5]), ("2:30", [2, 30]), ("two/24", [2, 24]),
        ("10k", [10_000]), ("two thousand", [2000]), ("3.25", [3.25]), ("-4", [-4]), ("1920s", [1920]),
        ("8-3", [8, 3]), ("covid19", [19]), ("-.5", [-0.5]), ("World War II", [2]), ("Louis XIV", [14]),
        ("at 5:00", [5]),
    ])
    func `numbers are read in all their forms`(_ text: String, _ expected: [Double]) {
        #expect(numbers(text) == expected)
    }

    @Test func `a unit belongs to its number, written out or as a sign`() {
        let units = ["$5", "5 dollars", "5$", "5 bucks", "5dollars"].map { Wording($0).words.first?.unit }
        #expect(Set(units).count == 1)
        #expect(units[0] != 0)
        #expect(Wording("5 minutes").words[0].unit == Wording("5 min").words[0].unit)
        #expect(Wording("5 minutes").words[0].unit != Wording("5 hours").words[0].unit)
    }

    @Test func `without a unit a version is what is written, with one a value`() {
        func key(_ text: String) -> UInt64? { Wording(text).words.first { $0.role == .number }?.key }
        #expect(key("python 3.1") != key("python 3.10"))
        #expect(key("version 1.1.0") != key("version 1.10.0"))
        #expect(key("usb 3.0") == key("usb 3"))
        #expect(key("$3.10") == key("$3.1"))
        #expect(key("3.10 kg") == key("3.1 kg"))
    }

    @Test func `a sign of a unit stays with its number`() {
        #expect(Wording("5 %").words.map(\.key) == Wording("5%").words.map(\.key))
        #expect(Wording("what % of 20").words.first { $0.role == .number }?.unit == 0)
        #expect(Wording("6'").words[0].unit == Wording("6 feet").words[0].unit)
        #expect(Wording("6\"").words[0].unit == Wording("6 inches").words[0].unit)
    }

    @Test(arguments: [
        ("why isn't it here", 1), ("without a card I can't", 2), ("there is no charge", 1), ("no, wait, the second", 0),
        ("Warum geht das nicht?", 1), ("Ich habe keine Karte", 1), ("Je n'ai pas de carte", 1),
        ("Pourquoi je ne peux jamais payer sans carte", 2), ("¿Por qué no puedo pagar?", 1),
        ("non posso pagare con la carta", 1),
        ("waarom kan ik niet betalen met de kaart", 1), ("por que não posso pagar com o cartão", 1),
        ("what is a sin", 0), ("is it mai", 0), ("die Karte ist da", 0),
    ])
    func `negations are counted in the language of the text`(_ text: String, _ count: Int) {
        #expect(Wording(text).negations == count)
    }

    @Test(arguments: [
        ("who wrote it", QuestionType.who), ("when was it", .when), ("in what year was it", .when),
        ("where is it", .where_),
        ("which country is it", .where_), ("how many are there", .howMany), ("how much is it", .howMany),
        ("how old is it", .howOld), ("I was charged, why", .why), ("how come it is late", .why),
    ])
    func `the type of a question is seen`(_ text: String, _ type: QuestionType) {
        #expect(Wording(text).questionType == type)
    }

    @Test func `no type is seen where there is none, or where there are two`() {
        #expect(Wording("reset my password").questionType == nil)
        #expect(Wording("tell me what to do when it rains").questionType == nil)
        #expect(Wording("who and why").questionType == nil)
    }

    @Test func `a rare word weighs more than a common one`() {
        let words = Wording("card zugzwang").words
        #expect(words[0].idf < 5)
        #expect(words[1].idf == Rarity.ofUnknown)
    }

    @Test func `stems of one word are the same, also in the table of rare words`() {
        func key(_ word: String) -> UInt64 { Wording(word).words[0].key }
        for (one, two) in [
            ("types", "type"), ("charges", "charged"), ("cities", "city"), ("stopped", "stop"), ("dates", "date"),
        ] {
            #expect(key(one) == key(two), "\(one) \(two)")
        }
        #expect(Wording("transfers").words[0].idf < 6)
    }

    @Test func `only so many words are read, and the wording says so`() throws {
        let long = Wording(try CanonicalPrompt((0..<400).map { "w\($0)" }.joined(separator: " ")))
        #expect(long.isTruncated)
        #expect(long.words.count == Wording.maximumWords)
        #expect(Wording(try CanonicalPrompt(String(repeating: "word and word ", count: 300))).isTruncated)
        #expect(!Wording("short").isTruncated)
    }
}
