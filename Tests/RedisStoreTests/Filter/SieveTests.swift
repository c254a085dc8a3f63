// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import RedisStore

@Suite struct SieveTests {
    @Test(arguments: [NumberForm.fields, .prefixes], 0..<4)
    func `a sieve takes whatever its filter takes`(form: NumberForm, seed: Int) throws {
        var random = SeededGenerator(UInt64(seed))
        var outcomes: [[Bool]: Int] = [:]
        let entries = (0..<40).map { _ in IndexedEntry(random.indexedEntry(), form) }
        for round in 0..<300 {
            let filter = try random.indexedFilter(terms: random.int(1...12))
            let sieve = Sieve(supersetOf: filter, numbers: form, terms: random.pick([256, 256, 1, 2, 4]))
            for entry in entries {
                let passes = sieve.passes(entry)
                let isMeant = filter.matches(entry.attributes)
                outcomes[[isMeant, passes], default: 0] += 1
                if isMeant && !passes {
                    Issue.record("seed \(seed), round \(round): \(filter.text) drops \(entry.attributes)")
                }
            }
        }
        // It takes some and drops some: neither is so rare that the test says little.
        #expect(outcomes[[true, true], default: 0] > 800 && outcomes[[false, false], default: 0] > 800)
    }

    @Test(arguments: [
        (NumberForm.fields, FilterParts.withoutOrder), (.prefixes, .withoutOrder), (.prefixes, .withSimpleRanges),
    ])
    func `it takes nothing else where an index knows all that the filter asks`(form: NumberForm, parts: FilterParts)
        throws
    {
        var random = SeededGenerator(77)
        let entries = (0..<40).map { _ in IndexedEntry(random.indexedEntry(), form) }
        for round in 0..<500 {
            let filter = try random.indexedFilter(parts, terms: random.int(1...12))
            let sieve = Sieve(supersetOf: filter, numbers: form, terms: .max)
            for entry in entries where sieve.passes(entry) != filter.matches(entry.attributes) {
                Issue.record("round \(round): \(filter.text) and its sieve differ on \(entry.attributes)")
            }
        }
    }

    @Test func `a conjunction of ranges is exact in fields, and a range by prefixes is wrong within its bucket only`()
        throws
    {
        var random = SeededGenerator(5)
        var wrong = 0
        for _ in 0..<300 {
            let (low, high) = (Double.random(in: -10...10, using: &random), Double.random(in: -10...10, using: &random))
            let filter = try MetadataFilter("score >= \(low) and score < \(high) and not beta")
            let value = Double.random(in: -10...10, using: &random)
            let entry = [Attribute(name: "score", value: .number(value))]
            let isMeant = filter.matches(entry)
            let fields = Sieve(supersetOf: filter, numbers: .fields)
            #expect(fields.passes(IndexedEntry(entry, .fields)) == isMeant)
            let prefixes = Sieve(supersetOf: filter, numbers: .prefixes)
            if prefixes.passes(IndexedEntry(entry, .prefixes)) != isMeant {
                wrong += 1
                #expect(min(abs(value - low), abs(value - high)) < 10.0 / 4096)
            }
        }
        #expect(wrong < 5)
    }

    @Test func `the order of keys is that of numbers`() {
        var random = SeededGenerator(3)
        var numbers: [Double] = [0, 1, -1, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .greatestFiniteMagnitude]
        numbers += (0..<500).map { _ in Double(bitPattern: random.next()) }.filter(\.isFinite)
        for pair in zip(numbers.shuffled(using: &random), numbers) {
            #expect((pair.0 < pair.1) == (OrderedNumber(pair.0).key < OrderedNumber(pair.1).key))
        }
        #expect(OrderedNumber(-0.0).key == OrderedNumber(0).key)
        #expect(OrderedNumber(8191).isFirstOfBucket && OrderedNumber(-8191).isLastOfBucket)
    }

    @Test func `a filter that is too large leaves parts of its conjunctions away, the largest first`() throws {
        let tags = (0..<40).map { "\"\($0)\"" }.joined(separator: ", ")
        let small = try Sieve(supersetOf: MetadataFilter("lang == \"de\" and beta"), numbers: .fields)
        let large = try MetadataFilter("tags contains any [\(tags)] and lang == \"de\" and beta")
        #expect(Sieve(supersetOf: large, numbers: .fields).terms == 2)
        #expect(Sieve(supersetOf: large, numbers: .fields, terms: 42).terms == 42)
        let widened = Sieve(supersetOf: large, numbers: .fields, terms: 41)
        #expect(widened.terms == 2 && widened.isSame(as: small))
        let refused = try MetadataFilter("not (tags contains any [\(tags)] or lang == \"de\")")
        #expect(Sieve(supersetOf: refused, numbers: .fields, terms: 10).terms == 10)
        let either = try MetadataFilter("tags contains any [\(tags)]")
        #expect(Sieve(supersetOf: either, numbers: .fields, terms: 39) == .always)
    }

    @Test func `tokens are 16 digits and differ in name, type and value`() {
        let attributes = [
            Attribute(name: "a", value: .string("1")), Attribute(name: "b", value: .string("1")),
            Attribute(name: "c", value: .number(1)), Attribute(name: "d", value: .boolean(true)),
            Attribute(name: "e", value: .strings(["1", "1", "2"])), Attribute(name: "f", value: .strings([])),
        ]
        let tokens = IndexedAttributes(attributes, numbers: .prefixes).tokens
        #expect(tokens.count == 2 + 2 + 8 + 2 + 3 + 1 && Set(tokens).count == tokens.count)
        #expect(tokens.allSatisfy { $0.utf8.count == 16 && $0.allSatisfy { "0123456789abcdef".contains($0) } })
        // Digests of what is known: a change of the scheme would make all stored entries invisible to filters.
        #expect(AttributeToken.string("de", of: "lang") == "a205b34564fc5b1d")
    }
}

/// An entry as it is, and as an index sees it.
private struct IndexedEntry {
    let attributes: [Attribute]
    let tokens: Set<String>
    let numbers: [String: Double]

    init(_ attributes: [Attribute], _ form: NumberForm) {
        let indexed = IndexedAttributes(attributes, numbers: form)
        self.attributes = attributes
        self.tokens = Set(indexed.tokens)
        self.numbers = Dictionary(uniqueKeysWithValues: indexed.numbers.map { ($0.field, $0.value) })
    }
}

extension Sieve {
    /// Naively, with the rule of vector sets: what reads a missing field is false as a whole.
    fileprivate func passes(_ entry: IndexedEntry) -> Bool {
        var readsMissingField = false
        func value(_ sieve: Sieve) -> Bool {
            switch sieve {
            case .always: return true
            case .never: return false
            case .token(let token): return entry.tokens.contains(token)
            case .number(let field, let comparison, let literal):
                guard let number = entry.numbers[field] else {
                    readsMissingField = true
                    return false
                }
                return switch comparison {
                case .equal: number == literal
                case .notEqual: number != literal
                case .less: number < literal
                case .lessOrEqual: number <= literal
                case .greater: number > literal
                case .greaterOrEqual: number >= literal
                }
            case .not(let operand): return !value(operand)
            // All of them are looked at.
            case .all(let parts): return parts.map { value($0) }.allSatisfy { $0 }
            case .any(let parts): return parts.map { value($0) }.contains(true)
            }
        }
        let passes = value(self)
        return passes && !readsMissingField
    }

    fileprivate func isSame(as other: Sieve) -> Bool {
        guard case .all(let parts) = self, case .all(let others) = other else { return self == other }
        return parts.count == others.count && parts.allSatisfy { others.contains($0) }
    }
}
