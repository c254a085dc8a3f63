// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

@Suite struct FiguresTests {
    private let globex = TenantScope(authenticated: TenantID("globex"))

    private static func directory(quota: TenantQuota = TenantQuota()) -> TenantDirectory {
        let policy = TenantPolicy(quota: quota, template: CachePolicy(timeToLiveJitter: 0))
        var directory = TenantDirectory(undeclared: policy)
        directory.declare(TenantID("acme"), policy)
        return directory
    }

    private static func value(
        _ name: String, _ labels: [String: String] = [:], in figures: EngineFigures
    ) -> Double? {
        let family = figures.families.first { $0.name == name }
        return family?.samples.first { sample in
            Dictionary(uniqueKeysWithValues: sample.labels.map { ($0.name, $0.value) }) == labels
        }?.value
    }

    @Test func `a declared tenant has a label of its own, and all others share one`() async throws {
        let fixture = EngineFixture(directory: Self.directory())
        try await fixture.store("q", "a")
        for _ in 0..<2 { _ = try await fixture.lookup("q") }
        for name in ["globex", "initech"] {
            _ = try await fixture.lookup("q", scope: TenantScope(authenticated: TenantID(name)))
        }
        #expect(fixture.engine.declaredTenants == [TenantID("acme")])
        let figures = await fixture.engine.figures(of: [fixture.scope])
        let name = "semcache_lookups_total"
        func lookups(_ tenant: String, _ outcome: String, _ tier: String) -> Double? {
            Self.value(name, ["tenant": tenant, "outcome": outcome, "tier": tier], in: figures)
        }
        #expect(lookups("acme", "exact_hit", "store") == 1)
        #expect(lookups("acme", "exact_hit", "l1") == 1)
        #expect(lookups("acme", "miss", "none") == 0)
        #expect(lookups("other", "miss", "none") == 2)
        #expect(lookups("globex", "miss", "none") == nil)
        #expect(Self.value("semcache_undeclared_tenants", in: figures) == 2)
        #expect(fixture.engine.undeclaredTenants.map(\.name) == ["globex", "initech"])
    }

    @Test func `a declared tenant that did nothing yet has figures`() async throws {
        let fixture = EngineFixture(directory: Self.directory(quota: TenantQuota(entries: 7)))
        let figures = await fixture.engine.figures(of: [fixture.scope])
        #expect(Self.value("semcache_stores_total", ["tenant": "acme"], in: figures) == 0)
        #expect(Self.value("semcache_entries", ["tenant": "acme"], in: figures) == 0)
        #expect(Self.value("semcache_quota_entries", ["tenant": "acme"], in: figures) == 7)
        #expect(Self.value("semcache_quota_bytes", ["tenant": "acme"], in: figures) == nil, "there is none")
    }

    @Test func `sizes are those of the store, cache by cache`() async throws {
        let fixture = EngineFixture(directory: Self.directory())
        try await fixture.store("one", "1", cache: "a")
        try await fixture.store("two", "22", cache: "b")
        try await fixture.store("three", "333", cache: "b")
        let figures = await fixture.engine.figures(of: [fixture.scope])
        let tenant = try #require(figures.tenants.first)
        #expect(tenant.caches.map(\.cache) == ["a", "b"])
        #expect(tenant.caches.map(\.entries) == [1, 2])
        #expect(tenant.caches.map(\.responseBytes) == [1, 5])
        #expect(tenant.statistics.entries == 3)
        #expect(Self.value("semcache_entries", ["tenant": "acme"], in: figures) == 3)
        #expect(figures.isStoreAnswering == true)
    }

    @Test func `a store that does not answer is asked once, and counters are told without it`() async throws {
        let fixture = EngineFixture(directory: Self.directory())
        try await fixture.store("q", "a")
        fixture.store.hook { operation, _ in
            operation == .sizes ? VectorStoreError(.unavailable, "broken on purpose") : nil
        }
        let figures = await fixture.engine.figures(of: [fixture.scope, self.globex])
        #expect(fixture.store.count(.sizes) == 1)
        #expect(figures.tenants.map(\.name) == ["acme", "globex"])
        #expect(Self.value("semcache_stores_total", ["tenant": "acme"], in: figures) == 1)
        #expect(Self.value("semcache_entries", ["tenant": "acme"], in: figures) == nil)
        #expect(Self.value("semcache_store_up", in: figures) == 0)
    }

    @Test func `evictions and refusals are those of the tenant`() async throws {
        let quota = TenantQuota(entries: 1, requestBytes: 10)
        let fixture = EngineFixture(directory: Self.directory(quota: quota))
        for prompt in ["one", "two", "three"] { try await fixture.store(prompt, "a") }
        let tenant = try fixture.engine.tenant(fixture.scope)
        #expect(throws: CacheError.self) { try tenant.admit(bytes: 11, at: fixture.engine.now) }
        tenant.account.countRefusalByRole()
        let figures = await fixture.engine.figures(of: [fixture.scope])
        #expect(Self.value("semcache_evicted_entries_total", ["tenant": "acme"], in: figures) == 2)
        func refusals(_ reason: String) -> Double? {
            Self.value("semcache_refusals_total", ["tenant": "acme", "reason": reason], in: figures)
        }
        #expect(refusals("request_bytes") == 1)
        #expect(refusals("role") == 1)
        #expect(refusals("rate") == 0)
    }

    @Test func `a hit saves what its answer cost, from store and memory alike`() async throws {
        let fixture = EngineFixture(directory: Self.directory())
        _ = try await fixture.engine.store(
            StoreRequest(
                cache: "c", prompt: .text(try CanonicalPrompt("q")), response: [1],
                usage: Usage(promptTokens: 10, completionTokens: 32, cost: 0.25)),
            scope: fixture.scope, by: .now + .seconds(30))
        for _ in 0..<3 { #expect(try await fixture.lookup("q").hit != nil) }
        _ = try await fixture.lookup("something else")
        let figures = await fixture.engine.figures(of: [fixture.scope])
        #expect(Self.value("semcache_tokens_saved_total", ["tenant": "acme"], in: figures) == 126)
        #expect(Self.value("semcache_cost_saved_total", ["tenant": "acme"], in: figures) == 0.75)
    }

    @Test(arguments: [
        Usage(promptTokens: .max, completionTokens: .max, cost: .greatestFiniteMagnitude),
        Usage(promptTokens: .max, completionTokens: 0, cost: .infinity),
        Usage(promptTokens: 0, completionTokens: .max, cost: .nan),
        Usage(promptTokens: 0, completionTokens: 0, cost: -1),
    ])
    func `no usage that a caller states makes the sum trap`(usage: Usage) {
        let counter = SavingsCounter()
        for _ in 0..<100_000 { counter.add(usage) }
        var savings = Savings()
        counter.add(to: &savings)
        #expect(savings.cost >= 0)
    }

    @Test func `what memory forgets is counted`() {
        var cache = GenerationalCache<Int, Int>(limit: 10, weigh: { _ in 1 })
        for number in 0..<15 { cache.insert(number, for: number) }
        #expect(cache.count == 10)
        #expect(cache.forgotten == 5)
    }

    @Test func `every family has a name of its own, a help and legal labels`() async throws {
        let fixture = EngineFixture(directory: Self.directory())
        try await fixture.store("q", "a")
        let families = await fixture.engine.figures(of: [fixture.scope]).families
        #expect(Set(families.map(\.name)).count == families.count)
        for family in families {
            #expect(family.name.hasPrefix("semcache_"))
            #expect(family.name.hasSuffix("_total") == (family.kind == .counter), "\(family.name)")
            #expect(!family.help.isEmpty && !family.help.hasSuffix("."))
            #expect(Set(family.samples.map(\.labels)).count == family.samples.count)
        }
    }
}
