// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import NIOPosix
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import RedisStore

private let now = Timestamp(milliseconds: 1)

/// Callers of two stores, as of two replicas, that change and read the items of a ledger all the time.
final class LedgerLoad: Sendable {
    /// Of a command; a call may take a few.
    static let timeout = Duration.seconds(1)
    /// Beyond its deadline, on a machine that does other things too.
    static let slack = Duration.seconds(3)
    static let readers = 4

    let ledger: Ledger
    let progress = Progress()
    /// Of `stores`, then of `inspector`.
    let clients: [RedisClient]
    let stores: [RedisVectorStore]
    /// For looks at what there is, when nothing is wrong with the servers: it has all the time it needs.
    let inspector: RedisVectorStore
    /// Of the last failures, how long they took and what they said.
    private let failures = Mutex<[(time: Duration, error: VectorStoreError)]>([])

    /// - Parameter questions: In each of two partitions of each owner.
    init(_ url: String, owners: Int = 6, questions: Int = 6, shards: Int = 1) throws {
        let name = "faults \(UInt64.random(in: .min ... .max))"
        self.ledger = Ledger(try LedgerItem.make(tenants: name, owners: owners, questions: questions))
        self.clients =
            try (0..<2).map { _ in try makeClient(url, timeout: Self.timeout) } + [try makeClient(url)]
        self.stores = self.clients.dropLast().map { client in
            RedisVectorStore(
                client: client, index: VectorSetIndex(client: client, quantization: .none),
                configuration: .init(shards: shards, timeout: Self.timeout), logger: silent, clock: { now })
        }
        self.inspector = makeVectorSetStore(self.clients[2], shards: shards)
    }

    var items: [LedgerItem] { Array(self.ledger.items.joined()) }

    var tenants: [TenantScope] { Array(Set(self.items.map(\.partition.cache.tenant))) }

    /// Since the last call of it.
    func takeFailures() -> [(time: Duration, error: VectorStoreError)] {
        self.failures.withLock { failures in
            defer { failures = [] }
            return failures
        }
    }

    /// Lets callers call while something happens, and ends them.
    ///
    /// - Parameter owners: Who changes their items; all of them if `nil`.
    func run(owners: Range<Int>? = nil, while happening: @Sendable () async throws -> Void) async throws {
        self.progress.begin()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for owner in owners ?? self.ledger.items.indices { group.addTask { await self.change(as: owner) } }
            for reader in 0..<Self.readers { group.addTask { await self.read(as: reader) } }
            let result: Result<Void, any Error>
            do {
                result = .success(try await happening())
            } catch {
                result = .failure(error)
            }
            self.progress.end()
            try await group.waitForAll()
            try result.get()
        }
    }

    func close() async {
        for client in self.clients { await client.close() }
    }

    // MARK: Changes

    private func change(as owner: Int) async {
        var random = SeededGenerator(.random(in: .min ... .max))
        let items = self.ledger.items[owner]
        while !self.progress.isOver {
            let store = random.pick(self.stores)
            if random.chance(0.7) {
                await self.put(random.pick(items), in: store)
            } else {
                await self.remove(random.pick(items), of: items, in: store, &random)
            }
        }
    }

    private func put(_ item: LedgerItem, in store: RedisVectorStore) async {
        let version = self.ledger.beginPut(item)
        await self.call(.change, .failedChange, within: Self.timeout * 2) { () throws(VectorStoreError) in
            _ = try await store.put(
                item.entry(version: version), embedding: item.vector, in: item.partition, quota: .unlimited)
            self.ledger.acknowledgePut(item, version: version)
        }
    }

    private func remove(
        _ item: LedgerItem, of all: [LedgerItem], in store: RedisVectorStore, _ random: inout SeededGenerator
    ) async {
        let cache = item.partition.cache
        let group = all.filter { $0.group == item.group }
        guard let filter = try? MetadataFilter("group == \"\(item.group)\"") else { return }
        // Those that take much away come seldom, so that something is there to be found.
        let (selector, meant): (RemovalSelector, [LedgerItem]) =
            switch random.int(0...11) {
            case 0: (.cache(cache), all)
            case 1, 2: (.filter(filter, in: cache), group)
            case 3, 4: (.radius(item.vector, similarity: 0.999, in: item.partition), [item])
            case 5...7: (.ids([item.id, all[0].id], in: cache), item.index == all[0].index ? [item] : [item, all[0]])
            default: (.entry(item.id, in: item.partition), [item])
            }
        self.ledger.beginRemoval(of: meant)
        // Several commands, of which one may run out of time; an exhaustive search has more.
        let limit = Limits.exhaustiveSearchDeadline + Self.timeout
        await self.call(.change, .failedChange, within: limit) { () throws(VectorStoreError) in
            _ = try await store.remove(selector, dryRun: false, at: now)
            self.ledger.acknowledgeRemoval(of: meant)
        }
    }

    // MARK: Reads

    private func read(as reader: Int) async {
        var random = SeededGenerator(.random(in: .min ... .max))
        let items = self.items
        while !self.progress.isOver {
            let (item, store) = (random.pick(items), random.pick(self.stores))
            if random.chance(0.5) {
                await self.readExact(item, in: store)
            } else {
                await self.readNearest(item, in: store)
            }
        }
    }

    private func readExact(_ item: LedgerItem, in store: RedisVectorStore) async {
        let before = self.ledger.record(of: item)
        await self.call(.read, .failedRead, within: Self.timeout) { () throws(VectorStoreError) in
            let found = try await store.entry(item.id, in: item.partition, at: now)
            self.judge(item, found, before, "exact")
        }
    }

    private func readNearest(_ item: LedgerItem, in store: RedisVectorStore) async {
        let before = self.ledger.record(of: item)
        let query = NearestQuery(embedding: item.vector, count: 1, threshold: 0.999)
        await self.call(.read, .failedRead, within: Self.timeout * 4) { () throws(VectorStoreError) in
            let found = try await store.nearest(query, in: item.partition, at: now)
            self.judge(item, found.matches.first?.entry, before, "nearest")
        }
    }

    func judge(_ item: LedgerItem, _ entry: CacheEntry?, _ before: Ledger.Record, _ kind: String) {
        let version = entry.map { item.version(of: $0) }
        if case .some(.none) = version {
            return self.ledger.note(violation: "\(kind): item \(item.index) got the answer of another one: \(entry!)")
        }
        self.ledger.judge(item, found: version ?? nil, before: before, by: kind)
    }

    // MARK: Calls

    /// Counts and times a call. Who is refused waits a little, as any caller should.
    private func call(
        _ success: Progress.Kind, _ failure: Progress.Kind, within limit: Duration,
        _ body: () async throws(VectorStoreError) -> Void
    ) async {
        let start = ContinuousClock.now
        var failed: VectorStoreError?
        do throws(VectorStoreError) {
            try await body()
        } catch {
            failed = error
        }
        let time = ContinuousClock.now - start
        if time > limit + Self.slack {
            self.ledger.note(violation: "a \(success) took \(time), failed: \(failed as Any)")
        }
        guard let failed else { return self.progress.note(success) }
        if failed.code == .corrupt || failed.code == .overQuota {
            self.ledger.note(violation: "a \(success) failed with \(failed)")
        }
        self.failures.withLock { $0.append((time, failed)) }
        self.progress.note(failure)
        await Self.pause()
    }

    /// A few milliseconds of an event loop.
    static func pause() async {
        let timer = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .milliseconds(5)) {}
        try? await timer.futureResult.get()
    }
}
