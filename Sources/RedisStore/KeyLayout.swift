// SPDX-License-Identifier: Apache-2.0

import CacheModel
package import RedisClient

// What lies where in Redis. All keys of a shard of a tenant have one hash tag, so that a script finds them in one slot:
//
//   semcache:1:{tag}:h             hash    entry id → blob (``EntryBlob``)
//   semcache:1:{tag}:m             hash    partition → descriptor (``PartitionDescriptor``)
//   semcache:1:{tag}:p             zset    cache key + partition, score 0: a cache's partitions in order
//   semcache:1:{tag}:a             hash    entries and bytes: of all, and of each cache and embedding identity
//   semcache:1:{tag}:c             hash    cache key → name
//   semcache:1:{tag}:d             zset    partition, by when something in it expires at the earliest
//   semcache:1:{tag}:e             hash    the sequence of changes, the epoch of each cache, voids of leases, number of the last
//                                          record of each cache; never removed
//   semcache:1:{tag}:b:<cache>     hash    partition + question → blocked pairs, one behind the other
//   semcache:1:{tag}:k             set     caches of which something is known (``DecisionScripts``)
//   semcache:1:{tag}:l:<cache>     list    the last records of decisions; their count is in `e`
//   semcache:1:{tag}:s:<cache>     string  what was learnt from records, behind the number of the last
//   semcache:1:{tag}:f:<entry>     lease on making an entry (``LeaseScripts``); expires
//   semcache:1:{tag}:r             hash    the register of replicas that may answer from memory (Coherence/)
//   semcache:1:{tag}:t             zset    tokens of puts, as long as they might be sent again
//   semcache:1:{tag}:x:<partition> zset    entry id, by expiry
//   semcache:1:{tag}:i:<partition> zset    entry id, score 0: a partition's entries in order
//   semcache:1:{tag}:u:<partition> zset    entry id, by last use
//   semcache:1:{tag}:v:<partition> vectors, of redis-vectorset
//   semcache:1:{tag}:q:<partition> hash    entry id → ``CompactVector``, of redis-vectorset with single bits
//   semcache-doc:1:<identity>:{tag}:<entry>  hash, of redis-search
//   semcache:vector:1:<digest>     a text's vector (``KeptVectorValue``), in any slot; expires
//
// Channels (sharded, so of the same slot): `semcache:1:{tag}:changes`, and `semcache:1:{tag}:acks:<replica>` of each.
//
// Besides, with tags of their own: `semcache:tenants`, the prefixes of all tenants, for whoever sweeps;
// `semcache:tenant:{…}`, those of one tenant; `semcache:layout`, which index the entries are in; `semcache:sweeper`.

/// The keys of one shard of a tenant.
package struct TenantKeys: Sendable, Hashable {
    /// Of this layout. A change of what lies where must change it, and read the older ones' accounts.
    package static let layoutVersion = 1

    /// `semcache:1:{tag}:`, where all of the shard's keys begin.
    package let prefix: RedisKey

    init(prefix: RedisKey) { self.prefix = prefix }

    /// - Parameter tag: Without braces.
    init(tag: String, layout: Int = Self.layoutVersion) {
        self.prefix = RedisKey("semcache:\(layout):{\(tag)}:")
    }

    /// The key that scripts are given; they derive all others from it.
    package var entries: RedisKey { self.key("h") }
    var partitions: RedisKey { self.key("m") }
    var directory: RedisKey { self.key("p") }
    var account: RedisKey { self.key("a") }
    var cacheNames: RedisKey { self.key("c") }
    var versions: RedisKey { self.key("e") }

    var register: RedisKey { self.key("r") }
    var due: RedisKey { self.key("d") }
    var tokens: RedisKey { self.key("t") }
    /// Caches of which something is known.
    var known: RedisKey { self.key("k") }
    func records(of cache: Digest) -> RedisKey { self.key("l:").appending(cache.bytes) }
    func snapshot(of cache: Digest) -> RedisKey { self.key("s:").appending(cache.bytes) }
    func blocks(of cache: Digest) -> RedisKey { self.key("b:").appending(cache.bytes) }
    func lease(on id: EntryID) -> RedisKey { self.key("f:").appending(id.bytes) }

    /// All that scripts change besides `entries`, but for what is a partition's.
    var declared: [RedisKey] {
        [
            self.partitions, self.directory, self.account, self.cacheNames, self.due, self.versions, self.tokens,
            self.register,
        ]
    }

    /// Where changes are told.
    var changes: [UInt8] { self.key("changes").bytes }
    /// Where a replica hears who has heard of its changes.
    func acknowledgements(of replica: ReplicaID) -> [UInt8] { self.key("acks:").bytes + replica.text }

    private func key(_ suffix: StaticString) -> RedisKey {
        self.prefix.appending(suffix.withUTF8Buffer { Array($0) })
    }
}

/// A partition in one shard of its tenant.
package struct PartitionKeys: Sendable, Hashable {
    package let tenant: TenantKeys
    /// 32 hexadecimal digits: the first half of the partition's digest.
    package let name: [UInt8]

    init(_ name: [UInt8], in tenant: TenantKeys) {
        self.tenant = tenant
        self.name = name
    }

    package var vectors: RedisKey { self.key("v:") }
    package var expiries: RedisKey { self.key("x:") }
    package var order: RedisKey { self.key("i:") }
    var compactVectors: RedisKey { self.key("q:") }
    var uses: RedisKey { self.key("u:") }

    /// All that scripts change besides `entries` and what is of the index.
    var declared: [RedisKey] { self.tenant.declared + [self.expiries, self.order, self.uses] }

    private func key(_ kind: StaticString) -> RedisKey {
        self.tenant.prefix.appending(kind.withUTF8Buffer { Array($0) } + self.name)
    }

    static func name(of partition: Digest) -> [UInt8] { EntryID(partition).text }
}

/// Where the entries of a tenant lie: in one slot, or spread over several.
struct KeyLayout: Sendable {
    /// 1…64.
    let shards: Int

    /// Does not depend on the version of the fingerprint scheme, so that what was stored under an older one is found
    /// again, to be counted and removed.
    static func tag(of tenant: TenantID) -> String {
        var hasher = SHA256Hasher()
        var text = "semcache tenant " + tenant.name
        text.withUTF8 { hasher.update(UnsafeRawBufferPointer($0)) }
        return EntryID(hasher.finish()).description
    }

    func keys(of tenant: TenantScope) -> [TenantKeys] {
        let tag = Self.tag(of: tenant.tenant)
        // The number is a part of the tag: after a change of it nothing of the old spreading is taken for the new.
        return self.shards == 1
            ? [TenantKeys(tag: tag)] : (0..<self.shards).map { TenantKeys(tag: "\(tag).\(self.shards).\($0)") }
    }

    /// A partition in each shard.
    func homes(of partition: Partition) -> [PartitionKeys] {
        let name = PartitionKeys.name(of: partition.key)
        return self.keys(of: partition.cache.tenant).map { PartitionKeys(name, in: $0) }
    }

    func home(of id: EntryID, in partition: Partition) -> PartitionKeys {
        self.homes(of: partition)[self.shard(of: id)]
    }

    /// Where the records of a cache's decisions are. They are one log, numbered by one counter, so they are in one slot; a
    /// cache has none of its own, so it is the first.
    func log(of cache: CacheScope) -> TenantKeys { self.keys(of: cache.tenant)[0] }

    func shard(of id: EntryID) -> Int { Int(id.low % UInt64(self.shards)) }
}
