// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Logging
import NIOCore
import RedisClient

extension RedisCoherence {
    /// Returns when no replica serves any more what the changes have made false: each has said so, or its lease is over.
    ///
    /// - Throws: ``VectorStoreError`` with `.unavailable` if that is not certain. The changes are made all the same.
    func settle(_ announcements: [Announcement]) async throws(VectorStoreError) {
        defer { for announcement in announcements { self.acknowledgements.forget(announcement.change) } }
        let isFollowed = try await self.confirm(announcements)
        // A server that was replaced may have granted leases, confirmed by its followers, until now.
        let madeAt = isFollowed ? ContinuousClock.now : nil
        for announcement in announcements {
            await self.waitForOthers(announcement, madeAt: madeAt ?? announcement.witnesses.heardAt)
        }
        if let first = announcements.first { self.metrics.recordWait(.now - first.witnesses.heardAt) }
        if Task.isCancelled { throw VectorStoreError(.unavailable, "the call was given up") }
    }

    private func waitForOthers(_ announcement: Announcement, madeAt: ContinuousClock.Instant) async {
        let witnesses = announcement.witnesses
        let end = madeAt + self.times.lease
        let others = Set(witnesses.register.keys).subtracting([self.replica])
        if !others.isEmpty {
            let missing = await self.acknowledgements.wait(for: announcement.change, from: others, until: end)
            if !missing.isEmpty, ContinuousClock.now >= end { await self.strike(missing, announcement) }
        }
        // Who got a lease of the server before this one is not in its register.
        let graceEnd = madeAt + (self.times.lease - witnesses.eraAge)
        if !announcement.isAddition, witnesses.eraAge < self.times.lease, ContinuousClock.now < graceEnd {
            try? await Task.sleep(until: graceEnd, tolerance: .zero, clock: .continuous)
        }
    }

    /// Takes those out of the register who have let their leases run out, so that nobody waits for them again.
    private func strike(_ missing: Set<ReplicaID>, _ announcement: Announcement) async {
        self.logger.warning(
            "replicas did not hear of a change within their lease; it is over",
            metadata: ["replicas": "\(missing.count)"])
        self.metrics.countOverdue(missing.count)
        let gone = missing.map { ($0, announcement.witnesses.register[$0]) }
        // If it fails, the next change waits for them as well.
        _ = try? await self.client.send(self.strike(gone, in: announcement.keys))
    }

    /// Waits until all replicas of the server, one of which may soon be in its place, have the changes as well.
    ///
    /// - Returns: Whether there are any.
    private func confirm(_ announcements: [Announcement]) async throws(VectorStoreError) -> Bool {
        var isFollowed = false
        for (keys, some) in Dictionary(grouping: announcements, by: \.keys) {
            // The last one says it of those before it, if it was the same server all the time.
            guard let last = some.last?.witnesses else { continue }
            let followers = self.followers.required(last.followers, of: last.era)
            if followers == 0 { continue }
            isFollowed = true
            let isConfirmed: Bool
            do throws(RedisError) {
                isConfirmed =
                    some.allSatisfy { $0.witnesses.era == last.era }
                    ? try await self.isConfirmed(by: followers, of: last.era, in: keys) : false
            } catch {
                throw VectorStoreError(error)
            }
            guard isConfirmed else {
                throw VectorStoreError(.unavailable, "not all replicas of Redis have confirmed the change in time")
            }
        }
        return isFollowed
    }
}
