// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import FoundationEssentials
import Logging
import Synchronization

/// A folder of its own, gone when the test is over.
final class Folder: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "embedded-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        self.path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: self.path) }

    var file: String { "\(self.path)/cache.db" }
}

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A clock that stands still until it is moved.
final class ManualClock: Sendable {
    private let milliseconds: Atomic<Int64>

    init(_ milliseconds: Int64) { self.milliseconds = Atomic(milliseconds) }

    var now: Timestamp {
        get { Timestamp(milliseconds: self.milliseconds.load(ordering: .sequentiallyConsistent)) }
        set { self.milliseconds.store(newValue.milliseconds, ordering: .sequentiallyConsistent) }
    }
}

func openStore(
    _ path: String, configuration: EmbeddedStore.Configuration = .init()
) throws -> EmbeddedStore {
    try EmbeddedStore(path: path, configuration: configuration, logger: silent)
}

extension EmbeddedStore {
    /// Puts without a quota.
    ///
    /// - Returns: Whether there was a live entry with the id.
    func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition
    ) async throws(VectorStoreError) -> Bool {
        try await self.put(entry, embedding: embedding, in: partition, quota: .unlimited).isReplacement
    }

    /// The tenant's caches that have live entries.
    func sizes(of tenant: TenantScope, at now: Timestamp) async throws(VectorStoreError) -> [CacheSize] {
        try await self.sizes(of: tenant, identities: [identity.key], at: now).caches
    }
}

func ms(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }

let dimensions = 48
let identity = EmbeddingIdentity(provider: "test", model: "lattice", dimensions: dimensions, revision: "1")

func cache(_ name: String = "support", of tenant: String = "acme") -> CacheScope {
    CacheScope(name, of: TenantScope(authenticated: TenantID(tenant)))
}

func partition(_ cache: CacheScope = cache(), user: String? = nil) -> Partition {
    Partition(of: cache, embedding: identity, vary: user.map { [VaryPart(name: "user", value: $0)] } ?? [])
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

extension SeededGenerator {
    mutating func vector(_ count: Int = dimensions) -> Embedding {
        unit((0..<count).map { _ in Float.random(in: -1...1, using: &self) })
    }
}

func unit(_ values: [Float]) -> Embedding {
    let length = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    return Embedding(unitLength: values.map { Float(Double($0) / length) })
}

extension SeededGenerator {
    /// None to four, of few names and values, so that filters take some of them.
    mutating func attributes() -> [Attribute] {
        let all = [
            Attribute(name: "lang", value: .string(["de", "fr", "a|b", "*", ""].randomElement(using: &self)!)),
            Attribute(name: "score", value: .number(Double(Int.random(in: 0...4, using: &self)) / 4)),
            Attribute(name: "beta", value: .boolean(.random(using: &self))),
            Attribute(
                name: Attribute.tagsName,
                value: .strings(["x", "y", "doc-17"].filter { _ in Bool.random(using: &self) })),
        ]
        let count = Int.random(in: 0...all.count, using: &self)
        return Array(all.shuffled(using: &self).prefix(count))
    }

    mutating func filter() throws -> MetadataFilter {
        let leaves = [
            #"lang == "de""#, #"lang != "fr""#, #"lang == "a|b""#, #"lang == "*""#, #"lang in ["", "de"]"#,
            "score >= 0.5", "beta", #"tags contains "doc-17""#, "exists(score)",
        ]
        let parts = (0..<Int.random(in: 1...3, using: &self)).map { _ in
            (Bool.random(using: &self) ? "not " : "") + leaves.randomElement(using: &self)!
        }
        return try MetadataFilter(parts.joined(separator: Bool.random(using: &self) ? " and " : " or "))
    }
}
