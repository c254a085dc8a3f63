// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// The keys that were fetched last, and when to fetch again: decides, and does nothing itself.
///
/// Times are compared either way round: a clock that was set back by much makes keys old too, and callers that come at
/// once may have read it in another order.
struct KeySchedule {
    /// What is worth a line in the log.
    enum Change: Equatable {
        case fetched(keys: Int)
        /// With the number of keys that stay in force until they are too old.
        case failing(KeyFault, keys: Int)
    }

    private let refresh: Duration
    private var keys: [VerificationKey]?
    private var fetchedAt = Timestamp(milliseconds: 0)
    private var triedAt: Timestamp?
    /// What was last reported, while it goes on.
    private var trouble: Change?
    private var isExpired = false

    init(refresh: Duration) { self.refresh = refresh }

    /// - Returns: `nil` if there are none, or if they are too old.
    func keys(at now: Timestamp) -> [VerificationKey]? {
        guard let keys = self.keys, Self.areWithin(Limits.maximumKeyAge, now, self.fetchedAt) else { return nil }
        return keys
    }

    /// Whether a key is among those that were fetched last.
    func holds(_ key: Digest) -> Bool { self.keys?.contains { $0.digest == key } ?? false }

    func isFresh(at now: Timestamp) -> Bool {
        self.keys != nil && !self.isExpired && Self.areWithin(self.refresh, now, self.fetchedAt)
    }

    /// Takes note of a fetch that begins, unless it is too early for one.
    mutating func beginFetch(at now: Timestamp) -> Bool {
        let interval = self.keys(at: now) == nil ? Limits.keyFirstFetchInterval : Limits.keyFetchInterval
        if let triedAt, Self.areWithin(interval, now, triedAt) { return false }
        self.triedAt = now
        return true
    }

    /// - Parameter start: When the fetch began: what came is as old as that.
    /// - Returns: `nil` for what was so before.
    mutating func endFetch(_ result: Result<[VerificationKey], KeyFault>, begunAt start: Timestamp) -> Change? {
        switch result {
        case .success(let keys):
            let isNews = self.trouble != nil || self.keys == nil
            self.keys = keys
            self.fetchedAt = start
            self.trouble = nil
            self.isExpired = false
            return isNews ? .fetched(keys: keys.count) : nil
        case .failure(let fault):
            let trouble = Change.failing(fault, keys: self.keys(at: start)?.count ?? 0)
            defer { self.trouble = trouble }
            return self.trouble == trouble ? nil : trouble
        }
    }

    /// Makes the keys due for a fetch, whenever the last one was.
    mutating func expire() {
        self.isExpired = true
        self.triedAt = nil
    }

    private static func areWithin(_ interval: Duration, _ one: Timestamp, _ other: Timestamp) -> Bool {
        max(one, other) - min(one, other) < interval
    }
}
