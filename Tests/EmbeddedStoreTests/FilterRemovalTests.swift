// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import Testing

/// Removal by a filter of more than the writer's queue takes.
@Suite struct FilterRemovalTests {
    let folder: Folder
    let store: EmbeddedStore
    let vector: Embedding

    init() throws {
        self.folder = try Folder()
        self.store = try openStore(self.folder.file)
        var random = SeededGenerator(seed: 21)
        self.vector = random.vector()
    }

    func put(_ prompts: [String], in home: Partition, _ attributes: [Attribute] = []) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for prompt in prompts {
                let entry = try entry(prompt, in: home, attributes: attributes)
                group.addTask { _ = try await self.store.put(entry, embedding: self.vector, in: home) }
            }
            try await group.waitForAll()
        }
    }

    func entries(of tenant: TenantScope) async throws -> Int {
        try await self.store.sizes(of: tenant, identities: [identity.key], at: ms(0)).entries
    }

    @Test func `pitfall 20: a filter removes all that it takes, however many`() async throws {
        let homes = [partition(), partition(user: "a"), partition(user: "b")]
        let old = [Attribute(name: "version", value: .number(1))], new = [Attribute(name: "version", value: .number(2))]
        for (number, home) in homes.enumerated() {
            // As many as the writer's queue takes.
            try await self.put((0..<7000).map { "old \(number) \($0)" }, in: home, old)
            try await self.put((0..<50).map { "new \(number) \($0)" }, in: home, new)
        }
        let filter = try MetadataFilter("version < 2")
        let dry = try await self.store.remove(.filter(filter, in: homes[0].cache), dryRun: true, at: ms(0))
        #expect(dry.count == 21_000 && dry.sample.count == Limits.maximumSampleIDs)
        #expect(try await self.entries(of: homes[0].cache.tenant) == 21_150)
        let removed = try await self.store.remove(.filter(filter, in: homes[0].cache), dryRun: false, at: ms(0))
        #expect(removed.count == 21_000 && removed.sample.count == Limits.maximumSampleIDs)
        #expect(try await self.entries(of: homes[0].cache.tenant) == 150)
        for home in homes {
            let query = NearestQuery(embedding: self.vector, count: 100, threshold: 0)
            let found = try await self.store.nearest(query, in: home, at: ms(0))
            #expect(found.matches.count == 50 && found.matches.allSatisfy { $0.entry.attributes == new })
        }
        let again = try await self.store.remove(.filter(filter, in: homes[0].cache), dryRun: false, at: ms(0))
        #expect(again.count == 0)
        await self.store.close()
        let reopened = try openStore(self.folder.file)
        let sizes = try await reopened.sizes(of: homes[0].cache.tenant, identities: [identity.key], at: ms(0))
        #expect(sizes.entries == 150)
    }
}
