// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import NIOCore
import RedisClient

extension RedisVectorStore {
    /// Reads a tenant's accounts, less what has expired and was not swept yet.
    package func sizes(
        of tenant: TenantScope, identities: Set<Digest>, at now: Timestamp
    ) async throws(VectorStoreError) -> TenantSize {
        let current = self.layout.keys(of: tenant)
        var sizes = Sizes()
        for keys in current {
            let account = try await self.account(of: keys)
            try sizes.add(account, tenant: tenant, identities: identities)
            for expired in try await self.expired(of: keys, at: now) {
                sizes.subtract(expired, tenant: tenant, identities: identities)
            }
        }
        // Of another layout, or of another number of shards: no request finds them.
        for keys in try await self.registered(tenant) where !current.contains(keys) {
            var command = RedisCommand("HGET", on: keys.account, isRepeatable: true)
            command.append("n")
            let reply = try await self.client.reply(to: command)
            if case .null = reply { continue }
            let entries = try RESPReader.count(reply)
            sizes.entries += entries
            sizes.orphans += entries
        }
        return sizes.result
    }

    /// The prefixes under which a tenant's entries are or were.
    func registered(_ tenant: TenantScope) async throws(VectorStoreError) -> [TenantKeys] {
        let key = TenantRegister.prefixes(of: tenant.tenant)
        let command = RedisCommand("SMEMBERS", on: key, isRepeatable: true)
        return try RESPReader.array(try await self.client.reply(to: command)).map { value throws(VectorStoreError) in
            TenantKeys(prefix: RedisKey(Array(try RESPReader.bytes(value).readableBytesView)))
        }
    }

    private struct Expired {
        let home: PartitionDescriptor
        var entries = 0
        var bytes = 0
        var responseBytes = 0
    }

    private func expired(of keys: TenantKeys, at now: Timestamp) async throws(VectorStoreError) -> [Expired] {
        var sums: [Expired] = []
        // All of them: nothing is taken from this list while it is read, but by a sweep.
        let names = try await self.members(of: keys.due, upTo: now, limit: -1).map { Array($0.readableBytesView) }
        for start in stride(from: 0, to: names.count, by: Limits.redisPartitionPage) {
            let page = Array(names[start..<min(names.count, start + Limits.redisPartitionPage)])
            for (name, descriptor) in zip(page, try await self.descriptors(of: page, in: keys)) {
                guard let descriptor else { continue }
                sums.append(try await self.expired(in: PartitionKeys(name, in: keys), descriptor, at: now))
            }
        }
        return sums
    }

    private func expired(
        in home: PartitionKeys, _ descriptor: PartitionDescriptor, at now: Timestamp
    ) async throws(VectorStoreError) -> Expired {
        var sum = Expired(home: descriptor)
        var looked = 0
        while true {
            let reply = try await self.client.reply(
                to: self.scripts.measure, on: home.tenant, others: [home.expiries]
            ) { command in
                command.append(home.name)
                command.append(now.milliseconds)
                command.append(Int64(looked))
                command.append(Int64(Limits.redisRemovalChunk))
            }
            let numbers = try RESPReader.array(reply).map { value throws(VectorStoreError) in
                try RESPReader.count(value)
            }
            guard numbers.count == 4 else { throw RESPReader.unexpected }
            sum.entries += numbers[1]
            sum.bytes += numbers[2]
            sum.responseBytes += numbers[3]
            looked += numbers[0]
            if numbers[0] < Limits.redisRemovalChunk { return sum }
        }
    }

    private struct Account {
        /// Fields and values in turn.
        let fields: [RESPValue]
        let names: [RESPValue]
    }

    private func account(of keys: TenantKeys) async throws(VectorStoreError) -> Account {
        let replies = await self.client.replies(
            to: [keys.account, keys.cacheNames].map { RedisCommand("HGETALL", on: $0, isRepeatable: true) })
        return Account(
            fields: try RESPReader.array(try replies[0].get()), names: try RESPReader.array(try replies[1].get()))
    }

    private struct Sizes {
        var entries = 0
        var bytes = 0
        var orphans = 0
        var caches: [Digest: (name: String, entries: Int, responseBytes: Int)] = [:]

        var result: TenantSize {
            // Below zero where something expired between two of the readings.
            let caches = self.caches.values.filter { $0.entries > 0 }.map {
                CacheSize(cache: $0.name, entries: $0.entries, responseBytes: max(0, $0.responseBytes))
            }
            return TenantSize(
                caches: caches, entries: max(0, self.entries), bytes: max(0, self.bytes),
                orphanedEntries: max(0, self.orphans))
        }

        mutating func add(_ account: Account, tenant: TenantScope, identities: Set<Digest>) throws(VectorStoreError) {
            var names: [Digest: String] = [:]
            for (key, name) in try Self.pairs(account.names) {
                guard let cache = Digest(bytes: key.readableBytesView) else { throw RESPReader.unexpected }
                names[cache] = String(buffer: try RESPReader.bytes(name))
            }
            for (field, value) in try Self.pairs(account.fields) {
                let field = Array(field.readableBytesView)
                let number = try RESPReader.count(value)
                switch field {
                case [UInt8(ascii: "n")]: self.entries += number
                case [UInt8(ascii: "b")]: self.bytes += number
                default:
                    guard field.count == PartitionDescriptor.ownerBytes + 1, let cache = Digest(bytes: field[0..<32]),
                        let model = Digest(bytes: field[32..<64])
                    else { throw RESPReader.unexpected }
                    // One whose key is another under the scheme in force is not found by requests.
                    let name = names[cache].flatMap { CacheScope($0, of: tenant).key == cache ? $0 : nil }
                    let isCount = field[64] == UInt8(ascii: "n")
                    if isCount, name == nil || !identities.contains(model) { self.orphans += number }
                    guard let name else { continue }
                    self.caches[cache, default: (name, 0, 0)].entries += isCount ? number : 0
                    self.caches[cache]?.responseBytes += isCount ? 0 : number
                }
            }
        }

        mutating func subtract(_ expired: Expired, tenant: TenantScope, identities: Set<Digest>) {
            let cache = expired.home.cacheKey
            self.entries -= expired.entries
            self.bytes -= expired.bytes
            let isCurrent = CacheScope(expired.home.cacheName, of: tenant).key == cache
            if !isCurrent || !identities.contains(expired.home.identity) { self.orphans -= expired.entries }
            self.caches[cache]?.entries -= expired.entries
            self.caches[cache]?.responseBytes -= expired.responseBytes
        }

        private static func pairs(_ flat: [RESPValue]) throws(VectorStoreError) -> [(ByteBuffer, RESPValue)] {
            guard flat.count.isMultiple(of: 2) else { throw RESPReader.unexpected }
            return try stride(from: 0, to: flat.count, by: 2).map { position throws(VectorStoreError) in
                (try RESPReader.bytes(flat[position]), flat[position + 1])
            }
        }
    }
}
