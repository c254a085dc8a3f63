// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

@Suite struct FiguresTests {
    private let globex = TenantScope(authenticated: TenantID("globex"))

    private static func directory(
        _ names: [String] = ["acme"], quota: TenantQuota = TenantQuota()
    ) -> TenantDirectory {
        let policy = TenantPolicy(quota: quota, template: CachePolicy(timeToLiveJitter: 0))
        var directory = TenantDirectory(undeclared: policy)
        for name in names { directory.declare(TenantID(name), policy) }
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
        let figures = await fixture.figures()
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
        let figures = await fixture.figures()
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
        let figures = await fixture.figures()
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
        fixture.store.hook { _, _ in VectorStoreError(.unavailable, "broken on purpose") }
        let figures = await fixture.figures(of: [fixture.scope, self.globex])
        #expect(fixture.store.count(.version) == 1)
        #expect(fixture.store.count(.sizes) == 0)
        #expect(figures.tenants.map(\.name) == ["acme", "globex"])
        #expect(Self.value("semcache_stores_total", ["tenant": "acme"], in: figures) == 1)
        #expect(Self.value("semcache_entries", ["tenant": "acme"], in: figures) == nil)
        #expect(Self.value("semcache_store_up", in: figures) == 0)
    }

    @Test func `whether the store answers is told without any tenant`() async {
        let fixture = EngineFixture(directory: Self.directory())
        #expect(Self.value("semcache_store_up", in: await fixture.figures(of: [])) == 1)
        fixture.store.hook { _, _ in VectorStoreError(.unavailable, "broken on purpose") }
        #expect(Self.value("semcache_store_up", in: await fixture.figures(of: [])) == 0)
    }

    @Test func `a tenant whose sizes cannot be read takes none away from the others`() async {
        let fixture = EngineFixture(directory: Self.directory())
        let store = fixture.store
        store.hook { operation, _ in
            operation == .sizes && store.count(.sizes) == 1 ? VectorStoreError(.corrupt, "broken on purpose") : nil
        }
        let figures = await fixture.figures(of: [fixture.scope, self.globex])
        #expect(figures.tenants.map(\.hasSizes) == [false, true])
        #expect(figures.isStoreAnswering == true)
    }

    @Test func `where time is short, readings take turns with the tenants`() async {
        let fixture = EngineFixture(directory: Self.directory())
        var sized: [[Bool]] = []
        for _ in 0..<3 {
            let figures = await fixture.figures(of: [fixture.scope, self.globex], within: .zero)
            sized.append(figures.tenants.map(\.hasSizes))
        }
        #expect(sized == [[true, false], [false, true], [true, false]])
    }

    @Test func `a tenant that is called other shares the series of all others`() async throws {
        let fixture = EngineFixture(directory: Self.directory(["acme", "other"]))
        let other = TenantScope(authenticated: TenantID("other"))
        _ = try await fixture.lookup("q", scope: other)
        _ = try await fixture.lookup("q", scope: self.globex)
        let figures = await fixture.figures(of: [fixture.scope, other])
        let labels = ["tenant": "other", "outcome": "miss", "tier": "none"]
        #expect(Self.value("semcache_lookups_total", labels, in: figures) == 2)
        for family in figures.families { #expect(Set(family.samples.map(\.labels)).count == family.samples.count) }
    }

    @Test func `a tenant that is declared later takes nothing from the others, and brings nothing when it goes`()
        async throws
    {
        let fixture = EngineFixture(directory: Self.directory([]))
        func misses(_ tenant: String, of scopes: [TenantScope]) async -> Double? {
            let labels = ["tenant": tenant, "reason": "not_stored"]
            let empty = ["tenant": tenant, "reason": "no_entry"]
            let figures = await fixture.figures(of: scopes)
            return Self.value("semcache_misses_total", labels, in: figures).flatMap { stored in
                Self.value("semcache_misses_total", empty, in: figures).map { $0 + stored }
            }
        }
        for prompt in ["one", "two"] { _ = try await fixture.lookup(prompt) }
        #expect(await misses("other", of: []) == 2)
        fixture.engine.replace(Self.directory(["acme"]))
        #expect(await misses("other", of: [fixture.scope]) == 2, "a counter that goes down is taken for a restart")
        _ = try await fixture.lookup("three")
        #expect(await misses("acme", of: [fixture.scope]) == 3)
        #expect(await misses("other", of: [fixture.scope]) == 2)
        fixture.engine.replace(Self.directory([]))
        #expect(await misses("other", of: []) == 2)
        _ = try await fixture.lookup("four")
        #expect(await misses("other", of: []) == 3)
    }

    @Test func `evictions and refusals are those of the tenant`() async throws {
        let quota = TenantQuota(entries: 1, requestBytes: 10)
        let fixture = EngineFixture(directory: Self.directory(quota: quota))
        for prompt in ["one", "two", "three"] { try await fixture.store(prompt, "a") }
        let tenant = try fixture.engine.tenant(fixture.scope)
        #expect(throws: CacheError.self) { try tenant.admit(bytes: 11, at: fixture.engine.now) }
        tenant.account.countRefusalByRole()
        let figures = await fixture.figures()
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
        let figures = await fixture.figures()
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
        var cache = FrequencyCache<Int, Int>(limit: 10, weigh: { _ in 1 })
        for number in 0..<15 { cache.insert(number, for: number) }
        #expect(cache.count == 10)
        #expect(cache.forgotten == 5)
    }

    @Test func `every family has a name of its own, a help and legal labels`() async throws {
        let fixture = EngineFixture(directory: Self.directory())
        try await fixture.store("q", "a")
        let families = await fixture.figures().families
        #expect(Set(families.map(\.name)).count == families.count)
        for family in families {
            #expect(family.name.hasPrefix("semcache_"))
            #expect(family.name.hasSuffix("_total") == (family.kind == .counter), "\(family.name)")
            #expect(!family.help.isEmpty && !family.help.hasSuffix("."))
            #expect(Set(family.samples.map(\.labels)).count == family.samples.count)
        }
    }
}
