// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@Suite struct FilterPropertyTests {
    @Test(arguments: 0..<10)
    func `random filters mean what they were made to mean`(seed: Int) throws {
        var random = SeededGenerator(UInt64(seed))
        var outcomes: [Bool: Int] = [:]
        for round in 0..<2000 {
            let wish = random.filterWish(terms: random.int(1...12))
            let text = random.filterText(of: wish)
            let filter = try MetadataFilter(text)
            for _ in 0..<5 {
                let attributes = random.filterEntry()
                let entry = Dictionary(uniqueKeysWithValues: attributes.map { (Array($0.name.utf8), $0.value) })
                let isMeant = wish.isMet(by: entry)
                outcomes[isMeant, default: 0] += 1
                if filter.matches(attributes) != isMeant {
                    Issue.record("seed \(seed), round \(round): \(text) of \(attributes) is not \(isMeant)")
                }
            }
        }
        // Neither answer is so rare that the test says little.
        #expect(outcomes.count == 2 && outcomes.values.allSatisfy { $0 > 2000 })
    }

    @Test(arguments: 0..<10)
    func `however a filter is written, its canonical form is the same and stays so`(seed: Int) throws {
        var random = SeededGenerator(UInt64(1000 + seed))
        for round in 0..<500 {
            let wish = random.filterWish(terms: random.int(1...12))
            let text = random.filterText(of: wish)
            let filter = try MetadataFilter(text)
            let again = try MetadataFilter(filter.text)
            let other = try MetadataFilter(random.filterText(of: wish))
            let texts = Set([filter, again, other].map { Array($0.text.utf8) })
            if texts.count != 1 || filter != again || Set([filter, again, other]).count != 1 {
                Issue.record("seed \(seed), round \(round): \(text) is \(filter.text), \(again.text), \(other.text)")
            }
            let attributes = random.filterEntry()
            if again.matches(attributes) != filter.matches(attributes) {
                Issue.record("seed \(seed), round \(round): \(text) and \(filter.text) differ on \(attributes)")
            }
        }
    }

    @Test func `no bytes trap, and what is refused names the field`() throws {
        var random = SeededGenerator(7)
        let pieces = [
            "a", "lang", " ", "(", ")", "[", "]", ",", "==", "!=", "<", ">", "=", "not", "and", "or", "in", "contains",
            "any", "exists", "true", "\"", "\"x\"", "`", "`y`", "\\", "\\u{", "}", "-", "1", ".5", "e9", "\u{1f600}",
        ]
        var accepted = 0
        for round in 0..<20_000 {
            let bytes: [UInt8] =
                round % 4 == 0
                ? random.bytes(random.int(0...40))
                : (0..<random.int(0...20)).flatMap { _ in Array(random.pick(pieces).utf8) + [0x20][..<random.int(0...1)]
                }
            do {
                let filter = try bytes.withUnsafeBytes { try MetadataFilter($0) }
                _ = filter.matches(random.filterEntry())
                accepted += 1
            } catch let error as CacheError {
                if error.code != .invalidArgument || error.field != "filter" { Issue.record("\(error) of \(bytes)") }
            }
        }
        #expect(accepted > 20)
    }

    /// A store of which a caller must be told what it cannot do.
    private struct NumbersOnly: FilterTranslator {
        struct Unsupported: Error {}
        typealias Failure = Unsupported

        func boolean(_ name: String, is value: Bool) throws(Unsupported) -> Int { throw Unsupported() }
        func comparison(
            of name: String, _ comparison: MetadataFilter.Comparison, with literal: MetadataFilter.Literal
        ) throws(Unsupported) -> Int {
            guard case .number = literal else { throw Unsupported() }
            return 1
        }
        func membership(of name: String, in values: MetadataFilter.Values) throws(Unsupported) -> Int {
            guard case .numbers(let numbers) = values else { throw Unsupported() }
            return numbers.count
        }
        func containment(in name: String, ofAny strings: [String]) throws(Unsupported) -> Int { throw Unsupported() }
        func existence(of name: String) throws(Unsupported) -> Int { throw Unsupported() }
        func negation(of operand: Int) -> Int { operand }
        func all(of operands: [Int]) -> Int { operands.reduce(0, +) }
        func any(of operands: [Int]) -> Int { operands.reduce(0, +) }
    }

    @Test func `pitfall 3: a translator that cannot say something stops the translation`() throws {
        let numbers = try MetadataFilter("a == 1 and not (b in [1, 2] or c < 3)")
        #expect(try numbers.translated(by: NumbersOnly()) == 4)
        let mixed = try MetadataFilter(#"a == 1 and not (b in [1, 2] or c < "3")"#)
        #expect(throws: NumbersOnly.Unsupported.self) { try mixed.translated(by: NumbersOnly()) }
    }
}
