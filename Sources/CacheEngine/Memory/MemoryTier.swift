// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Synchronization

/// The answers of one replica's memory (L1): what an event loop may serve without asking anyone.
///
/// It never outlives the truth: a change of the store removes what it made false before the change is acknowledged, and
/// moves on a *generation*; an answer that was read from the store before that is then refused, however late it comes.
package final class MemoryTier: Sendable {
    /// An entry as it lies in memory.
    package final class Item: Sendable {
        package let entry: CacheEntry
        package let cache: CacheScope
        /// What the transport wants to keep with it.
        package let attachment: any AnyObject & Sendable

        fileprivate let weight: Int
        // Worked out once: they are needed for every hit.
        fileprivate let cacheBucket: Int
        fileprivate let tenantBucket: Int
        /// When the store was last told that the entry is served, milliseconds.
        private let noted = Atomic<Int64>(.min)

        init(entry: CacheEntry, cache: CacheScope, attachment: any AnyObject & Sendable) {
            self.entry = entry
            self.cache = cache
            self.attachment = attachment
            self.cacheBucket = MemoryTier.bucket(of: cache.key)
            self.tenantBucket = MemoryTier.bucket(of: cache.tenant.tenant.key)
            // What the transport keeps is at most the entry again, but for the response, which both share.
            self.weight = 256 + 2 * entry.approximateBytes - entry.response.count
        }

        /// Whether the store should be told that the entry is served; true once per interval.
        func isNoteDue(at now: Timestamp) -> Bool {
            let last = self.noted.load(ordering: .relaxed)
            let (gone, overflow) = now.milliseconds.subtractingReportingOverflow(last)
            guard overflow || gone >= MemoryTier.noteInterval else { return false }
            return self.noted.compareExchange(
                expected: last, desired: now.milliseconds, ordering: .relaxed
            ).exchanged
        }
    }

    /// Between two notes to the store that an entry is served from memory.
    private static let noteInterval: Int64 = 30_000

    /// For a transport that keeps nothing.
    private final class Nothing: Sendable {}

    /// An answer.
    package struct Found: Sendable {
        package let item: Item
        package let kind: LookupHit.Kind
        package let similarity: Float
    }

    /// Says of which moment something read from the store is.
    package struct Ticket: Sendable {
        /// Of the cache, in every shard: which entry will be read is not known before.
        fileprivate let generations: [UInt64]
        fileprivate let bucket: Int
        fileprivate let partitionGeneration: UInt64
    }

    private enum Slot {
        /// - epoch: Of its cache and tenant when it came in; it is gone when they have moved on.
        case entry(Item, epoch: UInt64)
        /// A question that was answered by another's entry. It resolves through that entry, so what removes the entry
        /// also ends this; and it ends when anything is stored in the partition, for that may be nearer.
        case semantic(target: EntryID, similarity: Float, partitionGeneration: UInt64)
    }

    private struct Shard: ~Copyable {
        var slots: FrequencyCache<EntryID, Slot>
        /// Changes per cache, and per partition, by hash: a collision only forgets too much.
        var cacheGenerations = [UInt64](repeating: 0, count: MemoryTier.buckets)
        var partitionGenerations = [UInt64](repeating: 0, count: MemoryTier.buckets)
        /// Removals of whole caches and tenants, by hash: what came in before one is not found any more. To look for it
        /// would take long while others wait for the lock; it goes as what is not used goes.
        var cacheEpochs = [UInt64](repeating: 0, count: MemoryTier.buckets)
        var tenantEpochs = [UInt64](repeating: 0, count: MemoryTier.buckets)

        /// Only ever grows, and so does each of its parts.
        func epoch(of item: Item) -> UInt64 {
            self.cacheEpochs[item.cacheBucket] + self.tenantEpochs[item.tenantBucket]
        }

        mutating func entry(_ id: EntryID) -> Item? {
            guard case .entry(let item, let epoch) = self.slots.value(for: id), epoch == self.epoch(of: item)
            else { return nil }
            return item
        }
    }

    /// Counters per shard and kind.
    private static let buckets = 1024

    private final class LockedShard: Sendable {
        let state: Mutex<Shard>

        init(limit: Int) {
            self.state = Mutex(Shard(slots: FrequencyCache(limit: limit, weigh: MemoryTier.weight)))
        }
    }

    private let shards: [LockedShard]
    private let attach: @Sendable (CacheEntry) -> any AnyObject & Sendable
    private let largestItem: Int

    /// - Parameters:
    ///   - limit: Bytes, of all items together.
    ///   - attach: Makes what the transport keeps with an entry; called once per entry, outside the locks.
    package init(limit: Int, attach: @escaping @Sendable (CacheEntry) -> any AnyObject & Sendable = { _ in Nothing() })
    {
        let count = 16
        self.shards = (0..<count).map { _ in LockedShard(limit: limit / count) }
        self.attach = attach
        // A larger one would push everything else out.
        self.largestItem = limit / count / 4
    }

    /// Finds the answer to a prompt by its entry id.
    ///
    /// - Parameter semantic: Whether an answer that belongs to another, similar prompt will do.
    package func find(_ id: EntryID, in partition: Partition, semantic: Bool, at now: Timestamp) -> Found? {
        let slot = self.shards[Self.position(of: id)].state.withLock { state -> Slot? in
            guard let slot = state.slots.value(for: id) else { return nil }
            if case .entry(let item, let epoch) = slot, epoch != state.epoch(of: item) { return nil }
            return slot
        }
        switch slot {
        case .entry(let item, _):
            guard item.entry.expiresAt > now else { return nil }
            return Found(item: item, kind: .exact, similarity: 1)
        case .semantic(let target, let similarity, let generation):
            guard semantic, generation == self.generation(of: partition),
                let item = self.shards[Self.position(of: target)].state.withLock({ $0.entry(target) }),
                item.entry.expiresAt > now
            else { return nil }
            return Found(item: item, kind: .semantic, similarity: similarity)
        case nil:
            return nil
        }
    }

    /// To be taken before the store is read.
    package func ticket(in partition: Partition) -> Ticket {
        let bucket = Self.bucket(of: partition.cache.key)
        return Ticket(
            generations: self.shards.map { $0.state.withLock { $0.cacheGenerations[bucket] } }, bucket: bucket,
            partitionGeneration: self.generation(of: partition))
    }

    /// Takes what was read from the store, unless a change came between.
    package func insert(_ entry: CacheEntry, of cache: CacheScope, ticket: Ticket) {
        let item = Item(entry: entry, cache: cache, attachment: self.attach(entry))
        self.insert(for: entry.id, weight: item.weight, ticket: ticket) { .entry(item, epoch: $0.epoch(of: item)) }
    }

    /// Remembers that a prompt was answered by another's entry, and that entry.
    package func insert(_ match: LookupMatch, for id: EntryID, of cache: CacheScope, ticket: Ticket) {
        self.insert(match.entry, of: cache, ticket: ticket)
        let slot = Slot.semantic(
            target: match.entry.id, similarity: match.similarity, partitionGeneration: ticket.partitionGeneration)
        self.insert(for: id, weight: Self.weight(slot), ticket: ticket) { _ in slot }
    }

    private func insert(
        for id: EntryID, weight: Int, ticket: Ticket, _ make: @Sendable (borrowing Shard) -> Slot
    ) {
        guard weight <= self.largestItem else { return }
        let position = Self.position(of: id)
        let shard = self.shards[position]
        shard.state.withLock { state in
            guard state.cacheGenerations[ticket.bucket] == ticket.generations[position] else { return }
            state.slots.insert(make(state), for: id)
        }
    }

    /// To be called after an entry was stored and before that is acknowledged.
    package func storeChanged(_ id: EntryID, in partition: Partition) {
        self.storeChanged(id, partition: EntryID(partition.key), of: partition.cache.key)
    }

    /// - Parameter partition: The first half of the partition's key.
    package func storeChanged(_ id: EntryID, partition: EntryID, of cache: Digest) {
        self.remove(id, of: cache)
        self.shards[Self.position(ofPartition: partition)].state.withLock {
            $0.partitionGenerations[Self.counter(of: partition)] += 1
        }
    }

    /// To be called after an entry was removed and before that is acknowledged.
    package func remove(_ id: EntryID, in partition: Partition) {
        let bucket = Self.bucket(of: partition.cache.key)
        self.shards[Self.position(of: id)].state.withLock { state in
            state.cacheGenerations[bucket] += 1
            state.slots.remove(id)
        }
    }

    /// Like ``remove(_:in:)`` for an entry of any partition of a cache; leaves alone what is of another cache.
    package func remove(_ id: EntryID, of cache: Digest) {
        let bucket = Self.bucket(of: cache)
        self.shards[Self.position(of: id)].state.withLock { state in
            state.cacheGenerations[bucket] += 1
            if case .entry(let item, _) = state.slots.value(for: id), item.cache.key == cache { state.slots.remove(id) }
        }
    }

    /// To be called after entries of a cache were removed and before that is acknowledged. Forgets all of the cache.
    package func removeAll(of cache: CacheScope) { self.removeAll(of: cache.key) }

    package func removeAll(of cache: Digest) {
        let bucket = Self.bucket(of: cache)
        for shard in self.shards {
            shard.state.withLock { state in
                state.cacheGenerations[bucket] += 1
                state.cacheEpochs[bucket] += 1
            }
        }
    }

    /// To be called after a tenant's entries were removed and before that is acknowledged.
    package func removeAll(of tenant: TenantScope) {
        let bucket = Self.bucket(of: tenant.tenant.key)
        for shard in self.shards {
            shard.state.withLock { state in
                // Which caches it has is not known here.
                for counter in 0..<Self.buckets {
                    state.cacheGenerations[counter] += 1
                    // Nor its partitions, of which a nearer answer may have come.
                    state.partitionGenerations[counter] += 1
                }
                state.tenantEpochs[bucket] += 1
            }
        }
    }

    package var size: (entries: Int, bytes: Int) {
        self.shards.reduce(into: (0, 0)) { sum, shard in
            let (count, weight) = shard.state.withLock { ($0.slots.count, $0.slots.weight) }
            sum.0 += count
            sum.1 += weight
        }
    }

    /// Answers that went because others came.
    package var forgotten: UInt64 {
        self.shards.reduce(0) { sum, shard in sum + shard.state.withLock { $0.slots.forgotten } }
    }

    private static func weight(_ slot: Slot) -> Int {
        // About what its place in the cache takes, and those that stay free.
        guard case .entry(let item, _) = slot else { return 96 }
        return item.weight
    }

    private func generation(of partition: Partition) -> UInt64 {
        let partition = EntryID(partition.key)
        return self.shards[Self.position(ofPartition: partition)].state.withLock {
            $0.partitionGenerations[Self.counter(of: partition)]
        }
    }

    // Digests are uniform: any bits will do.
    private static func position(of id: EntryID) -> Int { Int(truncatingIfNeeded: id.low & 15) }
    private static func position(ofPartition partition: EntryID) -> Int {
        Int(truncatingIfNeeded: partition.low & 15)
    }
    private static func bucket(of cache: Digest) -> Int { Int(truncatingIfNeeded: cache.words.1) & (Self.buckets - 1) }
    private static func counter(of partition: EntryID) -> Int {
        Int(truncatingIfNeeded: partition.low >> 4) & (Self.buckets - 1)
    }
}
