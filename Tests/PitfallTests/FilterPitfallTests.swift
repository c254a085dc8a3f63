// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

/// Mistakes of other caches with names, values and filters, each tried on the whole service.
@Suite(.timeLimit(.minutes(5))) struct FilterPitfallTests {
    private static let awkward = [
        "acme|victim", "acme", "victim", "*", "", " ", "tenant", "@tenant:{acme}", "{acme}", "acme}", "\\", "\\|", "\"",
        "\" or exists(lang) or lang == \"", "a b", "a\tb", "a\nb", "a,b", "[a]", "%", "_", "$x", "\u{1f600}", "\u{e9}",
        "e\u{301}", "true", "0", "not", "-", "~", "a*", "?",
    ]

    /// As a literal, or as a name, by the rules of Protos/README.md.
    private static func quoted(_ string: String, by mark: Unicode.Scalar = "\"") -> String {
        let inner = string.unicodeScalars.map { $0 == mark || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
        return "\(mark)\(inner)\(mark)"
    }

    /// What a search with a filter finds, however far, and what an Invalidate by it would remove.
    private static func taken(
        by filter: String, _ client: WireClient
    ) async throws -> (found: Set<String>, count: Int) {
        let filter = try MetadataFilter(filter)
        let found = try await client.lookup(
            lookup("what is it", filter: filter, threshold: -1, topK: 100, mode: .semantic))
        let outcome = try await client.invalidate(invalidate(.filter(filter), isDryRun: true))
        return (found.responses, outcome.count)
    }

    @Test func `pitfall 1: values and names of attributes mean themselves`() async throws {
        try await TestService.run { _, client in
            try await client.storeAll(
                Self.awkward.enumerated().map { position, value in
                    let named = value.isEmpty ? [] : [Attribute(name: value, value: .boolean(true))]
                    let attributes = named + [Attribute(name: "of", value: .string(value)), tags("t", value)]
                    return store("what is number \(position)", "of " + ascii(value), attributes: attributes)
                })
            for value in Self.awkward {
                var filters = ["of == \(Self.quoted(value))", "of in [\(Self.quoted(value)), \"zz\"]"]
                filters.append("tags contains \(Self.quoted(value))")
                if !value.isEmpty { filters.append("exists(\(Self.quoted(value, by: "`")))") }
                for filter in filters {
                    let (found, count) = try await Self.taken(by: filter, client)
                    #expect(found == ["of " + ascii(value)], "\(filter)")
                    #expect(count == 1, "\(filter)")
                }
                guard !value.isEmpty else { continue }
                let byTag = try await client.invalidate(invalidate(.tags([value]), isDryRun: true))
                #expect(byTag.count == 1)
            }
        }
    }

    @Test func `pitfall 1: a tenant whose name is a pattern reads no other`() async throws {
        let names = ["acme", "victim", "acme|victim", "*", "acme*", "{victim}"]
        try await TestService.run(grants: names.map { .tenant($0, key: "key of \($0)") }) { service in
            let victim = try await service.connect("key of victim")
            try await victim.store(store("what is the secret", "it"))
            for name in names where name != "victim" {
                let client = try await service.connect("key of \(name)")
                for mode in [LookupRequest.Mode.both, .exact, .semantic] {
                    let found = try await client.lookup(lookup("what is the secret", threshold: -1, mode: mode))
                    #expect(found.hit == nil, "\(name) reads the victim's")
                }
                #expect(try await client.invalidate(invalidate(.wholeCache)).count == 0)
                #expect(try await client.entries() == 0)
            }
            #expect(try await victim.lookup(lookup("what is the secret")).response == "it")
        }
    }

    @Test func `pitfall 2: what is empty or missing drops no clause and removes nothing`() async throws {
        try await TestService.run { _, client in
            for (prompt, value) in [("1", ""), ("2", "x")] {
                let attributes = [Attribute(name: "of", value: .string(value)), tags(value)]
                try await client.store(store(prompt, prompt, attributes: attributes))
            }
            try await client.store(store("three", "3"))
            let cache = ProtobufBytes().text(1, "support")
            let empty = ProtobufBytes()
            let requests: [(ProtobufBytes, String)] = [
                (empty, "no selector"), (empty.data(6, []), "an empty filter"), (empty.text(6, "  "), "a blank filter"),
                (empty.text(6, "of in []"), "an empty list"), (empty.message(7, empty), "no tags"),
                (empty.message(7, empty.data(1, [])), "an empty tag"), (empty.message(2, empty), "no ids"),
                (empty.message(3, empty), "an empty prompt"), (empty.message(8, empty), "no confirmation"),
            ]
            for (selector, name) in requests {
                let request = ProtobufBytes().raw(name == "no confirmation" ? [] : cache.bytes).raw(selector.bytes)
                #expect(try await client.error(.invalidate(request))?.code == .invalidArgument, "\(name)")
                #expect(try await client.entries() == 3, "\(name)")
            }
            for filter in [#"of == """#, #"of in [""]"#, #"tags contains """#] {
                let (found, count) = try await Self.taken(by: filter, client)
                #expect(found == ["1"] && count == 1, "\(filter)")
            }
            let blank = ProtobufBytes.asking("one").text(9, " ")
            #expect(try await client.error(.lookup(blank))?.code == .invalidArgument)
        }
    }

    @Test func `pitfall 2: a tenant or vary value that is empty is one like others`() async throws {
        try await TestService.run(grants: [.tenant("", key: "empty"), .tenant("a", key: "a")]) { service in
            let (nobody, other) = (try await service.connect("empty"), try await service.connect("a"))
            let without = VaryPart(name: "user", value: "")
            for client in [nobody, other] {
                for vary in [[], [without], [VaryPart(name: "user", value: "1")]] {
                    try await client.store(store("q", client === nobody ? "nobody's" : "a's", vary: vary))
                }
            }
            #expect(try await nobody.lookup(lookup("q", vary: [without])).response == "nobody's")
            #expect(try await nobody.invalidate(invalidate(.exactPrompt(text("q"), vary: [without]))).count == 1)
            #expect(try await nobody.entries() == 2)
            // In process: on the wire an empty confirmation is a missing one.
            let outcome = try await service.engine.invalidate(
                invalidate(.wholeTenant(confirmation: ""), cache: ""),
                scope: TenantScope(authenticated: TenantID("")), by: .now + .seconds(60))
            #expect(outcome.count == 2)
            #expect(try await nobody.entries() == 0)
            #expect(try await other.entries() == 3)
        }
    }

    @Test(arguments: [
        "lang like \"d%\"", "lang =~ \"d.\"", "lang == *", "*", "lang not in [\"de\"]", "@lang:{de}", "lang == \"de",
        "lang startswith \"d\"", "(lang == \"de\"", "lang is null", "lang == \"de\" limit 1", "true",
    ])
    func `pitfall 3: a filter that is not understood is an error, never ignored`(filter: String) async throws {
        try await TestService.run { _, client in
            try await client.store(store("one", "1", attributes: [Attribute(name: "lang", value: .string("de"))]))
            // In memory as well, where a filter could be overlooked.
            for _ in 0..<2 { #expect(try await client.lookup(lookup("one")).hit != nil) }
            let error = try await client.error(.lookup(ProtobufBytes.asking("one").text(9, filter)))
            #expect(error?.code == .invalidArgument && error?.field == "filter")
            #expect(error?.message.contains("column") ?? false)
            let removal = ProtobufBytes().text(1, "support").text(6, filter)
            #expect(try await client.error(.invalidate(removal))?.field == "filter")
            #expect(try await client.entries() == 1)
        }
    }

    @Test func `pitfall 5: what a filter refuses shadows nothing behind it`() async throws {
        try await TestService.run { _, client in
            let english = [Attribute(name: "lang", value: .string("en"))]
            let near = (0..<300).map { store("how do I reset my password \($0)", "near", attributes: english) }
            let far = store("reset it", "far", attributes: [Attribute(name: "lang", value: .string("de"))])
            try await client.storeAll(near + [far])
            let german = try MetadataFilter(#"lang == "de""#)
            for mode in [LookupRequest.Mode.both, .semantic] {
                let request = lookup(
                    "how do I reset my password", filter: german, threshold: -1, maximumAge: .seconds(9), mode: mode)
                #expect(try await client.lookup(request).response == "far")
            }
        }
    }

    @Test func `pitfall 5: nearer entries of others shadow nothing`() async throws {
        try await TestService.run(grants: [.tenant("a", key: "a"), .tenant("b", key: "b")]) { service in
            let (other, own) = (try await service.connect("b"), try await service.connect("a"))
            let question = "how do I reset my password"
            for user in ["1", "2"] {
                let vary = [VaryPart(name: "user", value: user)]
                try await own.storeAll((0..<50).map { store("\(question) \($0)", "another user's", vary: vary) })
            }
            try await own.store(store(question, "another cache's", cache: "support2"))
            try await other.storeAll([store(question, "b's")] + (0..<99).map { store("\(question) \($0)", "b's") })
            try await own.store(store("reset it", "own"))
            for mode in [LookupRequest.Mode.both, .semantic] {
                #expect(try await own.lookup(lookup(question, threshold: -1, mode: mode)).response == "own")
            }
        }
    }

    @Test func `pitfall 5: nearer entries that are too old or expired shadow nothing`() async throws {
        try await TestService.run { service, client in
            let question = "how do I reset my password"
            try await client.storeAll((0..<100).map { store("\(question) \($0)", "old") })
            try await client.storeAll(
                (0..<100).map { store("\(question) now \($0)", "expired", timeToLive: .seconds(5)) })
            service.clock.advance(by: .seconds(10))
            try await client.store(store("reset it", "fresh"))
            let request = lookup(question, threshold: -1, maximumAge: .seconds(5))
            #expect(try await client.lookup(request).response == "fresh")
        }
    }
}
