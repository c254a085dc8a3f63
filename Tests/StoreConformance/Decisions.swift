// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// What is known of decisions: records, what was learnt from them, and clusters.
extension StoreConformance {
    static let decisionBehaviours = [
        Behaviour("records are numbered one by one and come in order, page by page") { try await $0.recordsInOrder() },
        Behaviour("only the last records are kept, and no number is used twice") { try await $0.recordsAreTrimmed() },
        Behaviour("records that are appended at the same time are each there once") {
            try await $0.recordsAtOnce()
        },
        Behaviour("records and snapshots that are too large are refused as a whole") {
            try await $0.tooLargeIsRefused()
        },
        Behaviour("a snapshot takes the place of one of fewer records, whoever comes first") {
            try await $0.snapshotsRace()
        },
        Behaviour("what is known of decisions stays when a cache is emptied, and goes with its tenant") {
            try await $0.knowledgeStays()
        },
        Behaviour("what is known of decisions outlives a restart") { try await $0.knowledgeOutlivesRestart() },
        Behaviour("an entry is in the cluster of its answer, or in another one until it is stored again") {
            try await $0.entriesHaveClusters()
        },
    ]

    private func record(_ number: Int) -> [UInt8] { Array("record \(number)".utf8) }

    /// Reads all pages.
    func records(
        of cache: CacheScope, after number: UInt64 = 0, in store: Store
    ) async throws -> (first: UInt64, records: [[UInt8]], last: UInt64) {
        var (first, all, position, last) = (UInt64(0), [[UInt8]](), number, UInt64(0))
        while true {
            let page = try await store.records(of: cache, after: position)
            #expect(page.records.count <= Limits.maximumDecisionRecordPage)
            last = page.last
            if page.records.isEmpty { return (first, all, last) }
            if all.isEmpty { first = page.first } else { #expect(page.first == position + 1) }
            all += page.records
            position = page.first + UInt64(page.records.count) - 1
        }
    }

    func recordsInOrder() async throws {
        let store = try await self.makeStore()
        let (cache, other, rival) = (self.cache(), self.cache("other"), self.cache(of: "rival"))
        #expect(try await store.records(of: cache, after: 0) == DecisionRecordPage(first: 0, records: [], last: 0))
        #expect(try await store.append([self.record(1), []], to: cache) == 2)
        #expect(try await store.append([], to: cache) == 2)
        #expect(try await store.append([self.record(9)], to: other) == 1)
        let more = (3...1500).map(self.record)
        #expect(try await store.append(more, to: cache) == 1500)
        let all = try await self.records(of: cache, in: store)
        #expect(all.first == 1 && all.last == 1500 && all.records == [self.record(1), []] + more)
        let some = try await store.records(of: cache, after: 1498)
        #expect(some == DecisionRecordPage(first: 1499, records: [self.record(1499), self.record(1500)], last: 1500))
        for number in [1500, 1501, UInt64.max] {
            let none = DecisionRecordPage(first: 0, records: [], last: 1500)
            #expect(try await store.records(of: cache, after: number) == none)
        }
        #expect(try await self.records(of: other, in: store).records == [self.record(9)])
        #expect(try await self.records(of: rival, in: store).last == 0)
    }

    func recordsAreTrimmed() async throws {
        let (store, cache) = (try await self.makeStore(), self.cache())
        for batch in 0..<10 {
            _ = try await store.append((1...500).map { self.record(batch * 500 + $0) }, to: cache)
        }
        let kept = Limits.maximumDecisionRecords
        var all = try await self.records(of: cache, in: store)
        #expect(all.last == 5000 && all.first == UInt64(5001 - kept))
        #expect(all.records == (5001 - kept...5000).map(self.record))
        // What is gone is passed over.
        #expect(try await store.records(of: cache, after: 17).first == UInt64(5001 - kept))
        _ = try await store.remove(.tenant(cache.tenant))
        #expect(try await store.records(of: cache, after: 0) == DecisionRecordPage(first: 0, records: [], last: 5000))
        #expect(try await store.append([self.record(5001)], to: cache) == 5001)
        all = try await self.records(of: cache, in: store)
        #expect(all.first == 5001 && all.records == [self.record(5001)])
    }

    func recordsAtOnce() async throws {
        let (store, cache) = (try await self.makeStore(), self.cache())
        let numbers = try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for task in 0..<12 {
                group.addTask {
                    var numbers: [UInt64] = []
                    for round in 0..<8 {
                        let start = (task * 8 + round) * 3
                        numbers.append(try await store.append((start..<start + 3).map(self.record), to: cache))
                    }
                    return numbers
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        // Those of one call lie together, so each call has its own last number.
        #expect(numbers.sorted() == (1...96).map { UInt64($0 * 3) })
        let all = try await self.records(of: cache, in: store)
        #expect(all.first == 1 && all.last == 288)
        #expect(Set(all.records) == Set((0..<288).map(self.record)) && all.records.count == 288)
        for start in stride(from: 0, to: 288, by: 3) {
            let text = String(decoding: all.records[start], as: UTF8.self)
            let first = try #require(Int(text.dropFirst(7)))
            #expect(first % 3 == 0 && Array(all.records[start..<start + 3]) == (first..<first + 3).map(self.record))
        }
    }

    func tooLargeIsRefused() async throws {
        let (store, cache) = (try await self.makeStore(), self.cache())
        let largest = [UInt8](repeating: 0xff, count: Limits.maximumDecisionRecordBytes)
        var fault = await #expect(throws: VectorStoreError.self) {
            try await store.append([[1], largest + [1]], to: cache)
        }
        #expect(fault?.code == .overQuota)
        #expect(try await store.append([largest], to: cache) == 1)
        #expect(try await self.records(of: cache, in: store).records == [largest])
        let bytes = [UInt8](repeating: 0, count: Limits.maximumDecisionSnapshotBytes)
        fault = await #expect(throws: VectorStoreError.self) {
            try await store.save(DecisionSnapshot(upTo: 1, bytes: bytes + [0]), of: cache)
        }
        #expect(fault?.code == .overQuota)
        #expect(try await store.save(DecisionSnapshot(upTo: 1, bytes: bytes), of: cache))
        #expect(try await store.snapshot(of: cache)?.bytes == bytes)
    }

    func snapshotsRace() async throws {
        let (store, cache) = (try await self.makeStore(), self.cache())
        let snapshot = { @Sendable (number: UInt64) in DecisionSnapshot(upTo: number, bytes: Array("\(number)".utf8)) }
        #expect(try await store.snapshot(of: cache) == nil)
        #expect(try await store.save(snapshot(0), of: cache))
        #expect(try await store.save(snapshot(7), of: cache))
        for number in [7, 3, 0 as UInt64] {
            #expect(try await !store.save(DecisionSnapshot(upTo: number, bytes: [1]), of: cache))
            #expect(try await store.snapshot(of: cache) == snapshot(7))
        }
        let numbers = (0..<24).map { UInt64(1) << 32 + UInt64(($0 * 7) % 24) << 30 }
        let kept = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in numbers { group.addTask { try await store.save(snapshot(number), of: cache) } }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(kept >= 1)
        let largest = try #require(numbers.max())
        #expect(try await store.snapshot(of: cache) == snapshot(largest))
        #expect(try await store.snapshot(of: self.cache("other")) == nil)
    }

    func knowledgeStays() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(81)
        let cache = home.cache
        let others = [self.partition("other"), self.partition(of: "rival")]
        let pair = BlockedPair(question: EntryID(high: 1, low: 2), entry: EntryID(high: 3, low: 4), cluster: .some(5))
        for partition in [home] + others {
            try await store.put(try entry("q", in: partition), random.vector(), in: partition)
            _ = try await store.append([[1], [2]], to: partition.cache)
            _ = try await store.save(DecisionSnapshot(upTo: 2, bytes: [9]), of: partition.cache)
            try await store.block(pair, in: partition, by: .now + Limits.maximumDeadline)
        }
        func isKnown(of partition: Partition) async throws -> [Bool] {
            [
                try await store.records(of: partition.cache, after: 0).records == [[1], [2]],
                try await store.snapshot(of: partition.cache)?.bytes == [9],
                try await store.blocks(of: pair.question, in: partition) == [pair],
            ]
        }
        _ = try await store.remove(.cache(cache))
        _ = try await store.remove(.tenant(cache.tenant), dryRun: true, at: ms(0))
        if let sweep { try await sweep(store, ms(2000)) }
        for partition in [home] + others { #expect(try await isKnown(of: partition) == [true, true, true]) }
        _ = try await store.remove(.tenant(cache.tenant))
        #expect(try await isKnown(of: home) == [false, false, false])
        #expect(try await isKnown(of: others[0]) == [false, false, false])
        #expect(try await isKnown(of: others[1]) == [true, true, true])
        #expect(try await store.snapshot(of: cache) == nil)
        #expect(try await store.blocks(of: pair.question, in: home).isEmpty)
        // And it begins anew.
        #expect(try await store.save(DecisionSnapshot(upTo: 1, bytes: [8]), of: cache))
        try await store.block(pair, in: home, by: .now + Limits.maximumDeadline)
        #expect(try await store.blocks(of: pair.question, in: home) == [pair])
    }

    func knowledgeOutlivesRestart() async throws {
        guard let reopen else { return }
        var store = try await self.makeStore()
        let home = self.partition()
        var random = SeededGenerator(82)
        let entry = try entry("q", in: home)
        let vector = random.vector()
        try await store.put(entry, vector, in: home)
        _ = try await store.append([[1], [2]], to: home.cache)
        _ = try await store.save(DecisionSnapshot(upTo: 2, bytes: [9]), of: home.cache)
        let pairs = (0..<3).map {
            BlockedPair(question: EntryID(high: 1, low: 2), entry: EntryID(high: 3, low: $0), cluster: .some($0))
        }
        for pair in pairs { try await store.block(pair, in: home, by: .now + Limits.maximumDeadline) }
        #expect(try await store.assign(.some(77), to: entry.id, in: home))
        store = try await reopen(store)
        #expect(try await store.records(of: home.cache, after: 0).records == [[1], [2]])
        #expect(try await store.append([[3]], to: home.cache) == 3)
        #expect(try await store.snapshot(of: home.cache) == DecisionSnapshot(upTo: 2, bytes: [9]))
        #expect(try await store.blocks(of: pairs[0].question, in: home) == pairs)
        #expect(try await store.entry(entry.id, in: home, at: ms(0))?.cluster == .some(77))
        let query = NearestQuery(embedding: vector, count: 1, threshold: 0.8, neighbours: 3)
        #expect(try await store.nearest(query, in: home, at: ms(0)).neighbours.map(\.cluster) == [.some(77)])
    }

    func entriesHaveClusters() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(83)
        let vector = random.vector()
        let response = String(repeating: "so ", count: 20_000)
        let first = try entry("first", in: home, response: response)
        let second = try entry("second", in: home, response: response)
        let third = try entry("third", in: home, response: "")
        for entry in [first, second, third] { try await store.put(entry, vector, in: home) }
        func clusters() async throws -> [EntryID: AnswerCluster] {
            let query = NearestQuery(embedding: vector, count: 2, threshold: 0.8, neighbours: 5)
            let found = try await store.nearest(query, in: home, at: ms(0))
            var clusters: [EntryID: AnswerCluster] = [:]
            for neighbour in found.neighbours { clusters[neighbour.id] = neighbour.cluster }
            for match in found.matches { #expect(match.entry.cluster == clusters[match.entry.id]) }
            for id in [first.id, second.id, third.id] {
                #expect(try await store.entry(id, in: home, at: ms(0))?.cluster == clusters[id])
            }
            return clusters
        }
        let own = AnswerCluster(of: Array(response.utf8))
        #expect(own != third.cluster && own == first.cluster)
        #expect(try await clusters() == [first.id: own, second.id: own, third.id: AnswerCluster(of: [])])
        #expect(try await store.assign(own, to: third.id, in: home))
        #expect(try await clusters() == [first.id: own, second.id: own, third.id: own])
        #expect(try await store.entry(third.id, in: home, at: ms(0))?.response == [])
        for other in [self.partition(user: "a"), self.partition("other"), self.partition(of: "rival")] {
            #expect(try await !store.assign(.some(1), to: third.id, in: other))
        }
        #expect(try await !store.assign(.some(1), to: EntryID(high: 1, low: 1), in: home))
        #expect(try await clusters()[third.id] == own)
        // What is stored anew is another answer.
        try await store.put(try entry("third", in: home, response: "other", created: 1), vector, in: home)
        #expect(try await clusters()[third.id] == AnswerCluster(of: Array("other".utf8)))
        // Neither is it quota, nor another entry.
        #expect(try await store.sizes(of: self.tenant()).entries == 3)
    }
}

extension AnswerCluster {
    static func some(_ number: UInt64) -> Self { Self(high: 0xc1, low: number) }
}
