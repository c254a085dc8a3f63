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
        /// When the store was last told that the entry is served, milliseconds.
        private let noted = Atomic<Int64>(.min)

        init(entry: CacheEntry, cache: CacheScope, attachment: any AnyObject & Sendable) {
            self.entry = entry
            self.cache = cache
            self.attachment = attachment
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
        /// Of every shard: which entry will be read is not known before.
        fileprivate let generations: [UInt64]
        fileprivate let partitionGeneration: UInt64
    }

    private enum Slot {
        case entry(Item)
        /// A question that was answered by another's entry. It resolves through that entry, so what removes the entry
        /// also ends this; and it ends when anything is stored in the partition, for that may be nearer.
        case semantic(target: EntryID, similarity: Float, partitionGeneration: UInt64)
    }

    private struct Shard: ~Copyable {
        var slots: GenerationalCache<EntryID, Slot>
        /// Changes per partition, by hash: a collision only forgets too much.
        var partitionGenerations = [UInt64](repeating: 0, count: 256)
    }

    private final class LockedShard: Sendable {
        let state: Mutex<Shard>
        /// Changes under the lock, so that who inserts under the lock cannot miss a change; read without it.
        let generation = Atomic<UInt64>(0)

        init(limit: Int) {
            self.state = Mutex(Shard(slots: GenerationalCache(limit: limit, weigh: MemoryTier.weight)))
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
        let slot = self.shards[Self.position(of: id)].state.withLock { $0.slots.value(for: id) }
        switch slot {
        case .entry(let item):
            guard item.entry.expiresAt > now else { return nil }
            return Found(item: item, kind: .exact, similarity: 1)
        case .semantic(let target, let similarity, let generation):
            guard semantic, generation == self.generation(of: partition),
                case .entry(let item) = self.shards[Self.position(of: target)].state.withLock({
                    $0.slots.value(for: target)
                }),
                item.entry.expiresAt > now
            else { return nil }
            return Found(item: item, kind: .semantic, similarity: similarity)
        case nil:
            return nil
        }
    }

    /// To be taken before the store is read.
    package func ticket(in partition: Partition) -> Ticket {
        Ticket(
            generations: self.shards.map { $0.generation.load(ordering: .acquiring) },
            partitionGeneration: self.generation(of: partition))
    }

    /// Takes what was read from the store, unless a change came between.
    package func insert(_ entry: CacheEntry, of cache: CacheScope, ticket: Ticket) {
        let item = Item(entry: entry, cache: cache, attachment: self.attach(entry))
        self.insert(.entry(item), for: entry.id, ticket: ticket)
    }

    /// Remembers that a prompt was answered by another's entry, and that entry.
    package func insert(_ match: LookupMatch, for id: EntryID, of cache: CacheScope, ticket: Ticket) {
        self.insert(match.entry, of: cache, ticket: ticket)
        let slot = Slot.semantic(
            target: match.entry.id, similarity: match.similarity, partitionGeneration: ticket.partitionGeneration)
        self.insert(slot, for: id, ticket: ticket)
    }

    private func insert(_ slot: Slot, for id: EntryID, ticket: Ticket) {
        guard Self.weight(slot) <= self.largestItem else { return }
        let position = Self.position(of: id)
        let shard = self.shards[position]
        shard.state.withLock { state in
            guard shard.generation.load(ordering: .relaxed) == ticket.generations[position] else { return }
            state.slots.insert(slot, for: id)
        }
    }

    /// To be called after an entry was stored and before that is acknowledged.
    package func storeChanged(_ id: EntryID, in partition: Partition) {
        self.remove(id)
        self.shards[Self.position(of: partition)].state.withLock {
            $0.partitionGenerations[Self.counter(of: partition)] += 1
        }
    }

    /// To be called after an entry was removed and before that is acknowledged.
    package func remove(_ id: EntryID) {
        let shard = self.shards[Self.position(of: id)]
        shard.state.withLock { state in
            shard.generation.add(1, ordering: .releasing)
            state.slots.remove(id)
        }
    }

    /// Like ``remove(_:)``, but leaves alone what is of another cache.
    package func remove(_ id: EntryID, of cache: Digest) {
        let shard = self.shards[Self.position(of: id)]
        shard.state.withLock { state in
            shard.generation.add(1, ordering: .releasing)
            if case .entry(let item) = state.slots.value(for: id), item.cache.key == cache { state.slots.remove(id) }
        }
    }

    /// To be called after entries of a cache were removed and before that is acknowledged.
    package func removeAll(of cache: CacheScope) { self.removeAll { $0.cache == cache } }

    /// To be called after a tenant's entries were removed and before that is acknowledged.
    package func removeAll(of tenant: TenantScope) { self.removeAll { $0.cache.tenant == tenant } }

    private func removeAll(where isRemoved: @Sendable (Item) -> Bool) {
        for shard in self.shards {
            shard.state.withLock { state in
                shard.generation.add(1, ordering: .releasing)
                state.slots.removeAll { slot in
                    guard case .entry(let item) = slot else { return false }
                    return isRemoved(item)
                }
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

    private static func weight(_ slot: Slot) -> Int {
        // About what the dictionary's slot and the objects' headers take.
        guard case .entry(let item) = slot else { return 96 }
        return item.weight
    }

    private func generation(of partition: Partition) -> UInt64 {
        self.shards[Self.position(of: partition)].state.withLock {
            $0.partitionGenerations[Self.counter(of: partition)]
        }
    }

    // Digests are uniform: any bits will do.
    private static func position(of id: EntryID) -> Int { Int(truncatingIfNeeded: id.low & 15) }
    private static func position(of partition: Partition) -> Int {
        Int(truncatingIfNeeded: partition.key.words.1 & 15)
    }
    private static func counter(of partition: Partition) -> Int {
        Int(truncatingIfNeeded: partition.key.words.1 >> 4 & 255)
    }
}
