// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// Answers that are wrong for a question, and the neighbours of a search.
extension StoreConformance {
    static let blockBehaviours = [
        Behaviour("an answer is blocked for a question of one partition, and of no other") {
            try await $0.blocksAreOfOnePartition()
        },
        Behaviour("a cache that names another tenant's partition and question has no part in its blocks") {
            try await $0.blocksAreOfOneCache()
        },
        Behaviour("of too many blocks of a question the first stay, and twice is once") {
            try await $0.firstBlocksStay()
        },
        Behaviour("blocks that come at the same time are all there") { try await $0.blocksAtOnce() },
        Behaviour("neighbours are told of whatever their similarity, if age and filter take them") {
            try await $0.neighboursAreTold()
        },
    ]

    private func pair(_ question: UInt64, _ entry: UInt64, _ cluster: UInt64 = 0) -> BlockedPair {
        BlockedPair(
            question: EntryID(high: 7, low: question), entry: EntryID(high: entry, low: entry), cluster: .some(cluster))
    }

    private func block(_ pair: BlockedPair, in partition: Partition, _ store: Store) async throws {
        try await store.block(pair, in: partition, by: .now + Limits.maximumDeadline)
    }

    func blocksAreOfOnePartition() async throws {
        let store = try await self.makeStore()
        for (position, home) in self.homes.enumerated() {
            #expect(try await store.blocks(of: self.pair(1, 0).question, in: home).isEmpty)
            try await self.block(self.pair(1, UInt64(position)), in: home, store)
        }
        for (position, home) in self.homes.enumerated() {
            #expect(try await store.blocks(of: self.pair(1, 0).question, in: home) == [self.pair(1, UInt64(position))])
            #expect(try await store.blocks(of: self.pair(2, 0).question, in: home).isEmpty)
        }
    }

    /// What a lookup id says of partition and question may be made up by whoever has a cache of his own.
    func blocksAreOfOneCache() async throws {
        var store = try await self.makeStore()
        let (home, rival) = (self.partition(), self.cache(of: "rival"))
        let own = [self.pair(1, 1), self.pair(1, 2)]
        for pair in own { try await self.block(pair, in: home, store) }
        let forgeries = [rival, self.cache("other")].map {
            Partition(of: $0, restoring: home.key, identity: identity.key)
        }
        let others = (0..<UInt64(Limits.maximumBlocksPerQuestion)).map { self.pair(1, 100 + $0) }
        for forged in forgeries {
            #expect(try await store.blocks(of: own[0].question, in: forged).isEmpty)
            for pair in others { try await self.block(pair, in: forged, store) }
        }
        func check(left: [Partition]) async throws {
            #expect(try await store.blocks(of: own[0].question, in: home) == own)
            for forged in forgeries {
                let blocks = try await store.blocks(of: own[0].question, in: forged)
                // Partitions of one key are equal.
                #expect(blocks == (left.contains { $0.cache == forged.cache } ? others : []))
            }
        }
        try await check(left: forgeries)
        if let reopen {
            store = try await reopen(store)
            try await check(left: forgeries)
        }
        _ = try await store.remove(.tenant(rival.tenant))
        try await check(left: [forgeries[1]])
        if let reopen {
            store = try await reopen(store)
            try await check(left: [forgeries[1]])
        }
    }

    func firstBlocksStay() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        let question = self.pair(1, 0).question
        let pairs = (0..<UInt64(Limits.maximumBlocksPerQuestion) + 3).map { self.pair(1, $0 / 2, $0) }
        for pair in pairs.prefix(4) + pairs.prefix(4) { try await self.block(pair, in: home, store) }
        #expect(try await store.blocks(of: question, in: home) == Array(pairs.prefix(4)))
        // Those that find no room any more are no fault.
        for pair in pairs { try await self.block(pair, in: home, store) }
        #expect(
            try await store.blocks(of: question, in: home)
                == Array(pairs.prefix(Limits.maximumBlocksPerQuestion)))
        try await self.block(self.pair(2, 0), in: home, store)
        #expect(try await store.blocks(of: self.pair(2, 0).question, in: home) == [self.pair(2, 0)])
    }

    func blocksAtOnce() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<60 as Range<UInt64> {
                group.addTask { try await self.block(self.pair(number % 6, number / 6), in: home, store) }
            }
            try await group.waitForAll()
        }
        for question in 0..<6 as Range<UInt64> {
            let found = try await store.blocks(of: self.pair(question, 0).question, in: home)
            #expect(Set(found) == Set((0..<10).map { self.pair(question, $0) }) && found.count == 10)
        }
    }

    func neighboursAreTold() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(84)
        let vector = random.vector()
        var ids: [EntryID] = []
        for (position, wanted) in [Float(0.97), 0.9, 0.7, 0.5, 0.3, -0.5].enumerated() {
            let entry = try entry(
                "q\(position)", in: home, created: Int64(position), expires: position == 3 ? 20 : 1000,
                attributes: position == 4 ? [Attribute(name: "a", value: .number(1))] : [])
            try await store.put(entry, random.vector(near: vector, similarity: wanted), in: home)
            ids.append(entry.id)
        }
        func neighbours(
            _ count: Int, threshold: Float = 0.95, oldest: Int64? = nil, filter: String? = nil, at now: Int64 = 10
        ) async throws -> [EntryID] {
            let query = NearestQuery(
                embedding: vector, count: 1, threshold: threshold, createdAtOrAfter: oldest.map(ms),
                filter: try filter.map { try MetadataFilter($0) }, neighbours: count)
            let found = try await store.nearest(query, in: home, at: ms(now))
            for neighbour in found.neighbours {
                #expect(try await store.entry(neighbour.id, in: home, at: ms(now))?.cluster == neighbour.cluster)
            }
            return found.neighbours.map(\.id)
        }
        #expect(try await neighbours(0).isEmpty)
        #expect(try await neighbours(3) == Array(ids.prefix(3)))
        #expect(try await neighbours(32) == ids)
        #expect(try await neighbours(32, threshold: 0.99) == ids)
        #expect(try await neighbours(32, at: 20) == ids.filter { $0 != ids[3] })
        #expect(try await neighbours(32, oldest: 2) == Array(ids.suffix(4)))
        #expect(try await neighbours(32, filter: "a == 1") == [ids[4]])
        #expect(try await neighbours(32, oldest: 5, filter: "not exists(a)") == [ids[5]])
        #expect(try await neighbours(32, oldest: 50).isEmpty)
        let elsewhere = NearestQuery(embedding: vector, count: 1, threshold: 0.9, neighbours: 5)
        #expect(try await store.nearest(elsewhere, in: self.partition("other"), at: ms(0)).neighbours.isEmpty)
    }
}
