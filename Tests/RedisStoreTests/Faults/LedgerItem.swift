// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport

private let identity = EmbeddingIdentity(provider: "test", model: "faults", dimensions: 32, revision: "1")

/// A question of the ledger: one id, whose answers are numbered. The caller that owns its cache changes it, one change
/// after the other; everybody reads it.
struct LedgerItem: Sendable {
    static let identityKey = identity.key
    static let dimensions = identity.dimensions

    /// In ``Ledger/items``.
    let index: Int
    let id: EntryID
    let prompt: CanonicalPrompt
    let partition: Partition
    /// Of every version; unlike all others.
    let vector: Embedding
    let group: String
    /// What its answers begin with.
    private let label: String

    private init(index: Int, tenant: String, cache: String, user: String, number: Int) throws {
        self.index = index
        self.label = "\(tenant)/\(cache)/\(user)/\(number)#"
        // The same in all partitions: only those tell them apart.
        self.prompt = try CanonicalPrompt("question \(number)")
        self.partition = Partition(
            of: CacheScope(cache, of: TenantScope(authenticated: TenantID(tenant))), embedding: identity,
            vary: [VaryPart(name: "user", value: user)])
        self.id = self.partition.entryID(of: self.prompt)
        self.group = "g\(number % 3)"
        // Likewise.
        var random = SeededGenerator(UInt64(number))
        self.vector = random.unitVector(Self.dimensions)
    }

    /// - Parameters:
    ///   - owners: Each of them has a cache, of a tenant that it shares with another one, with two partitions.
    ///   - questions: In each partition.
    static func make(tenants: String, owners: Int, questions: Int) throws -> [[LedgerItem]] {
        var index = 0
        return try (0..<owners).map { owner in
            try ["a", "b"].flatMap { user in
                try (0..<questions).map { number in
                    defer { index += 1 }
                    return try LedgerItem(
                        index: index, tenant: "\(tenants) \(owner / 2)", cache: "cache \(owner)", user: user,
                        number: number)
                }
            }
        }
    }

    func entry(version: Int) -> CacheEntry {
        CacheEntry(
            id: self.id, prompt: self.prompt, response: Array("\(self.label)\(version)".utf8),
            contentType: CacheEntry.defaultContentType,
            attributes: [
                Attribute(name: "group", value: .string(self.group)),
                Attribute(name: "version", value: .number(Double(version))),
            ], usage: nil, createdAt: Timestamp(milliseconds: 0), expiresAt: Timestamp(milliseconds: 1_000_000))
    }

    /// Which version an entry is; `nil` if it is none of this item's.
    func version(of entry: CacheEntry) -> Int? {
        let text = String(decoding: entry.response, as: UTF8.self)
        guard text.hasPrefix(self.label), let version = Int(text.dropFirst(self.label.count)),
            entry == self.entry(version: version)
        else { return nil }
        return version
    }
}

extension SeededGenerator {
    mutating func unitVector(_ dimensions: Int) -> Embedding {
        let values = (0..<dimensions).map { _ in Float.random(in: -1...1, using: &self) }
        let length = values.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
        return Embedding(unitLength: values.map { $0 / length })
    }
}
