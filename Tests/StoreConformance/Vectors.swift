// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

extension StoreConformance {
    static let vectorBehaviours: [Behaviour] = [
        Behaviour("vectors of any dimension that models have are stored and found") { try await $0.anyDimension() },
        Behaviour("texts' vectors are kept, replaced, and only given as they were made") {
            try await $0.keepsVectors()
        },
    ]

    /// Two embedders of each dimension beside each other in one tenant.
    func anyDimension() async throws {
        let store = try await self.makeStore()
        var random = SeededGenerator(77)
        for dimensions in [1, 5, 768, 1536, 3072, Limits.maximumDimensions] {
            let model = EmbeddingIdentity(provider: "test", model: "any", dimensions: dimensions, revision: "1")
            let home = Partition(of: self.cache(), embedding: model, vary: [])
            let vectors = (0..<10).map { _ in random.vector(dimensions) }
            for (number, vector) in vectors.enumerated() {
                try await store.put(try entry("q\(number)", in: home), vector, in: home)
            }
            for (number, vector) in vectors.enumerated() {
                let query = NearestQuery(embedding: vector, count: 1, threshold: self.same)
                let result = try await store.nearest(query, in: home, at: ms(0))
                // With few dimensions others may be as near.
                let names = try vectors.indices.filter { similarity(vectors[$0], vector) >= Double(self.same) - 0.04 }
                    .map { try CanonicalPrompt("q\($0)") }
                let match = try #require(result.matches.first, "\(dimensions) \(number)")
                #expect(match.similarity >= self.same && names.contains { $0 == match.entry.prompt })
            }
        }
    }

    func keepsVectors() async throws {
        guard let memory = try await self.makeStore() as? any VectorMemory else { return }
        var random = SeededGenerator(78)
        func key(_ number: UInt64) -> Digest {
            var fingerprint = Fingerprint(.text)
            fingerprint.append("\(self.name) \(number)")
            return fingerprint.finish()
        }
        let tenant = self.tenant().tenant
        for dimensions in [1, 5, 48, 3072] {
            let base = UInt64(dimensions) * 1000
            let kept = (0..<30).map { number in
                KeptVector(key: key(base + UInt64(number)), tenant: tenant, vector: random.vector(dimensions))
            }
            try await memory.remember(kept, identity: identity.key)
            let keys = kept.map(\.key) + [key(base + 999)]
            let found = try await memory.vectors(keys, identity: identity.key, dimensions: dimensions)
            #expect(found == kept.map(\.vector) + [nil])
            // Of another model, or of another dimension, there is none.
            let none = [Embedding?](repeating: nil, count: keys.count)
            #expect(try await memory.vectors(keys, identity: otherIdentity.key, dimensions: dimensions) == none)
            #expect(try await memory.vectors(keys, identity: identity.key, dimensions: dimensions + 1) == none)
            let newer = KeptVector(key: kept[0].key, tenant: tenant, vector: random.vector(dimensions))
            try await memory.remember([newer], identity: identity.key)
            let again = try await memory.vectors([newer.key], identity: identity.key, dimensions: dimensions)
            #expect(again == [newer.vector])
        }
        let bad = KeptVector(key: key(1), tenant: tenant, vector: Embedding(unitLength: [3, .nan]))
        await #expect(throws: VectorStoreError.self) { try await memory.remember([bad], identity: identity.key) }
        #expect(try await memory.vectors([], identity: identity.key, dimensions: 5).isEmpty)
    }
}
