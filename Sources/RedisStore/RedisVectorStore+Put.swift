// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import NIOCore
import RedisClient

extension RedisVectorStore {
    package func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition, quota: StoreQuota, lease: LeaseToken?,
        by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> PutResult {
        try Self.checkUnitLength(embedding)
        if let lease, lease.id != entry.id { throw .leaseIsOver }
        let part = StoreQuota(entries: self.part(of: quota.entries), bytes: self.part(of: quota.bytes))
        let quotaBytes = entry.quotaBytes(dimensions: embedding.dimensions)
        guard quotaBytes <= part.bytes ?? .max else {
            throw VectorStoreError(
                .overQuota, "the entry has \(quotaBytes) bytes, the quota of a shard is \(part.bytes ?? 0)")
        }
        try await self.index.prepare(partition.identity, dimensions: embedding.dimensions)
        // Before the fence, whose time runs.
        await self.coherence?.listen(to: partition.cache.tenant)
        let home = self.layout.home(of: entry.id, in: partition)
        let keys = home.tenant
        let time = min(deadline - .now, self.configuration.timeout)
        let fence = try await self.directory.fence(of: keys, tenant: partition.cache.tenant, in: time)
        let put = RedisChange(
            script: self.scripts.put, keys: keys,
            others: home.declared + [keys.lease(on: entry.id)]
                + self.index.keys(of: [entry.id], in: home, identity: partition.identity),
            fence: fence, time: time, gate: self.gate)
        // Drawn once: if it is sent again, it is the same put.
        let blob = EntryBlob.encode(
            entry, token: .random(in: .min ... .max), partition: home.name, dimensions: embedding.dimensions)
        let telling = self.telling(
            .stored(entry.id, partition: EntryID(partition.key), cache: partition.cache.key))
        defer { self.coherence?.acknowledgements.forget(telling.change) }
        let reply = try await self.run(put) { command in
            command.append(entry.createdAt.milliseconds)
            command.append(fence)
            command.append(home.name)
            command.append(entry.id.bytes)
            command.append(blob)
            command.append(embedding.values)
            command.append(self.index.extra(of: entry, embedding))
            command.append(PartitionDescriptor(partition).encoded())
            command.append(partition.cache.name)
            command.append(part.entries.map(String.init) ?? "")
            command.append(part.bytes.map(String.init) ?? "")
            command.append(Int64(Limits.maximumEvictionsPerPut))
            command.append(lease.map { Array($0.nonce) } ?? [])
            command.append(telling.encoded())
        }
        let (result, witnesses) = try self.result(ofPut: reply, keys)
        if let witnesses {
            // Else others would go on with an answer that this one replaces, or one whose removal they have not heard of.
            try await self.coherence?.settle([
                Announcement(telling.change, in: keys, witnesses, isAddition: !result.isReplacement)
            ])
        }
        return result
    }

    /// Each shard holds to its part.
    private func part(of whole: Int?) -> Int? {
        whole.map { max(1, ($0 - 1) / self.layout.shards + 1) }
    }

    /// What others are told of a change, whose acknowledgements are listened to from now on.
    func telling(_ news: StoreNews) -> ChangeMessage {
        guard let coherence else { return ChangeMessage(.none, by: ReplicaID(), news) }
        let message = ChangeMessage(.random(), by: coherence.replica, news)
        coherence.acknowledgements.expect(message.change)
        return message
    }

    private func result(
        ofPut reply: RESPValue, _ keys: TenantKeys
    ) throws(VectorStoreError) -> (PutResult, Witnesses?) {
        let parts = try RESPReader.array(reply)
        guard parts.count == 4 else { throw RESPReader.unexpected }
        self.directory.note(serverTime: try RESPReader.integer(parts[1]), of: keys)
        let evicted = try RESPReader.array(parts[2])
        guard evicted.count.isMultiple(of: 2) else { throw RESPReader.unexpected }
        var gone: [PutResult.Evicted] = []
        for position in stride(from: 0, to: evicted.count, by: 2) {
            // Of one whose partition was lost nobody knows the cache.
            guard let cache = Digest(bytes: try RESPReader.bytes(evicted[position]).readableBytesView) else { continue }
            gone.append(PutResult.Evicted(id: try RESPReader.id(evicted[position + 1]), cache: cache))
        }
        let result = PutResult(isReplacement: try RESPReader.integer(parts[0]) == 1, evicted: gone)
        return (result, try Witnesses(parts[3]))
    }
}

/// A script that changes something, but not after a time by the server's clock.
struct RedisChange {
    let script: RedisScript
    let keys: TenantKeys
    let others: [RedisKey]
    /// As ``TenantRegister/fence(of:in:)`` returned it just now; `nil` if it may be late.
    let fence: Int64?
    /// What the fence was made with.
    let time: Duration
    /// What it waits at; nothing if `nil`.
    let gate: ChangeGate?
}

extension RedisVectorStore {
    /// - Throws: ``VectorStoreError``. Nothing is changed any more when it is thrown: a server that hangs, or a connection
    ///   that was given up, may hold the change still, and what the caller changes next would be undone by it. (Of a task
    ///   that was cancelled nobody waits to hear.)
    func run(
        _ change: RedisChange, _ append: (inout RedisCommand) -> Void
    ) async throws(VectorStoreError) -> RESPValue {
        let end = ContinuousClock.now + change.time
        let result: Result<RESPValue, RedisError>
        if let gate = change.gate {
            result = try await gate.passing { await self.attempt(change, by: end, append) }
        } else {
            result = await self.attempt(change, by: end, append)
        }
        guard case .failure(let failure) = result else {
            do throws(RedisError) { return try result.get() } catch { throw VectorStoreError(error) }
        }
        // The server may be another one by now, or its clock may have been set.
        self.directory.forget(change.keys)
        if change.fence != nil, failure.mayHaveBeenExecuted { try? await Task.sleep(until: end) }
        throw VectorStoreError(failure)
    }

    private func attempt(
        _ change: RedisChange, by end: ContinuousClock.Instant, _ append: (inout RedisCommand) -> Void
    ) async -> Result<RESPValue, RedisError> {
        do throws(RedisError) {
            return .success(
                try await self.client.run(
                    change.script, key: change.keys.entries, others: change.others, within: end - .now, append: append))
        } catch {
            return .failure(error)
        }
    }
}
