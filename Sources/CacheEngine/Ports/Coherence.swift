// SPDX-License-Identifier: Apache-2.0

package import CacheModel
import Glibc
import Synchronization

/// What keeps replicas on one store from serving out of memory what another of them has changed.
package protocol Coherence: Sendable {
    /// The lease of a tenant, always the same one.
    func lease(of tenant: TenantScope) -> MemoryLease
}

/// Until when a replica may answer a tenant's lookups from memory.
///
/// Whoever grants it ends it, or lets it run out, before anybody is told that a change is everywhere.
package final class MemoryLease: Sendable {
    /// Of a store that nobody else changes.
    package static let permanent = MemoryLease(validUntil: .max, onUse: nil)

    /// By ``now``; in the past if it is not granted.
    private let validUntil: Atomic<Int64>
    private let isUsed = Atomic<Bool>(false)
    private let onUse: (@Sendable () -> Void)?

    /// - Parameter onUse: Called with the first use, and with the first after each ``takeUse()``.
    package convenience init(onUse: (@Sendable () -> Void)?) { self.init(validUntil: 0, onUse: onUse) }

    private init(validUntil: Int64, onUse: (@Sendable () -> Void)?) {
        self.validUntil = Atomic(validUntil)
        self.onUse = onUse
    }

    /// Whether memory may answer.
    ///
    /// - Parameter time: A reading of ``now`` after the request has come: so it was made before the answer can be false.
    package func permits(at time: Int64) -> Bool { self.validUntil.load(ordering: .acquiring) > time }

    package var permits: Bool { self.permits(at: Self.now) }

    /// Says that the tenant is in use, so that its lease is worth renewing.
    package func use() {
        guard let onUse, !self.isUsed.load(ordering: .relaxed) else { return }
        if !self.isUsed.exchange(true, ordering: .relaxed) { onUse() }
    }

    /// Whether it was used since this was last asked.
    package func takeUse() -> Bool { self.isUsed.exchange(false, ordering: .relaxed) }

    package func grant(until end: Int64) { self.validUntil.store(end, ordering: .releasing) }

    package func end() { self.validUntil.store(0, ordering: .releasing) }

    /// Nanoseconds of a clock that nobody sets and that goes on while the machine sleeps, as a lease does elsewhere.
    package static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
