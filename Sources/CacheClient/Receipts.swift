// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What a store did.
public struct StoreReceipt: Sendable, Hashable {
    /// The entry, such as for its invalidation.
    public let entryID: CacheEntryID
    /// With the jitter that the cache adds.
    public let expiresAt: CacheInstant
    /// Until when it is served as stale after that; the same as ``expiresAt`` if not at all.
    public let staleUntil: CacheInstant
    /// Whether the same prompt was stored already.
    public let isReplacement: Bool
}

/// What an invalidation removed, or would remove.
public struct InvalidationReceipt: Sendable, Hashable {
    /// Entries that were removed, or would be.
    public let count: Int
    /// Some of the entries' ids.
    public let sample: [CacheEntryID]
    /// Whether nothing was removed because only a count was asked for.
    public let isDryRun: Bool
}

/// The answer to a ping.
public struct ServerPing: Sendable, Hashable {
    /// The version of the service, not of the protocol.
    public let serverVersion: String
    /// From the call to its answer; the first of a client includes connecting.
    public let roundTrip: Duration
}

extension StoreReceipt {
    init(_ outcome: StoreOutcome) {
        self.entryID = CacheEntryID(outcome.id)
        self.expiresAt = CacheInstant(outcome.freshUntil)
        self.staleUntil = CacheInstant(outcome.expiresAt)
        self.isReplacement = outcome.isReplacement
    }
}

extension InvalidationReceipt {
    init(_ outcome: InvalidateOutcome) {
        self.count = outcome.count
        self.sample = outcome.sample.map { CacheEntryID($0) }
        self.isDryRun = outcome.isDryRun
    }
}
