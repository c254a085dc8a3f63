// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import RedisClient

/// Leases are keys of Redis that expire by its clock. A failover may lose one that was granted just before: then two make
/// the same answer, and the store of the first is refused.
extension RedisVectorStore {
    package var isShared: Bool { true }

    package func acquireLease(
        on id: EntryID, in partition: Partition, for time: Duration, seen: Timestamp?, at now: Timestamp
    ) async throws(VectorStoreError) -> LeaseGrant {
        let home = self.layout.home(of: id, in: partition)
        // Drawn once: if it is sent again, it is the same lease.
        let token = LeaseToken(for: id)
        let reply: RESPValue
        do throws(VectorStoreError) {
            reply = try await self.client.reply(
                to: self.scripts.leases.acquire, on: home.tenant, others: Self.declared(id, in: home.tenant)
            ) { command in
                command.append(id.bytes)
                command.append(partition.cache.key.bytes)
                command.append(Array(token.nonce))
                command.append(max(1, time.wholeMilliseconds))
                command.append(home.name)
                command.append(seen.map { String($0.milliseconds) } ?? "")
                command.append(now.milliseconds)
            }
        } catch {
            // It may have been granted, and nobody would know of it until it ends. Unstructured, because the caller's task
            // may be cancelled; it ends with the command's own deadline.
            Task { _ = try? await self.releaseLease(token, in: partition.cache) }
            throw error
        }
        let parts = try RESPReader.array(reply)
        guard parts.count == 2 else { throw RESPReader.unexpected }
        let remaining = Duration.milliseconds(try RESPReader.count(parts[1]))
        switch try RESPReader.integer(parts[0]) {
        case 0: return .held(for: remaining)
        case 1: return .granted(token, for: remaining)
        case 2: return .changed
        default: throw RESPReader.unexpected
        }
    }

    package func extendLease(
        _ token: LeaseToken, in cache: CacheScope, for time: Duration
    ) async throws(VectorStoreError) -> Duration {
        guard let id = token.id else { throw .leaseIsOver }
        let keys = self.layout.keys(of: cache.tenant)[self.layout.shard(of: id)]
        let reply = try await self.client.reply(
            to: self.scripts.leases.extend, on: keys, others: Self.declared(id, in: keys)
        ) { command in
            Self.append(token, id, cache, to: &command)
            command.append(max(1, time.wholeMilliseconds))
        }
        return .milliseconds(try RESPReader.count(reply))
    }

    package func releaseLease(_ token: LeaseToken, in cache: CacheScope) async throws(VectorStoreError) -> Bool {
        guard let id = token.id else { return false }
        let keys = self.layout.keys(of: cache.tenant)[self.layout.shard(of: id)]
        let reply = try await self.client.reply(
            to: self.scripts.leases.release, on: keys, others: Self.declared(id, in: keys)
        ) { command in
            Self.append(token, id, cache, to: &command)
            command.append(ChangeMessage(.none, by: self.coherence?.replica ?? ReplicaID(), .released(id)).encoded())
        }
        return try RESPReader.integer(reply) == 1
    }

    /// Makes void what a removal must. To be called before it begins: a lease that is granted from then on is one on what is
    /// true after whatever made the removal necessary.
    func voidLeases(_ selector: RemovalSelector) async throws(VectorStoreError) {
        switch selector {
        case .ids(let ids, let cache): try await self.voidLeases(on: ids, of: cache)
        case .entry(let id, let partition): try await self.voidLeases(on: [id], of: partition.cache)
        case .radius(_, _, let partition):
            try await self.voidAllLeases("cache", partition.cache.key, partition.cache.tenant)
        case .filter(_, let cache), .cache(let cache): try await self.voidAllLeases("cache", cache.key, cache.tenant)
        case .tenant(let tenant): try await self.voidAllLeases("tenant", nil, tenant)
        }
    }

    private func voidLeases(on ids: [EntryID], of cache: CacheScope) async throws(VectorStoreError) {
        let shards = self.layout.keys(of: cache.tenant)
        for (shard, ids) in Dictionary(grouping: Set(ids), by: { self.layout.shard(of: $0) }) {
            var rest = ids[...]
            while !rest.isEmpty {
                let chunk = rest.prefix(Limits.redisRemovalChunk)
                rest = rest.dropFirst(chunk.count)
                let leases = chunk.map { shards[shard].lease(on: $0) }
                _ = try await self.client.reply(
                    to: self.scripts.leases.void, on: shards[shard], others: leases + [shards[shard].versions]
                ) { command in
                    command.append("ids")
                    command.append(cache.key.bytes)
                    for id in chunk { command.append(id.bytes) }
                }
            }
        }
    }

    private func voidAllLeases(
        _ kind: String, _ cache: Digest?, _ tenant: TenantScope
    ) async throws(VectorStoreError) {
        for keys in self.layout.keys(of: tenant) {
            _ = try await self.client.reply(to: self.scripts.leases.void, on: keys, others: [keys.versions]) {
                command in
                command.append(kind)
                command.append(cache?.bytes ?? [])
            }
        }
    }

    private static func declared(_ id: EntryID, in keys: TenantKeys) -> [RedisKey] {
        [keys.lease(on: id), keys.versions]
    }

    private static func append(
        _ token: LeaseToken, _ id: EntryID, _ cache: CacheScope, to command: inout RedisCommand
    ) {
        command.append(id.bytes)
        command.append(cache.key.bytes)
        command.append(Array(token.nonce))
    }
}
