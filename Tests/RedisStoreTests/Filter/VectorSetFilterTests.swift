// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import RedisStore

@Suite struct VectorSetFilterTests {
    private let field = AttributeToken.type(.number, of: "score")
    private let other = AttributeToken.type(.number, of: "n")
    private let german = AttributeToken.string("de", of: "lang")
    private let beta = AttributeToken.boolean(true, of: "beta")

    /// A look for a token, in the list that it is in.
    private func look(for token: String) -> String {
        "\"\(token)\" in .t\((token.first?.hexDigitValue ?? 0) % 4)"
    }

    private func text(_ filter: String) throws -> String? {
        VectorSetFilter.text(Sieve(supersetOf: try MetadataFilter(filter), numbers: .fields))
    }

    @Test func `an expression reads tokens, and numbers where all else is required too`() throws {
        #expect(try text("lang == \"de\"") == "\(self.look(for: self.german))")
        #expect(try text("not lang == \"de\"") == "not (\(self.look(for: self.german)))")
        #expect(
            try text("lang == \"de\" and score >= 0.5 and not beta")
                == "(\(self.look(for: self.german)) and not (\(self.look(for: self.beta))) and .n\(self.field) >= 0.5)")
        #expect(
            try text("lang == \"de\" or score >= 0.5")
                == "(\(self.look(for: self.german)) or \(self.look(for: self.field)))")
        #expect(
            try text("(n < 1 or score > 1) and score >= 0.5")
                == "((\(self.look(for: self.other)) or \(self.look(for: self.field))) and .n\(self.field) >= 0.5)")
        #expect(try text("not score >= 0.5") == nil)
        #expect(VectorSetFilter.text(.never) == "0")
    }

    @Test(arguments: [
        ("> -2.5e300", "> -2.5e300"), ("<= 12", "<= 12.0"), ("< 1.25e-7", "< 0.000000125"), (">= -1e-5", ">= -0.00001"),
        ("> 1e-200", ">= 0"), ("<= -1e-200", "<= 0"), ("< 1e16", "< 1e16"), ("< -0.0", "< 0.0"),
    ]) func `a number is written so that a vector set reads it`(filter: String, expected: String) throws {
        #expect(try text("score \(filter)") == ".n\(self.field) \(expected)")
    }

    @Test func `what is smaller than a literal can say moves outwards`() throws {
        let smallest = "0." + String(repeating: "0", count: 99) + "1"
        #expect(try text("score < 5e-324") == ".n\(self.field) <= \(smallest)")
        #expect(try text("score > -5e-324") == ".n\(self.field) >= -\(smallest)")
    }

    @Test func `attributes are an object of two times, tokens and numbers`() {
        let attributes = IndexedAttributes(
            [Attribute(name: "beta", value: .boolean(true)), Attribute(name: "score", value: .number(-2.5e300))],
            numbers: .fields)
        let json = VectorSetAttributes.json(
            attributes, expiresAt: Timestamp(milliseconds: 7), createdAt: Timestamp(milliseconds: -1))
        let tokens = [
            AttributeToken.type(.boolean, of: "beta"), self.beta, self.field,
            AttributeToken.number(-2.5e300, of: "score"),
        ]
        let lists = (0..<4).map { list in
            let own = tokens.filter { ($0.first?.hexDigitValue ?? 0) % 4 == list }.map { "\"\($0)\"" }
            return "\"t\(list)\":[\(own.joined(separator: ","))]"
        }.joined(separator: ",")
        #expect(String(decoding: json, as: UTF8.self) == "{\"e\":7,\"c\":-1,\(lists),\"n\(self.field)\":-2.5e+300}")
        let none = VectorSetAttributes.json(
            IndexedAttributes([], numbers: .fields), expiresAt: Timestamp(milliseconds: .max),
            createdAt: Timestamp(milliseconds: 0))
        #expect(
            String(decoding: none, as: UTF8.self) == #"{"e":9223372036854775807,"c":0,"t0":[],"t1":[],"t2":[],"t3":[]}"#
        )
    }

    @Test func `a server finds what a filter takes, nothing of it missing and little else`() async throws {
        let server = try await RedisServer.start()
        var random = SeededGenerator(9)
        var entries: [[Attribute]] = []
        for number in 0..<120 {
            let entry = random.indexedEntry()
            entries.append(entry)
            let json = VectorSetAttributes.json(
                IndexedAttributes(entry, numbers: .fields), expiresAt: Timestamp(milliseconds: 1000),
                createdAt: Timestamp(milliseconds: 0))
            try await server.command(
                "VADD", "v", "VALUES", "2", "1", "\(number)", "\(number)", "NOQUANT", "SETATTR",
                String(decoding: json, as: UTF8.self))
        }
        for round in 0..<300 {
            let isExact = round % 2 == 0
            let filter = try random.indexedFilter(isExact ? .withoutOrder : .all, terms: random.int(1...12))
            let expression = VectorSetFilter.text(Sieve(supersetOf: filter, numbers: .fields, terms: 256))
            let answer = try await server.command(
                ["VSIM", "v", "VALUES", "2", "1", "0", "COUNT", "1000", "TRUTH", "FILTER"]
                    + [expression.map { ".e > 999 and " + $0 } ?? ".e > 999"])
            let found = Set(answer.items.compactMap { Int($0.description) })
            let meant = Set(entries.indices.filter { filter.matches(entries[$0]) })
            if !found.isSuperset(of: meant) || (isExact && found != meant) {
                Issue.record("round \(round): \(filter.text) as \(expression ?? "nothing"): \(found) for \(meant)")
            }
        }
    }
}
