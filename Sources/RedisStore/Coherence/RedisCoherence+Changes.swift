// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Logging
import NIOCore
import RedisClient

extension RedisCoherence {
    /// Returns when no replica serves any more what the changes have made false: each has said so, or its lease is over.
    ///
    /// - Parameter isRemoval: Whether the changes must outlive the server that made them.
    /// - Throws: ``VectorStoreError`` with `.unavailable` if that is not certain. The changes are made all the same.
    func settle(_ announcements: [Announcement], isRemoval: Bool) async throws(VectorStoreError) {
        defer { for announcement in announcements { self.acknowledgements.forget(announcement.change) } }
        var madeAt: ContinuousClock.Instant?
        if isRemoval {
            for announcement in announcements where announcement.witnesses.followers > 0 {
                try await self.confirm(announcement)
                // A server that was replaced may have granted leases, confirmed by this follower, until now.
                madeAt = .now
            }
        }
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
        if witnesses.eraAge < self.times.lease, ContinuousClock.now < graceEnd {
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

    /// Waits until a replica of the server, which may soon be in its place, has the change as well.
    private func confirm(_ announcement: Announcement) async throws(VectorStoreError) {
        let isConfirmed: Bool
        do throws(RedisError) {
            let address = try self.client.server(ofSlot: announcement.keys.prefix.slot)
            let confirmer = self.listener(at: address).0.confirmer
            let run = try await confirmer.send(
                Self.command(self.scripts.confirm, on: announcement.keys), by: self.deadline)
            // Of another server, or another life of it, it would say nothing of this change.
            isConfirmed =
                if run == .bytes(announcement.witnesses.run) { try await self.isFollowed(confirmer) } else { false }
        } catch {
            throw VectorStoreError(error)
        }
        guard isConfirmed else {
            throw VectorStoreError(.unavailable, "no replica of Redis has confirmed the removal in time")
        }
    }
}
