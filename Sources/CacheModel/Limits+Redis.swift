// SPDX-License-Identifier: Apache-2.0

/// Of stores in Redis.
extension Limits {
    /// Neighbours that a first search asks for. What lies behind one below the threshold cannot matter, and few entries
    /// reach it.
    package static let redisNeighbours = 16
    /// Candidates that a vector set keeps in mind while it searches (`EF`). At 100,000 entries it misses none
    /// of 1,705 answers above the threshold (`semcache-bench redis --recall`).
    package static let vectorSetEffort = 200
    /// Likewise, where the first search did not settle it.
    package static let vectorSetThoroughEffort = 500
    /// Terms of a filter that a vector set evaluates; beyond it parts of the filter are left to us. Each costs 0.3 µs for
    /// each entry that a search passes, whether or not it decides anything, and an exhaustive one passes all.
    /// While one does, a change of the same vector set waits for it, and all else waits for the change.
    package static let maximumVectorSetTerms = 8
    /// Likewise of `FT.SEARCH`, which looks a term up once: what a query of 100 KB has room for.
    package static let maximumSearchTerms = 4096
    /// Nodes that such a search visits for the sake of a filter before it gives up (`FILTER-EF`); an exhaustive one comes
    /// after it.
    package static let vectorSetFilterEffort = 4000
    /// Candidates that an HNSW index of redis-search keeps in mind while it searches (`EF_RUNTIME`). Of 50,000 real
    /// questions it found every neighbour above 0.85 among them.
    package static let searchEffort = 200
    /// Likewise, where the first search did not settle it.
    package static let searchThoroughEffort = 1000
    /// Longest time that a search may be told to take: Valkey's module refuses more.
    package static let maximumSearchTimeout = Duration.seconds(60)
    /// Ids of a partition read by one command, 16 bytes each.
    package static let searchPartitionPage = 10_000
    /// Time for a search that looks at every entry of a partition: 0.1 to 0.3 s at 100,000.
    package static let exhaustiveSearchDeadline = Duration.seconds(30)
    /// Puts that one service has sent to Redis and that are not done: enough to keep it busy. What it has been sent waits
    /// there, a millisecond for each put, and lookups wait behind it.
    package static let redisPutsAtOnce = 8
    /// Time for a change of Redis, if its caller has more: others' changes may be before it.
    package static let redisChangeDeadline = Duration.seconds(10)
    /// Entries that one script removes: some milliseconds in which Redis does nothing else.
    package static let redisRemovalChunk = 200
    /// Compact vectors read by one command: some hundred KiB.
    package static let compactVectorPage = 1024
    /// Partitions named by one command.
    package static let redisPartitionPage = 256
    /// Entries read by one command: at the largest, 32 MiB.
    package static let redisBlobPage = 16
    /// Entries read at once by a scan, or by a search most of whose candidates are refused.
    package static let redisScanStretch = 64
    /// Entries whose use is noted within an interval, of a process.
    package static let redisTouches = 8192
    /// Between two times that uses are written down.
    package static let redisTouchInterval = Duration.seconds(1)
    /// Time in which Redis must have given a text's vector: to compute it takes little longer.
    package static let redisVectorDeadline = Duration.milliseconds(100)
    /// Time for which it keeps one.
    package static let redisVectorTimeToLive = Duration.seconds(7 * 86_400)
    /// Between two times that a tenant is registered with whoever sweeps.
    package static let tenantRegisterInterval = Duration.seconds(60)

    // MARK: Replicas

    /// Time for which a replica may answer from memory without having heard from Redis; an Invalidate waits for a replica
    /// that does not answer at most as long.
    package static let memoryLease = Duration.seconds(3)
    /// What of it the replica uses: clocks may differ by up to 10 % in how fast they go.
    package static let memoryLeaseUse = Duration.milliseconds(2700)
    /// Between two renewals: two may be lost.
    package static let memoryLeaseRenewal = Duration.seconds(1)
    /// Time for which a tenant's lease is renewed though nobody asks for anything of it.
    package static let memoryLeaseIdle = Duration.seconds(60)
    /// Time in which Redis must have renewed one.
    package static let memoryLeaseDeadline = Duration.milliseconds(800)
    /// Time in which a replica of Redis must have confirmed that it has what was removed, ms.
    package static let redisConfirmationMilliseconds: Int64 = 500
    /// Time for which a replica that a server of Redis has lost counts: until then who replaced it is known everywhere.
    package static let redisFollowerMemory = Duration.seconds(20)
    /// Tenants whose leases are renewed at the same time.
    package static let memoryLeasesAtOnce = 128
    /// Time between two rounds of renewals, however many ask for one.
    package static let memoryLeasePause = Duration.milliseconds(20)
}
