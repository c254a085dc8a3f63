// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import NIOCore
import RedisClient

extension RedisVectorStore {
    package func scan(_ query: ScanQuery, at now: Timestamp) async throws(VectorStoreError) -> ScanPage {
        var scan = CacheScan(store: self, query: query, now: now)
        let isDone = try await scan.readPartitions()
        return ScanPage(entries: scan.entries, next: isDone ? nil : scan.reached)
    }

    /// Reads some of a cache's partitions, in order: cache key and name, as the directory has them.
    ///
    /// - Parameters:
    ///   - cache: All of the tenant's if `nil`.
    ///   - position: The last that was read before.
    func directory(
        of cache: Digest?, in keys: TenantKeys, after position: [UInt8]?
    ) async throws(VectorStoreError) -> [[UInt8]] {
        let low = position.map { [UInt8(ascii: "(")] + $0 } ?? cache.map { [UInt8(ascii: "[")] + $0.bytes }
        // Names are hexadecimal digits: all come before a "g".
        let high = cache.map { [UInt8(ascii: "[")] + $0.bytes + [UInt8(ascii: "g")] }
        return try await self.client.members(
            of: keys.directory, from: low, through: high, limit: Limits.redisPartitionPage
        ).map { Array($0.readableBytesView) }
    }

    /// - Parameter names: As ``directory(of:in:after:)`` returns them.
    func descriptors(
        of names: [[UInt8]], in keys: TenantKeys
    ) async throws(VectorStoreError) -> [PartitionDescriptor?] {
        if names.isEmpty { return [] }
        var command = RedisCommand("HMGET", on: keys.partitions, isRepeatable: true)
        for name in names { command.append(Array(name.suffix(32))) }
        let values = try RESPReader.array(try await self.client.reply(to: command))
        return try values.map { value throws(VectorStoreError) in
            guard let encoded = try RESPReader.bytesIfAny(value) else { return nil }
            do throws(EntryBlob.Damaged) {
                return try PartitionDescriptor(encoded)
            } catch {
                throw VectorStoreError(.corrupt, "a partition in Redis is damaged, or of a newer version")
            }
        }
    }
}

/// One call's share of a scan of a cache: partitions in the order of their names, entries in the order of their ids. Neither
/// changes while an entry stays, even where it is replaced.
private struct CacheScan {
    let store: RedisVectorStore
    let query: ScanQuery
    let now: Timestamp
    /// In each shard.
    let shards: [TenantKeys]
    var entries: [ExportedEntry] = []
    /// Everything up to here is in a page, or is not meant.
    var reached: ScanPosition?
    /// What the page may still take.
    private var bytes = Limits.maximumExportPageBytes
    /// How many entries and partitions may still be looked at.
    private var examinations = Limits.maximumExportExamined

    init(store: RedisVectorStore, query: ScanQuery, now: Timestamp) {
        self.store = store
        self.query = query
        self.now = now
        self.shards = store.layout.keys(of: query.plain.cache.tenant)
        self.reached = query.position
    }

    private var isPageFull: Bool {
        self.entries.count >= self.query.count || self.bytes <= 0 || self.examinations <= 0
    }

    /// - Returns: Whether there are no more.
    mutating func readPartitions() async throws(VectorStoreError) -> Bool {
        let cache = self.query.plain.cache.key
        var last: [UInt8]?
        if let begun = self.query.position?.partition {
            let name = cache.bytes + PartitionKeys.name(of: begun)
            if let descriptor = try await self.descriptors(of: [name])[0] {
                guard try await self.readEntries(of: descriptor) else { return false }
            }
            self.reached = ScanPosition(endOf: begun)
            last = name
        }
        while true {
            var names: Set<[UInt8]> = []
            for keys in self.shards {
                names.formUnion(try await self.store.directory(of: cache, in: keys, after: last))
            }
            if names.isEmpty { return true }
            // Each shard has named as many: the first of all of them are certain, what comes behind is not.
            let page = names.sorted { $0.lexicographicallyPrecedes($1) }.prefix(Limits.redisPartitionPage)
            for (name, descriptor) in zip(page, try await self.descriptors(of: Array(page))) {
                if self.isPageFull { return false }
                self.examinations -= 1
                last = name
                guard let descriptor else { continue }
                if descriptor.identity == self.query.plain.identity {
                    guard try await self.readEntries(of: descriptor) else { return false }
                }
                self.reached = ScanPosition(endOf: descriptor.partition)
            }
        }
    }

    /// Of any shard that has it.
    private func descriptors(of names: [[UInt8]]) async throws(VectorStoreError) -> [PartitionDescriptor?] {
        var found = [PartitionDescriptor?](repeating: nil, count: names.count)
        for keys in self.shards {
            for (position, descriptor) in try await self.store.descriptors(of: names, in: keys).enumerated() {
                found[position] = found[position] ?? descriptor
            }
        }
        return found
    }

    /// - Returns: Whether the partition has no more.
    private mutating func readEntries(of home: PartitionDescriptor) async throws(VectorStoreError) -> Bool {
        let name = PartitionKeys.name(of: home.partition)
        while true {
            let last = self.reached.flatMap { $0.partition == home.partition ? $0.id : nil }
            let limit = min(Limits.redisScanStretch, max(1, self.examinations))
            var ids: [EntryID] = []
            for keys in self.shards {
                ids += try await self.store.client.ids(after: last, in: PartitionKeys(name, in: keys), limit: limit)
            }
            ids = Array(ids.sorted { ($0.high, $0.low) < ($1.high, $1.low) }.prefix(limit))
            if ids.isEmpty { return true }
            self.examinations -= ids.count
            for (id, blob) in zip(ids, try await self.store.blobs(of: ids, in: self.shards)) {
                if self.entries.count == self.query.count { return false }
                if let entry = try self.entry(id, blob, of: home) {
                    let bytes = entry.replyBytes
                    if bytes > self.bytes && !self.entries.isEmpty { return false }
                    self.entries.append(entry)
                    self.bytes -= bytes
                }
                self.reached = ScanPosition(partition: home.partition, id: id)
            }
            if ids.count < limit { return true }
            if self.isPageFull { return false }
        }
    }

    /// - Returns: `nil` if it is not there any more, or is not meant.
    private func entry(
        _ id: EntryID, _ blob: ByteBuffer?, of home: PartitionDescriptor
    ) throws(VectorStoreError) -> ExportedEntry? {
        guard let blob else { return nil }
        let entry = try RedisVectorStore.reading(id) { () throws(EntryBlob.Damaged) in
            try EntryBlob.decode(blob, id: id)
        }
        guard entry.expiresAt > self.now, self.query.filter?.matches(entry.attributes) ?? true else { return nil }
        return ExportedEntry(entry: entry, vary: home.vary, context: home.context)
    }
}
