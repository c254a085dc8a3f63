// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// Says whose turn it is to make the answer to a prompt: of one entry at most one caller's at a time, whoever shares the
/// store. A lease ends by a put of its entry, by its release, or by its time.
///
/// Removals make leases void before they remove anything, and before they return: an answer that was made from what was
/// true before is not stored after. One of ids makes those of the ids void, there or not; any other, all of its cache or
/// tenant. Dry runs, expiry and eviction make none void.
package protocol FillLeases: Sendable {
    /// Whether other processes may hold leases too.
    var isShared: Bool { get }

    /// Asks for the lease on an entry.
    ///
    /// - Parameters:
    ///   - time: For which it is granted.
    ///   - seen: Creation of the live entry that the caller found there, and that will not do; `nil` if there was none.
    /// - Throws: ``VectorStoreError``; `.overloaded` if there are too many leases.
    func acquireLease(
        on id: EntryID, in partition: Partition, for time: Duration, seen: Timestamp?, at now: Timestamp
    ) async throws(VectorStoreError) -> LeaseGrant

    /// Lets a lease last from now on for a time, longer or shorter than what was left of it.
    ///
    /// - Returns: What is left of it.
    /// - Throws: ``VectorStoreError`` with `.aborted` if it has ended or is void.
    func extendLease(
        _ token: LeaseToken, in cache: CacheScope, for time: Duration
    ) async throws(VectorStoreError) -> Duration

    /// Gives a lease up.
    ///
    /// - Returns: Whether there was one.
    func releaseLease(_ token: LeaseToken, in cache: CacheScope) async throws(VectorStoreError) -> Bool
}

package enum LeaseGrant: Sendable, Equatable {
    case granted(LeaseToken, for: Duration)
    /// Another has it, for as long as this.
    case held(for: Duration)
    /// There is another entry than the one that was seen.
    case changed
}
