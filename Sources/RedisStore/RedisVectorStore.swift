// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Logging
import NIOCore
import RedisClient

/// The store that replicas share: entries in hashes of Redis, found by one of its kinds of index.
///
/// Every change is one script in one slot, so entry and index change together, and may be sent again: a put that was done
/// already is found by its token. What replies from an index name is only a hint: an entry is returned if its blob is
/// there, has not expired, is of the partition asked for and passes the filter.
package final class RedisVectorStore: VectorStore {
    package struct Configuration: Sendable {
        /// Slots over which a tenant's entries are spread, 1…64. All replicas must agree.
        package var shards: Int
        /// Between two sweeps of what has expired.
        package var sweepInterval: Duration
        /// Time in which a put must have been done by Redis, if its caller has more, or is not done at all.
        package var timeout: Duration
        /// Time for which a text's vector is kept.
        package var vectorTimeToLive: Duration
        /// Whether others may be on the same Redis, who keep answers in memory or tell us what they change.
        /// ``RedisVectorStore/coherence`` must be run then.
        package var isShared: Bool
        var times = RedisCoherence.Times()
        var maximumBlockedQuestions = Limits.maximumBlockedQuestions

        package init(
            shards: Int = 1, sweepInterval: Duration = .seconds(60), timeout: Duration = Limits.redisChangeDeadline,
            vectorTimeToLive: Duration = Limits.redisVectorTimeToLive, isShared: Bool = false
        ) {
            self.shards = shards
            self.timeout = timeout
            self.vectorTimeToLive = vectorTimeToLive
            self.isShared = isShared
            self.sweepInterval = sweepInterval
        }
    }

    let client: RedisClient
    let index: any VectorIndex
    let scripts: StoreScripts
    let layout: KeyLayout
    let configuration: Configuration
    let directory: TenantRegister
    let touches: TouchBuffer
    /// Found by an index, but without an entry.
    let strays: TouchBuffer
    let gate: ChangeGate
    /// What this replica has to do with others on the same Redis; `nil` for a store that is used by itself.
    package let coherence: RedisCoherence?
    let logger: Logger
    let clock: @Sendable () -> Timestamp

    init(
        client: RedisClient, index: any VectorIndex, configuration: Configuration, logger: Logger,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        let (layout, scripts) = (KeyLayout(shards: configuration.shards), StoreScripts(index: index.lua))
        self.client = client
        self.index = index
        self.scripts = scripts
        self.layout = layout
        self.coherence =
            configuration.isShared
            ? RedisCoherence(
                client: client, layout: layout, scripts: scripts, times: configuration.times, logger: logger) : nil
        self.configuration = configuration
        self.directory = TenantRegister(client: client)
        self.touches = TouchBuffer()
        self.strays = TouchBuffer()
        self.gate = ChangeGate(width: Limits.redisPutsAtOnce)
        self.logger = logger
        self.clock = clock
    }

    /// None of it is in this process.
    package var indexBytes: Int { 0 }

    package var systemName: String? { "redis" }

    package func entry(
        _ id: EntryID, in partition: Partition, at now: Timestamp
    ) async throws(VectorStoreError) -> CacheEntry? {
        let home = self.layout.home(of: id, in: partition)
        var command = RedisCommand("HGET", on: home.tenant.entries, isRepeatable: true)
        command.append(id.bytes)
        guard let blob = try RESPReader.bytesIfAny(try await self.client.reply(to: command)),
            let entry = try Self.liveEntry(id, blob, in: home, at: now)
        else { return nil }
        self.touches.note(id, in: home, at: now)
        return entry
    }

    package func touch(_ id: EntryID, in partition: Partition, at now: Timestamp) {
        self.touches.note(id, in: self.layout.home(of: id, in: partition), at: now)
    }

    /// - Returns: `nil` for one that has expired or is of another partition.
    static func liveEntry(
        _ id: EntryID, _ blob: ByteBuffer, in home: PartitionKeys, at now: Timestamp
    ) throws(VectorStoreError) -> CacheEntry? {
        try Self.reading(id) { () throws(EntryBlob.Damaged) -> CacheEntry? in
            let header = try EntryBlob.header(blob)
            guard header.partition == home.name, header.expiresAt > now else { return nil }
            return try EntryBlob.decode(blob, id: id)
        }
    }

    package func version(of cache: CacheScope) async throws(VectorStoreError) -> CacheVersion {
        var epoch: UInt64 = 0
        var sequence: UInt64 = 0
        let commands = self.layout.keys(of: cache.tenant).map { keys in
            var command = RedisCommand("HMGET", on: keys.versions, isRepeatable: true)
            command.append("sequence")
            command.append(Self.tenantEpoch)
            command.append(cache.key.bytes)
            return command
        }
        for reply in await self.client.replies(to: commands) {
            let fields = try RESPReader.array(try reply.get())
            guard fields.count == 3 else { throw RESPReader.unexpected }
            let numbers = try fields.map { field throws(VectorStoreError) in
                if case .null = field { return UInt64(0) }
                return UInt64(clamping: try RESPReader.integer(field))
            }
            sequence &+= numbers[0]
            epoch &+= numbers[1] &+ numbers[2]
        }
        return CacheVersion(epoch: epoch, sequence: sequence)
    }

    /// The epoch of all caches of a tenant; no digest, which have 32 bytes.
    static let tenantEpoch = "*"

    static func reading<Value>(
        _ id: EntryID, _ body: () throws(EntryBlob.Damaged) -> Value
    ) throws(VectorStoreError) -> Value {
        do throws(EntryBlob.Damaged) {
            return try body()
        } catch {
            throw VectorStoreError(.corrupt, "the entry \(id) in Redis is damaged, or of a newer version")
        }
    }

    static func checkUnitLength(_ embedding: Embedding) throws(VectorStoreError) {
        let square = embedding.values.reduce(Float(0)) { $0 + $1 * $1 }
        // False for what is not a number.
        guard abs(square - 1) <= 0.02 else { throw VectorStoreError(.corrupt, "the vector is not of unit length") }
    }
}
