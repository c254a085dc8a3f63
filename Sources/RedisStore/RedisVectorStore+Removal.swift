// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import NIOCore
import RedisClient

extension RedisVectorStore {
    package func remove(
        _ selector: RemovalSelector, dryRun: Bool, at now: Timestamp
    ) async throws(VectorStoreError) -> RemovalResult {
        var removal = Removal(store: self, isDryRun: dryRun, now: now)
        defer { for announced in removal.expected { self.coherence?.acknowledgements.forget(announced) } }
        if !dryRun { await self.coherence?.listen(to: selector.tenant) }
        if !dryRun { try await self.voidLeases(selector) }
        switch selector {
        case .ids(let ids, let cache):
            try await removal.remove(ids, of: cache)
        case .entry(let id, let partition):
            try await removal.remove([id], in: partition)
        case .radius(let center, let similarity, let partition):
            try await removal.remove(around: center, similarity, in: partition)
        case .filter(let filter, let cache):
            try await removal.remove(filter, of: cache)
        case .cache(let cache):
            for keys in self.layout.keys(of: cache.tenant) {
                try await removal.removeAll(
                    of: cache.key, in: keys, epoch: cache.key.bytes, telling: .emptied(cache: cache.key))
            }
        case .tenant(let tenant):
            let current = self.layout.keys(of: tenant)
            let registered = try await self.registered(tenant)
            for keys in current + registered.filter({ !current.contains($0) }) {
                if !dryRun { try await self.forgetDecisions(keys) }
                try await removal.removeAll(
                    of: nil, in: keys, epoch: Array(Self.tenantEpoch.utf8), telling: .emptiedTenant)
            }
        }
        try await self.coherence?.settle(removal.announcements)
        return RemovalResult(count: removal.count, sample: removal.sample)
    }
}

/// A removal on its way, in as many scripts as it takes. Each advances the epoch: whoever keeps an answer that was read after
/// the last of them has read it when all were done.
private struct Removal {
    let store: RedisVectorStore
    let isDryRun: Bool
    let now: Timestamp
    private(set) var count = 0
    private(set) var sample: [EntryID] = []
    /// What others were told, and have acknowledged or not.
    private(set) var announcements: [Announcement] = []
    /// Changes whose acknowledgements are listened to, also those that failed.
    private(set) var expected: [ChangeID] = []

    init(store: RedisVectorStore, isDryRun: Bool, now: Timestamp) {
        self.store = store
        self.isDryRun = isDryRun
        self.now = now
    }

    /// Removes entries by id; those of other caches are left alone.
    mutating func remove(_ ids: [EntryID], of cache: CacheScope) async throws(VectorStoreError) {
        let shards = self.store.layout.keys(of: cache.tenant)
        let grouped = Dictionary(grouping: Set(ids)) { self.store.layout.shard(of: $0) }
        for (shard, keys) in shards.enumerated() {
            var rest = (grouped[shard] ?? [])[...]
            while !rest.isEmpty {
                let chunk = Array(rest.prefix(Limits.redisRemovalChunk))
                rest = rest.dropFirst(chunk.count)
                // Their blobs say which partitions they are of.
                var homes: [[UInt8]: [EntryID]] = [:]
                let heads = try await self.store.client.reply(
                    to: self.store.scripts.heads, on: keys, others: []
                ) { command in
                    for id in chunk { command.append(id.bytes) }
                }
                for (id, value) in zip(chunk, try RESPReader.array(heads)) {
                    guard let header = try? EntryBlob.header(try RESPReader.bytes(value)) else { continue }
                    homes[header.partition, default: []].append(id)
                }
                for (name, ids) in homes {
                    let home = PartitionKeys(name, in: keys)
                    let descriptor = try await self.store.descriptors(of: [name], in: keys)[0]
                    try await self.run(
                        self.all, ids.map { ($0, []) }, in: home, identity: descriptor?.identity,
                        cache: cache.key.bytes, telling: .removed(ids, cache: cache.key))
                }
                // All of them: memory may have one that is not stored any more.
                try await self.advance(cache.key.bytes, in: keys, telling: .removed(chunk, cache: cache.key))
            }
            if grouped[shard] == nil { try await self.advance(cache.key.bytes, in: keys) }
        }
    }

    mutating func remove(_ ids: [EntryID], in partition: Partition) async throws(VectorStoreError) {
        let grouped = Dictionary(grouping: Set(ids)) { self.store.layout.shard(of: $0) }
        for (shard, home) in self.store.layout.homes(of: partition).enumerated() {
            var rest = (grouped[shard] ?? [])[...]
            // Also where there are none: the epoch advances.
            repeat {
                let chunk = rest.prefix(Limits.redisRemovalChunk)
                rest = rest.dropFirst(chunk.count)
                let cache = partition.cache.key
                try await self.run(
                    self.all, chunk.map { ($0, []) }, in: home, identity: partition.identity, cache: cache.bytes,
                    telling: chunk.isEmpty ? nil : .removed(Array(chunk), cache: cache))
            } while !rest.isEmpty
        }
    }

    mutating func remove(
        around center: Embedding, _ similarity: Float, in partition: Partition
    ) async throws(VectorStoreError) {
        try RedisVectorStore.checkUnitLength(center)
        let homes = self.store.layout.homes(of: partition)
        var count = 1024
        while true {
            let search = IndexSearch(embedding: center, count: count, effort: .exhaustive, condition: nil)
            let hits = try await self.store.search(search, in: homes, identity: partition.identity)
            let inside = hits.prefix { $0.similarity >= similarity }
            if inside.count < hits.count || hits.count < count {
                try await self.remove(inside.map(\.id), in: partition)
                // Memory may have some that are not stored any more.
                let cache = partition.cache.key
                for home in homes {
                    try await self.advance(cache.bytes, in: home.tenant, telling: .emptied(cache: cache))
                }
                return
            }
            count *= 8
        }
    }

    /// Removes what a filter takes. The index names candidates; each is judged by its attributes, and removed if it is
    /// still the one that was judged.
    mutating func remove(_ filter: MetadataFilter, of cache: CacheScope) async throws(VectorStoreError) {
        let sieve = Sieve(supersetOf: filter, numbers: self.store.index.numbers)
        for keys in self.store.layout.keys(of: cache.tenant) {
            var position: [UInt8]?
            repeat {
                let names = try await self.store.directory(of: cache.key, in: keys, after: position)
                for descriptor in try await self.store.descriptors(of: names, in: keys) {
                    guard let descriptor else { continue }
                    let home = PartitionKeys(PartitionKeys.name(of: descriptor.partition), in: keys)
                    var ids = try await self.store.index.entries(
                        passing: sieve, in: home, identity: descriptor.identity)[...]
                    while !ids.isEmpty {
                        let chunk = Array(ids.prefix(Limits.redisRemovalChunk))
                        try await self.remove(chunk, taken: filter, in: home, descriptor)
                        ids = ids.dropFirst(chunk.count)
                    }
                }
                position = names.last
            } while position != nil
            try await self.advance(cache.key.bytes, in: keys, telling: .emptied(cache: cache.key))
        }
    }

    private mutating func remove(
        _ candidates: [EntryID], taken filter: MetadataFilter, in home: PartitionKeys, _ descriptor: PartitionDescriptor
    ) async throws(VectorStoreError) {
        let shards = [TenantKeys](repeating: home.tenant, count: self.store.configuration.shards)
        var unsure = candidates
        // Once more for those that were replaced in between, and so on.
        while !unsure.isEmpty {
            var chosen: [(EntryID, [UInt8])] = []
            for (id, blob) in zip(unsure, try await self.store.blobs(of: unsure, in: shards)) {
                // One that cannot be read is answered to nobody, and must not keep the others.
                guard let blob, let entry = try? EntryBlob.decode(blob, id: id),
                    let token = try? EntryBlob.header(blob).token
                else { continue }
                if filter.matches(entry.attributes) { chosen.append((id, token)) }
            }
            if chosen.isEmpty { return }
            unsure = try await self.run(
                self.all, chosen, in: home, identity: descriptor.identity, cache: descriptor.cacheKey.bytes)
        }
    }

    /// - Parameter cache: All of the tenant's if `nil`.
    mutating func removeAll(
        of cache: Digest?, in keys: TenantKeys, epoch: [UInt8], telling news: StoreNews
    ) async throws(VectorStoreError) {
        var position: [UInt8]?
        repeat {
            let names = try await self.store.directory(of: cache, in: keys, after: position)
            for (name, descriptor) in zip(names, try await self.store.descriptors(of: names, in: keys)) {
                let home = PartitionKeys(Array(name.suffix(32)), in: keys)
                if self.isDryRun {
                    try await self.countLive(in: home)
                } else {
                    try await self.drop(home, identity: descriptor?.identity, epoch: epoch)
                }
            }
            position = names.last
        } while position != nil
        try await self.advance(epoch, in: keys, telling: news)
    }

    private mutating func drop(
        _ home: PartitionKeys, identity: Digest?, epoch: [UInt8]
    ) async throws(VectorStoreError) {
        while true {
            var command = RedisCommand("ZRANGE", on: home.expiries, isRepeatable: true)
            for argument in ["0", "\(Limits.redisRemovalChunk - 1)"] { command.append(argument) }
            let ids = try RESPReader.ids(try await self.store.client.reply(to: command))
            if ids.isEmpty { return }
            try await self.run(.partition, ids.map { ($0, []) }, in: home, identity: identity, epoch: epoch)
        }
    }

    private mutating func countLive(in home: PartitionKeys) async throws(VectorStoreError) {
        var count = RedisCommand("ZCOUNT", on: home.expiries, isRepeatable: true)
        var some = RedisCommand("ZRANGEBYSCORE", on: home.expiries, isRepeatable: true)
        for argument in ["(\(self.now.milliseconds)", "+inf"] {
            count.append(argument)
            some.append(argument)
        }
        for argument in ["LIMIT", "0", "\(Limits.maximumSampleIDs)"] { some.append(argument) }
        let replies = await self.store.client.replies(to: [count, some])
        self.note(
            try RESPReader.count(try replies[0].get()), try RESPReader.ids(try replies[1].get()))
    }

    private mutating func advance(
        _ epoch: [UInt8], in keys: TenantKeys, telling news: StoreNews? = nil
    ) async throws(VectorStoreError) {
        if self.isDryRun { return }
        try await self.run(
            self.all, [], in: PartitionKeys([], in: keys), identity: nil, epoch: epoch, telling: news)
    }

    private var all: RemovalScript.Mode { self.isDryRun ? .dry : .all }

    /// - Parameters:
    ///   - cache: The cache that entries must be of, whose epoch advances; any if `nil`.
    ///   - epoch: Which one advances, without a cache.
    ///   - news: What others are told.
    /// - Returns: Those that have another token.
    @discardableResult
    private mutating func run(
        _ mode: RemovalScript.Mode, _ chosen: [(EntryID, [UInt8])], in home: PartitionKeys, identity: Digest?,
        cache: [UInt8]? = nil, epoch: [UInt8] = [], telling news: StoreNews? = nil
    ) async throws(VectorStoreError) -> [EntryID] {
        var removal = RemovalScript(
            mode: mode, epoch: cache ?? epoch, cache: cache ?? [], home: home, identity: identity)
        if let news, !self.isDryRun { removal.message = self.store.telling(news) }
        if let message = removal.message { self.expected.append(message.change) }
        let outcome = try await self.store.run(removal, chosen, at: self.now)
        if let message = removal.message, let witnesses = outcome.witnesses {
            self.announcements.append(Announcement(message.change, in: home.tenant, witnesses))
        }
        self.note(outcome.count, outcome.sample)
        return outcome.changed
    }

    private mutating func note(_ count: Int, _ ids: [EntryID]) {
        self.count += count
        self.sample += ids.prefix(Limits.maximumSampleIDs - self.sample.count)
    }
}
