// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import NIOCore
import RedisClient

/// Records and what was learnt from them are in the first shard of their tenant (``KeyLayout/log(of:)``); blocks are in
/// that of their question, where the question's own answer is looked for too.
extension RedisVectorStore {
    /// What a tenant that keeps answers of its own in memory must hear of, or not.
    private struct DecisionChange {
        let script: RedisScript
        let keys: TenantKeys
        let others: [RedisKey]
        /// What others are told, if they are.
        var message: ChangeMessage?
        /// Whether it is to be done also where the memory is full.
        var isUrgent = false
    }

    private func fence(
        of change: DecisionChange, _ tenant: TenantScope, by end: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> Int64 {
        do throws(VectorStoreError) {
            return try await self.directory.fence(of: change.keys, tenant: tenant, in: max(.zero, end - .now))
        } catch {
            guard change.isUrgent else { throw error }
        }
        // There may be no memory to register the tenant in. One that has entries is registered.
        return try await self.directory.fence(of: change.keys, in: max(.zero, end - .now))
    }

    /// - Returns: What the script says first.
    private func run(
        _ change: DecisionChange, of tenant: TenantScope, by deadline: ContinuousClock.Instant,
        _ append: (inout RedisCommand) -> Void
    ) async throws(VectorStoreError) -> Int64 {
        let keys = change.keys
        let end = min(deadline, .now + self.configuration.timeout)
        let fence = try await self.fence(of: change, tenant, by: end)
        // What is left of it.
        let time = max(.zero, end - .now)
        let reply = try await self.run(
            RedisChange(
                script: change.script, keys: keys, others: change.others + [keys.known, keys.register], fence: fence,
                time: time, gate: nil)
        ) { command in
            command.append(fence)
            append(&command)
        }
        let parts = try RESPReader.array(reply)
        guard parts.count == 3 else { throw RESPReader.unexpected }
        self.directory.note(serverTime: try RESPReader.integer(parts[1]), of: keys)
        if let witnesses = try Witnesses(parts[2]) {
            try await self.coherence?.settle([
                Announcement(
                    change.message?.change ?? .none, in: keys, witnesses, isAddition: change.message == nil)
            ])
        }
        return try RESPReader.integer(parts[0])
    }

    package func append(
        _ records: [[UInt8]], to cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> UInt64 {
        try VectorStoreError.check(records)
        if records.isEmpty { return try await self.records(of: cache, after: .max).last }
        let keys = self.layout.log(of: cache)
        // Drawn once: if it is sent again, it is the same.
        let token = EntryID(high: .random(in: .min ... .max), low: .random(in: .min ... .max))
        let change = DecisionChange(
            script: self.scripts.decisions.append, keys: keys,
            others: [keys.records(of: cache.key), keys.versions, keys.tokens])
        let last = try await self.run(change, of: cache.tenant, by: deadline) { command in
            command.append(cache.key.bytes)
            command.append(token.bytes)
            command.append(Int64(Limits.maximumDecisionRecords))
            for record in records { command.append(record) }
        }
        return UInt64(clamping: last)
    }

    package func records(
        of cache: CacheScope, after number: UInt64
    ) async throws(VectorStoreError) -> DecisionRecordPage {
        let keys = self.layout.log(of: cache)
        let reply = try await self.client.reply(
            to: self.scripts.decisions.read, on: keys, others: [keys.records(of: cache.key), keys.versions]
        ) { command in
            command.append(cache.key.bytes)
            // A number of Lua, of which there is one after it.
            command.append(Int64(min(number, 1 << 52)))
            command.append(Int64(Limits.maximumDecisionRecordPage))
        }
        let parts = try RESPReader.array(reply)
        guard parts.count == 3 else { throw RESPReader.unexpected }
        let records = try RESPReader.array(parts[1]).map { value throws(VectorStoreError) in
            Array(try RESPReader.bytes(value).readableBytesView)
        }
        return DecisionRecordPage(
            first: UInt64(clamping: try RESPReader.integer(parts[0])), records: records,
            last: UInt64(clamping: try RESPReader.integer(parts[2])))
    }

    package func snapshot(
        of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> DecisionSnapshot? {
        let key = self.layout.log(of: cache).snapshot(of: cache.key)
        var command = RedisCommand("GET", on: key, isRepeatable: true)
        command.timeout = max(.zero, min(deadline - .now, self.client.configuration.commandTimeout))
        let reply = try await self.client.reply(to: command)
        guard var bytes = try RESPReader.bytesIfAny(reply) else { return nil }
        guard let number = bytes.readInteger(as: UInt64.self) else {
            throw VectorStoreError(.corrupt, "what was learnt of a cache in Redis is damaged")
        }
        return DecisionSnapshot(upTo: number, bytes: Array(bytes.readableBytesView))
    }

    package func save(
        _ snapshot: DecisionSnapshot, of cache: CacheScope, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> Bool {
        try VectorStoreError.check(snapshot)
        let keys = self.layout.log(of: cache)
        let change = DecisionChange(
            script: self.scripts.decisions.save, keys: keys, others: [keys.snapshot(of: cache.key)])
        return try await self.run(change, of: cache.tenant, by: deadline) { command in
            command.append(cache.key.bytes)
            command.append(snapshot.upTo.bytes + snapshot.bytes)
        } == 1
    }

    package func block(
        _ pair: BlockedPair, in partition: Partition, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) {
        let cache = partition.cache
        // Before the fence, whose time runs.
        await self.coherence?.listen(to: cache.tenant)
        let keys = self.layout.home(of: pair.question, in: partition).tenant
        // As of the question's own answer: what memory has from this partition, and has it by meaning, ends with it.
        let telling = self.telling(
            .stored(pair.question, partition: EntryID(partition.key), cache: cache.key))
        defer { self.coherence?.acknowledgements.forget(telling.change) }
        let change = DecisionChange(
            script: self.scripts.decisions.block, keys: keys, others: [keys.blocks(of: cache.key)], message: telling,
            isUrgent: true)
        // Each shard holds to its part.
        let most = (self.configuration.maximumBlockedQuestions - 1) / self.layout.shards + 1
        let isBlocked = try await self.run(change, of: cache.tenant, by: deadline) { command in
            command.append(cache.key.bytes)
            command.append(Self.field(of: pair.question, in: partition))
            command.append(pair.bytes)
            command.append(Int64(Limits.maximumBlocksPerQuestion))
            command.append(Int64(most))
            command.append(telling.encoded())
        }
        if isBlocked != 1 {
            throw .tooManyBlockedQuestions(limit: self.configuration.maximumBlockedQuestions)
        }
    }

    package func blocks(of question: EntryID, in partition: Partition) async throws(VectorStoreError) -> [BlockedPair] {
        let keys = self.layout.home(of: question, in: partition).tenant
        var command = RedisCommand("HGET", on: keys.blocks(of: partition.cache.key), isRepeatable: true)
        command.append(Self.field(of: question, in: partition))
        guard let bytes = try RESPReader.bytesIfAny(try await self.client.reply(to: command)) else { return [] }
        guard let pairs = BlockedPair.pairs(of: question, Array(bytes.readableBytesView)) else {
            throw VectorStoreError(.corrupt, "the blocks of a question in Redis are damaged")
        }
        return pairs
    }

    private static func field(of question: EntryID, in partition: Partition) -> [UInt8] {
        EntryID(partition.key).bytes + question.bytes
    }

    package func assign(
        _ cluster: AnswerCluster, to entry: EntryID, in partition: Partition
    ) async throws(VectorStoreError) -> Bool {
        let home = self.layout.home(of: entry, in: partition)
        let change = DecisionChange(script: self.scripts.decisions.assign, keys: home.tenant, others: [])
        return try await self.run(
            change, of: partition.cache.tenant, by: .now + self.configuration.timeout
        ) { command in
            command.append(home.name)
            command.append(entry.bytes)
            command.append(cluster.bytes)
        } == 1
    }

    /// Removes all that is known of a shard's caches.
    func forgetDecisions(_ keys: TenantKeys) async throws(VectorStoreError) {
        let known = RedisCommand("SMEMBERS", on: keys.known, isRepeatable: true)
        let members = try RESPReader.array(try await self.client.reply(to: known))
        for start in stride(from: 0, to: members.count, by: Limits.redisRemovalChunk) {
            let page = members[start..<min(members.count, start + Limits.redisRemovalChunk)]
            let caches = try page.map { member throws(VectorStoreError) in
                guard let cache = Digest(bytes: try RESPReader.bytes(member).readableBytesView) else {
                    throw RESPReader.unexpected
                }
                return cache
            }
            let others = caches.flatMap { [keys.records(of: $0), keys.snapshot(of: $0), keys.blocks(of: $0)] }
            _ = try await self.client.reply(
                to: self.scripts.decisions.forget, on: keys, others: others + [keys.known]
            ) { command in
                for cache in caches { command.append(cache.bytes) }
            }
        }
    }
}
