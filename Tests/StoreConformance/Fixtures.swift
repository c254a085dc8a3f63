// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

let dimensions = 48
let identity = EmbeddingIdentity(provider: "test", model: "lattice", dimensions: dimensions, revision: "1")
let otherIdentity = EmbeddingIdentity(provider: "test", model: "other", dimensions: dimensions, revision: "1")

func ms(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

extension StoreConformance {
    func tenant(_ tenant: String = "acme") -> TenantScope {
        TenantScope(authenticated: TenantID("\(self.name) \(tenant)"))
    }

    func cache(_ cache: String = "support", of tenant: String = "acme") -> CacheScope {
        CacheScope(cache, of: self.tenant(tenant))
    }

    func partition(
        _ cache: String = "support", of tenant: String = "acme", user: String? = nil
    ) -> Partition {
        Partition(
            of: self.cache(cache, of: tenant), embedding: identity,
            vary: user.map { [VaryPart(name: "user", value: $0)] } ?? [])
    }

    /// Few partitions of two tenants, for random operations.
    var homes: [Partition] {
        [self.partition(), self.partition(user: "a"), self.partition("other"), self.partition(of: "rival")]
    }

    /// The similarity that a vector surely has to itself.
    var same: Float { 1 - max(1e-5, 2 * self.tolerance) }
}

func entry(
    _ prompt: String, in partition: Partition, response: String? = nil, created: Int64 = 0, expires: Int64 = 1000,
    attributes: [Attribute] = [], usage: Usage? = nil
) throws -> CacheEntry {
    let canonical = try CanonicalPrompt(prompt)
    return CacheEntry(
        id: partition.entryID(of: canonical), prompt: canonical, response: Array((response ?? "to \(prompt)").utf8),
        contentType: CacheEntry.defaultContentType, attributes: attributes, usage: usage, createdAt: ms(created),
        expiresAt: ms(expires))
}

extension VectorStore {
    /// Puts without a quota.
    ///
    /// - Returns: Whether there was a live entry with the id.
    @discardableResult
    func put(
        _ entry: CacheEntry, _ embedding: Embedding, in partition: Partition
    ) async throws(VectorStoreError) -> Bool {
        try await self.put(entry, embedding: embedding, in: partition, quota: .unlimited).isReplacement
    }

    /// Puts all of them at once.
    func put(_ entries: [(CacheEntry, Embedding)], in partition: Partition) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (entry, embedding) in entries {
                group.addTask { try await self.put(entry, embedding, in: partition) }
            }
            try await group.waitForAll()
        }
    }

    func remove(
        _ selector: RemovalSelector, at now: Timestamp = ms(0)
    ) async throws(VectorStoreError) -> RemovalResult {
        try await self.remove(selector, dryRun: false, at: now)
    }

    func contains(_ id: EntryID, in partition: Partition, at now: Timestamp = ms(0)) async throws -> Bool {
        try await self.entry(id, in: partition, at: now) != nil
    }

    /// Sizes of all that the tenant has, its caches in the order of their names' bytes.
    func sizes(of tenant: TenantScope, at now: Timestamp = ms(0)) async throws(VectorStoreError) -> TenantSize {
        try await self.sizes(of: tenant, identities: [identity.key], at: now).sorted
    }

    /// Reads all pages.
    func scanAll(
        _ plain: Partition, filter: MetadataFilter? = nil, count: Int = 256, at now: Timestamp = ms(0)
    ) async throws -> [ExportedEntry] {
        var (position, all) = (ScanPosition?.none, [ExportedEntry]())
        repeat {
            let query = ScanQuery(plain: plain, filter: filter, position: position, count: count)
            let page = try await self.scan(query, at: now)
            #expect(page.entries.count <= count)
            all += page.entries
            position = page.next
        } while position != nil
        return all
    }
}

extension TenantSize {
    static let nothing = Self(caches: [], entries: 0, bytes: 0, orphanedEntries: 0)

    var sorted: Self {
        Self(
            caches: self.caches.sorted { $0.cache.utf8.lexicographicallyPrecedes($1.cache.utf8) },
            entries: self.entries, bytes: self.bytes, orphanedEntries: self.orphanedEntries)
    }
}

extension SeededGenerator {
    mutating func vector(_ count: Int = dimensions) -> Embedding {
        unit((0..<count).map { _ in Float.random(in: -1...1, using: &self) })
    }

    /// A vector exactly as similar to another one as asked.
    mutating func vector(near other: Embedding, similarity wanted: Float) -> Embedding {
        let noise = self.vector(other.dimensions)
        let common = Float(similarity(noise, other))
        let across = unit(zip(noise.values, other.values).map { $0 - common * $1 })
        let share = (1 - wanted * wanted).squareRoot()
        return unit(zip(other.values, across.values).map { $0 * wanted + $1 * share })
    }

    /// None to six, of few names and values, so that filters take some of them.
    mutating func fewAttributes() -> [Attribute] {
        let all = [
            Attribute(name: "lang", value: .string(self.pick(["de", "fr", "a|b", "*", "", "e\u{301}", "\u{e9}"]))),
            Attribute(name: "score", value: .number(Double(self.int(-2...4)) / 4)),
            Attribute(name: "beta", value: .boolean(self.chance(0.5))),
            Attribute(
                name: Attribute.tagsName, value: .strings(["x", "y", "doc-17"].filter { _ in self.chance(0.5) })),
            // Of a type that changes.
            Attribute(
                name: "odd name",
                value: self.pick([.string("1"), .number(1), .boolean(true), .strings(["1"]), .number(-1e300)])),
            Attribute(
                name: "n",
                value: .number(self.pick([0, -0.0, .leastNonzeroMagnitude, 1e-7, 9_007_199_254_740_991, 1e18]))),
        ]
        return Array(all.shuffled(using: &self).prefix(self.int(0...all.count)))
    }

    /// Of what ``fewAttributes()`` makes.
    mutating func fewFilter() throws -> MetadataFilter { try MetadataFilter(self.condition(depth: 3)) }

    private mutating func condition(depth: Int) -> String {
        let leaves = [
            #"lang == "de""#, #"lang != "fr""#, #"lang == "a|b""#, #"lang == "*""#, #"lang in ["", "de"]"#,
            #"lang >= "b""#, #"lang == "é""#, "score >= 0.5", "score < 0", "score == 0", "score != 0.25",
            "score in [0, 0.5, 1]", "beta", "beta == false", #"tags contains "doc-17""#,
            #"tags contains any ["x", "none"]"#, "exists(score)", "exists(tags)", #"`odd name` == "1""#,
            "`odd name` == 1", "`odd name`", "`odd name` < 0", "n == 0", "n > 0", "n <= 1e-7", "exists(none)",
        ]
        guard depth > 0, self.chance(0.6) else {
            return (self.chance(0.25) ? "not " : "") + self.pick(leaves)
        }
        let parts = (0..<self.int(2...3)).map { _ in self.condition(depth: depth - 1) }
        let joined = parts.joined(separator: self.chance(0.5) ? " and " : " or ")
        return (self.chance(0.2) ? "not " : "") + "(\(joined))"
    }
}

func unit(_ values: [Float]) -> Embedding {
    let length = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    return Embedding(unitLength: values.map { Float(Double($0) / length) })
}

func similarity(_ left: Embedding, _ right: Embedding) -> Double {
    zip(left.values, right.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
}
