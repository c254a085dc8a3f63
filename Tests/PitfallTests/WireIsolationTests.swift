// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

/// Fifty tenants that store the same prompts in caches of the same names under the same vary parts. Over the wire, each
/// with a key of its own; what each must see is kept in a map of its own.
@Suite(.timeLimit(.minutes(10))) struct WireIsolationTests {
    /// One of the entries that every tenant has.
    struct Mark: Hashable, Sendable {
        let cache: String
        let team: String?
        let prompt: Int

        var vary: [VaryPart] { self.team.map { [VaryPart(name: "team", value: $0)] } ?? [] }
        var text: String { WireIsolationTests.prompts[self.prompt] }
    }

    static let prompts = ["how do I reset my password", "how do I reset my password now", "where is my invoice"]
    static let caches = ["support", "support2"]
    static let teams = [nil, "a|b"]
    static let marks = caches.flatMap { cache in
        teams.flatMap { team in prompts.indices.map { Mark(cache: cache, team: team, prompt: $0) } }
    }

    /// A tenant with its connection, and what it must find.
    struct Tenant: Sendable {
        let name: String
        let client: WireClient
        private(set) var entries: [Mark: EntryID] = [:]

        init(_ name: String, _ client: WireClient) {
            self.name = name
            self.client = client
        }

        private func response(_ mark: Mark) -> String {
            "\(ascii(self.name)): \(mark.prompt) of \(mark.team ?? "nobody") in \(mark.cache)"
        }

        mutating func populate() async throws {
            for mark in WireIsolationTests.marks {
                let attributes = [
                    Attribute(name: "owner", value: .string(self.name)), tags("all", "doc-\(mark.prompt)"),
                ]
                let outcome = try await self.client.store(
                    store(
                        mark.text, self.response(mark), cache: mark.cache, vary: mark.vary, attributes: attributes))
                self.entries[mark] = outcome.id
            }
        }

        // MARK: Seeing

        func check() async throws {
            for mark in WireIsolationTests.marks {
                let expected = self.entries[mark].map { _ in self.response(mark) }
                // The second is from memory, on the event loop.
                for _ in 0..<2 {
                    let exact = lookup(mark.text, cache: mark.cache, vary: mark.vary, mode: .exact)
                    #expect(try await self.client.lookup(exact).response == expected)
                }
                let paraphrase = lookup(mark.text + " please", cache: mark.cache, vary: mark.vary, threshold: -1)
                for _ in 0..<2 {
                    let found = try await self.client.lookup(paraphrase)
                    #expect(found.responses.isSubset(of: self.all(mark.cache, mark.team)))
                    #expect((found.hit == nil) == self.all(mark.cache, mark.team).isEmpty)
                }
            }
            try await self.checkSearches()
            try await self.checkExports()
            try await self.checkSizes()
        }

        private func checkExports() async throws {
            for cache in WireIsolationTests.caches {
                let marks = self.entries.filter { $0.key.cache == cache }
                let all = try await self.client.export(cache)
                #expect(all.count == marks.count && Set(all.map(\.entry.id)) == Set(marks.values))
                for exported in all {
                    let mark = marks.first { $0.value == exported.entry.id }?.key
                    #expect(exported.entry.text == mark.map(self.response) && exported.vary == mark?.vary)
                }
            }
        }

        private func all(_ cache: String, _ team: String?, prompts: [Int] = [0, 1, 2]) -> Set<String> {
            let marks = self.entries.keys.filter { $0.cache == cache && $0.team == team && prompts.contains($0.prompt) }
            return Set(marks.map(self.response))
        }

        private func checkSearches() async throws {
            for cache in WireIsolationTests.caches {
                for team in WireIsolationTests.teams {
                    let filters: [(String?, [Int])] = [
                        (nil, [0, 1, 2]), (#"tags contains "doc-1""#, [1]), ("exists(owner)", [0, 1, 2]),
                        (#"not (tags contains "doc-1")"#, [0, 2]), (#"owner != "someone""#, [0, 1, 2]),
                    ]
                    for (filter, prompts) in filters {
                        var request = lookup(
                            "how do I reset it", cache: cache, threshold: -1, topK: 100, mode: .semantic)
                        request.vary = team.map { [VaryPart(name: "team", value: $0)] } ?? []
                        request.filter = try filter.map { try MetadataFilter($0) }
                        let expected = self.all(cache, team, prompts: prompts)
                        #expect(try await self.client.lookup(request).responses == expected)
                    }
                }
            }
        }

        func checkSizes() async throws {
            let statistics = try await self.client.statistics()
            #expect(statistics.tenant.entries == UInt64(self.entries.count))
            #expect(statistics.caches.map(\.cache) == WireIsolationTests.caches)
            for cache in statistics.caches {
                let mine = self.entries.keys.filter { $0.cache == cache.cache }
                #expect(cache.entries == UInt64(mine.count))
                #expect(cache.responseBytes == mine.reduce(0) { $0 + UInt64(self.response($1).utf8.count) })
                #expect(cache.stores == 6)
            }
            #expect(statistics.connections == 0 && statistics.l1Entries == 0 && statistics.indexBytes == 0)
        }

        // MARK: Removing

        /// Removes by one of the selectors, or says what that would remove.
        mutating func remove(_ selector: Selector, strangers: [EntryID], isDryRun: Bool) async throws {
            let first = Mark(cache: "support", team: "a|b", prompt: 1)
            let request: InvalidateRequest.Selector
            let isMeant: (Mark) -> Bool
            switch selector {
            case .ids:
                request = .ids(strangers + [self.entries[first]].compactMap { $0 })
                isMeant = { $0 == first }
            case .exactPrompt:
                request = .exactPrompt(text(first.text), vary: first.vary)
                isMeant = { $0 == first }
            case .radius:
                request = .semanticRadius(text(first.text), vary: first.vary, similarity: 0.9, embedding: nil)
                isMeant = { $0.cache == "support" && $0.team == first.team && $0.prompt < 2 }
            case .filter:
                request = .filter(try MetadataFilter(#"tags contains "doc-0" and exists(owner)"#))
                isMeant = { $0.cache == "support" && $0.prompt == 0 }
            case .tags:
                request = .tags(["doc-2", "*"])
                isMeant = { $0.cache == "support" && $0.prompt == 2 }
            case .wholeCache:
                request = .wholeCache
                isMeant = { $0.cache == "support" }
            case .wholeTenant:
                request = .wholeTenant(confirmation: self.name)
                isMeant = { _ in true }
            }
            let meant = self.entries.filter { isMeant($0.key) }
            let cache = selector == .wholeTenant ? "" : "support"
            let outcome = try await self.client.invalidate(invalidate(request, cache: cache, isDryRun: isDryRun))
            #expect(outcome.count == meant.count, "\(selector) of \(self.name.debugDescription)")
            #expect(Set(outcome.sample) == Set(meant.values))
            if !isDryRun { self.entries = self.entries.filter { !isMeant($0.key) } }
        }
    }

    enum Selector: CaseIterable, Sendable {
        case ids
        case exactPrompt
        case radius
        case filter
        case tags
        case wholeCache
        case wholeTenant
    }

    /// All at once, each on its own connection.
    private static func each(
        _ tenants: [Tenant], _ body: @escaping @Sendable (Int, inout Tenant) async throws -> Void
    ) async throws -> [Tenant] {
        try await withThrowingTaskGroup(of: (Int, Tenant).self) { group in
            for (position, tenant) in tenants.enumerated() {
                group.addTask {
                    var tenant = tenant
                    try await body(position, &tenant)
                    return (position, tenant)
                }
            }
            var changed = tenants
            for try await (position, tenant) in group { changed[position] = tenant }
            return changed
        }
    }

    private static func run(
        directory: TenantDirectory = TestService.open, _ body: (TestService, [Tenant]) async throws -> Void
    ) async throws {
        let grants = adversarialNames.enumerated().map { APIKeyGrant.tenant($1, key: "key-\($0)") }
        try await TestService.run(directory: directory, grants: grants) { service in
            var tenants: [Tenant] = []
            for (position, name) in adversarialNames.enumerated() {
                tenants.append(Tenant(name, try await service.connect("key-\(position)")))
            }
            try await body(service, try await Self.each(tenants) { _, tenant in try await tenant.populate() })
        }
    }

    @Test(arguments: Selector.allCases)
    func `50 tenants with the same prompts see and remove their own only`(selector: Selector) async throws {
        try await Self.run { _, populated in
            let ids = populated.map { Array($0.entries.values) }
            #expect(Set(ids.joined()).count == 50 * Self.marks.count, "two tenants have an entry id in common")
            if selector == .ids { _ = try await Self.each(populated) { _, tenant in try await tenant.check() } }
            // The name that is empty cannot confirm itself: an empty field is a missing one.
            func takesPart(_ position: Int) -> Bool { selector != .wholeTenant || !adversarialNames[position].isEmpty }
            let isOut = adversarialNames.indices.map { !takesPart($0) }
            var tenants = try await Self.each(populated) { position, tenant in
                guard !isOut[position] else { return }
                let strangers = Array(ids[(position + 1) % ids.count]) + Array(ids[(position + 7) % ids.count])
                try await tenant.remove(selector, strangers: strangers, isDryRun: true)
            }
            // In two halves: what one half removes, the other must still see.
            for half in 0..<2 {
                tenants = try await Self.each(tenants) { position, tenant in
                    guard position % 2 == half, !isOut[position] else { return }
                    let strangers = Array(ids[(position + 1) % ids.count]) + Array(ids[(position + 7) % ids.count])
                    try await tenant.remove(selector, strangers: strangers, isDryRun: false)
                }
                tenants = try await Self.each(tenants) { _, tenant in try await tenant.check() }
            }
        }
    }

    @Test func `another tenant's cursor, or another cache's, is refused`() async throws {
        try await Self.run { _, tenants in
            var cursors: [[UInt8]] = []
            for tenant in tenants {
                let request = ServiceRequest.export(ExportRequest(cache: "support", pageSize: 1))
                guard case .export(let page) = try await tenant.client.ask(request).get() else { continue }
                cursors.append(try #require(page.cursor))
            }
            #expect(Set(cursors).count == tenants.count)
            for (position, tenant) in tenants.enumerated() {
                for (cache, cursor) in [
                    ("support", cursors[(position + 1) % cursors.count]), ("support2", cursors[position]),
                ] {
                    let error = try await tenant.client.error(.export(ExportRequest(cache: cache, cursor: cursor)))
                    #expect(error?.code == .invalidArgument && error?.field == "cursor")
                }
            }
        }
    }

    @Test func `another tenant's name does not confirm the removal of a whole tenant`() async throws {
        try await Self.run { _, tenants in
            let tenants = try await Self.each(tenants) { _, tenant in
                for other in adversarialNames where !other.isEmpty && Array(other.utf8) != Array(tenant.name.utf8) {
                    let request = invalidate(.wholeTenant(confirmation: other), cache: "")
                    let error = try await tenant.client.error(.invalidate(request))
                    #expect(error?.code == .invalidArgument)
                }
            }
            _ = try await Self.each(tenants) { _, tenant in try await tenant.checkSizes() }
        }
    }

    @Test func `a tenant at its quota loses its own entries, and no other tenant one`() async throws {
        var directory = TestService.open
        let flooding = ["a", "a|b", "", "*", "cafe\u{301}"]
        let limited = TenantPolicy(quota: TenantQuota(entries: 12), template: TestService.policy)
        for name in flooding { directory.declare(TenantID(name), limited) }
        try await Self.run(directory: directory) { _, tenants in
            let isFlooding = tenants.map { tenant in flooding.contains { Array($0.utf8) == Array(tenant.name.utf8) } }
            #expect(isFlooding.count { $0 } == flooding.count)
            let after = try await Self.each(tenants) { position, tenant in
                guard isFlooding[position] else { return }
                try await tenant.client.storeAll((0..<200).map { store("question number \($0)", "answer") })
                let statistics = try await tenant.client.statistics()
                #expect(statistics.tenant.entries == 12 && statistics.tenant.evictedEntries == 200)
            }
            _ = try await Self.each(after) { position, tenant in
                if !isFlooding[position] { try await tenant.check() }
            }
        }
    }
}
