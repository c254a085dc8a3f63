// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Keeps entries and their vectors, and finds them by id and by nearness.
///
/// No method can be called without a ``TenantScope``: it is in the ``Partition`` and the ``CacheScope``. Entry and index
/// change together or not at all. What has expired at `now` is in no result.
package protocol VectorStore: Sendable {
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
    /// - Parameter embedding: Of the dimension of the partition's embedding identity.
    /// - Returns: Whether there was one.
    func put(_ entry: CacheEntry, embedding: Embedding, in partition: Partition)
        async throws(VectorStoreError) -> Bool

    /// Removes what the selector names, durably when it returns, without a limit on how many.
    func remove(_ selector: RemovalSelector, dryRun: Bool, at now: Timestamp)
        async throws(VectorStoreError) -> RemovalResult

    /// Sizes of a tenant's caches.
    func sizes(of tenant: TenantScope, at now: Timestamp) async throws(VectorStoreError) -> [CacheSize]

    /// Memory of vectors and their index, bytes.
    var indexBytes: Int { get }
}

package struct NearestQuery: Sendable {
    package let embedding: Embedding
    /// 1…``Limits/maximumTopK``.
    package let count: Int
    /// Cosine, −1…1, inclusive.
    package let threshold: Float
    /// Entries created before are passed over, inside the search.
    package let createdAtOrAfter: Timestamp?

    package init(embedding: Embedding, count: Int, threshold: Float, createdAtOrAfter: Timestamp? = nil) {
        self.embedding = embedding
        self.count = count
        self.threshold = threshold
        self.createdAtOrAfter = createdAtOrAfter
    }
}

package struct NearestResult: Sendable {
    /// Best first; each reaches the threshold.
    package let matches: [LookupMatch]
    /// Without a match, the nearest that was passed over; `nil` if the partition is empty or none was seen.
    package let nearestMiss: NearestMiss?
    /// Whether `nearestMiss` reached the threshold but was too old.
    package let isNearestMissTooOld: Bool

    package init(matches: [LookupMatch], nearestMiss: NearestMiss? = nil, isNearestMissTooOld: Bool = false) {
        self.matches = matches
        self.nearestMiss = nearestMiss
        self.isNearestMissTooOld = isNearestMissTooOld
    }
}

package enum RemovalSelector: Sendable {
    /// Those of the cache; others are left alone.
    case ids([EntryID], in: CacheScope)
    case entry(EntryID, in: Partition)
    case radius(Embedding, similarity: Float, in: Partition)
    case cache(CacheScope)
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

/// Why a store could not answer.
package struct VectorStoreError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case unavailable
        case overloaded
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
