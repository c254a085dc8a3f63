// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Keeps entries and their vectors, and finds them by id and by nearness.
///
/// No method can be called without a ``TenantScope``: it is in the ``Partition`` and the ``CacheScope``. Entry and index
/// change together or not at all. What has expired at `now` is in no result.
package protocol VectorStore: FillLeases, DecisionRecords {
    /// Gets an entry by id.
    ///
    /// - Throws: ``VectorStoreError``; never for "not there".
    func entry(_ id: EntryID, in partition: Partition, at now: Timestamp) async throws(VectorStoreError) -> CacheEntry?

    /// Finds the entries nearest to a vector, exactly: those of highest similarity among all that reach the threshold.
    ///
    /// - Throws: ``VectorStoreError``; never for "nothing found".
    func nearest(_ query: NearestQuery, in partition: Partition, at now: Timestamp)
        async throws(VectorStoreError) -> NearestResult

    /// Stores an entry in place of the one with its id, durably when it returns.
    ///
    /// Where the tenant's quota is full, its least valuable entries go in the same change, never another tenant's.
    /// Expired ones are the least valuable; then those that were not served for the longest time (storing counts as
    /// serving): what was asked for lately is what will be asked for again, and nothing else is known of every entry.
    ///
    /// The time of the change is that of the entry's creation: by it the store tells what has expired.
    ///
    /// - Parameters:
    ///   - embedding: Of the dimension of the partition's embedding identity.
    ///   - quota: Of the partition's tenant.
    ///   - lease: Under which it is done, or not at all. It ends the lease on the entry in any case, when it is done.
    ///   - deadline: Whoever asked knows by then that it failed, and may go by that: a store whose changes can lie
    ///     somewhere on the way must not do it later.
    /// - Throws: ``VectorStoreError`` with `.overQuota` if the entry alone is larger than the quota, `.aborted` if the lease has
    ///   ended or is void.
    func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition, quota: StoreQuota, lease: LeaseToken?,
        by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> PutResult

    /// Notes that an entry was served from elsewhere, which makes it more valuable. Never waits; need not be durable.
    func touch(_ id: EntryID, in partition: Partition, at now: Timestamp)

    /// Removes what the selector names, durably when it returns, without a limit on how many.
    func remove(_ selector: RemovalSelector, dryRun: Bool, at now: Timestamp)
        async throws(VectorStoreError) -> RemovalResult

    /// Reads some of a cache's entries, in an order of the store's own that no change of them changes: whoever goes on
    /// from ``ScanPage/next`` until there is none sees no entry twice and misses none that was there all the time, even
    /// if the store was closed in between. One call reads little, so as not to keep other readers waiting.
    ///
    /// - Throws: ``VectorStoreError``; never for "nothing there".
    func scan(_ query: ScanQuery, at now: Timestamp) async throws(VectorStoreError) -> ScanPage

    /// Sizes of a tenant's caches.
    ///
    /// - Parameter identities: Of the models in use; entries of others are orphans.
    func sizes(of tenant: TenantScope, identities: Set<Digest>, at now: Timestamp)
        async throws(VectorStoreError) -> TenantSize

    /// Reads how often a cache was changed, for whoever keeps answers of its own.
    ///
    /// - Throws: ``VectorStoreError``; never for a cache that is not there.
    func version(of cache: CacheScope) async throws(VectorStoreError) -> CacheVersion

    /// Memory of vectors and their index, bytes.
    var indexBytes: Int { get }

    /// What it is built on, as OpenTelemetry names it (`db.system.name`); `nil` if that has no name.
    var systemName: String? { get }
}

extension VectorStore {
    package var systemName: String? { nil }

    /// Stores an entry, however long it takes.
    package func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition, quota: StoreQuota,
        lease: LeaseToken? = nil
    ) async throws(VectorStoreError) -> PutResult {
        try await self.put(
            entry, embedding: embedding, in: partition, quota: quota, lease: lease, by: .now + Limits.maximumDeadline)
    }

    /// Stores an entry without a lease.
    package func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition, quota: StoreQuota,
        by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> PutResult {
        try await self.put(
            entry, embedding: embedding, in: partition, quota: quota, lease: nil, by: deadline)
    }
}

/// What a tenant may store.
package struct StoreQuota: Sendable, Hashable {
    package static let unlimited = Self(entries: nil, bytes: nil)

    /// At least 1.
    package let entries: Int?
    /// Of ``CacheEntry/quotaBytes(dimensions:)``.
    package let bytes: Int?

    package init(entries: Int?, bytes: Int?) {
        self.entries = entries
        self.bytes = bytes
    }
}

package struct PutResult: Sendable, Equatable {
    /// Whether there was a live entry with the id.
    package let isReplacement: Bool
    /// What went to make room: entries of the same tenant, of any of its caches.
    package let evicted: [Evicted]

    package struct Evicted: Sendable, Equatable {
        package let id: EntryID
        package let cache: Digest

        package init(id: EntryID, cache: Digest) {
            self.id = id
            self.cache = cache
        }
    }

    package init(isReplacement: Bool, evicted: [Evicted] = []) {
        self.isReplacement = isReplacement
        self.evicted = evicted
    }
}

package enum RemovalSelector: Sendable {
    /// Those of the cache; others are left alone.
    case ids([EntryID], in: CacheScope)
    case entry(EntryID, in: Partition)
    case radius(Embedding, similarity: Float, in: Partition)
    /// Those of the cache, in all of its partitions, that the filter takes.
    case filter(MetadataFilter, in: CacheScope)
    case cache(CacheScope)
    /// All of the tenant's, those of older key schemes too.
    case tenant(TenantScope)
}

extension RemovalSelector {
    package var tenant: TenantScope {
        switch self.scope {
        case .cache(let cache): cache.tenant
        case .tenant(let tenant): tenant
        }
    }

    /// What it cannot reach beyond.
    package enum Scope: Sendable, Hashable {
        case cache(CacheScope)
        case tenant(TenantScope)
    }

    package var scope: Scope {
        switch self {
        case .ids(_, in: let cache), .filter(_, in: let cache), .cache(let cache): .cache(cache)
        case .entry(_, in: let partition), .radius(_, similarity: _, in: let partition): .cache(partition.cache)
        case .tenant(let tenant): .tenant(tenant)
        }
    }
}

package struct RemovalResult: Sendable, Equatable {
    package let count: Int
    /// At most ``Limits/maximumSampleIDs``.
    package let sample: [EntryID]

    package init(count: Int, sample: [EntryID]) {
        self.count = count
        self.sample = sample
    }
}

/// Sizes of what a tenant has stored; expired entries do not count.
package struct TenantSize: Sendable, Equatable {
    /// Caches that have live entries.
    package let caches: [CacheSize]
    package let entries: Int
    /// What the byte quota counts.
    package let bytes: Int
    /// Live entries that no request finds: of an older key scheme, or of another model than the given one.
    package let orphanedEntries: Int

    package init(caches: [CacheSize], entries: Int, bytes: Int, orphanedEntries: Int) {
        self.caches = caches
        self.entries = entries
        self.bytes = bytes
        self.orphanedEntries = orphanedEntries
    }
}

package struct CacheSize: Sendable, Equatable {
    package let cache: String
    package let entries: Int
    package let responseBytes: Int

    package init(cache: String, entries: Int, responseBytes: Int) {
        self.cache = cache
        self.entries = entries
        self.responseBytes = responseBytes
    }
}

/// How often a cache was changed. Both numbers only grow, in the very change that they count, and outlive a restart of
/// the store and the removal of the tenant.
package struct CacheVersion: Sendable, Hashable {
    /// Removals from the cache or from its whole tenant, by whatever selector, found something or not. Dry runs, expiry
    /// and eviction do not count.
    package let epoch: UInt64
    /// Every put and removal of the tenant: at least one more after each.
    package let sequence: UInt64

    package init(epoch: UInt64, sequence: UInt64) {
        self.epoch = epoch
        self.sequence = sequence
    }
}

/// Why a store could not answer.
package struct VectorStoreError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case unavailable
        case overloaded
        /// An entry is larger than its tenant's quota, or what is known of decisions than its limit.
        case overQuota = "over_quota"
        /// The lease has ended, or was made void.
        case aborted
        /// The store's data is not as it must be.
        case corrupt
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(self.code.rawValue): \(self.message)" }
}
