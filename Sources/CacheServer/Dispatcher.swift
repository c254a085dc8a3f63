// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Synchronization

/// Carries out requests, whatever protocol brought them.
package final class Dispatcher: Sendable {
    package let engine: CacheEngine
    /// Whether figures of the whole process are told: they say something of every tenant.
    private let tellsProcess: Bool
    /// Connections that are open now.
    private let connections = Atomic<Int>(0)

    /// - Parameter tellsProcess: Only where there is one tenant.
    package init(engine: CacheEngine, tellsProcess: Bool) {
        self.engine = engine
        self.tellsProcess = tellsProcess
    }

    /// Whether a tenant may ask now. Comes before all work, so that a flood costs next to nothing.
    ///
    /// - Parameter bytes: Of the request.
    /// - Throws: ``CacheError`` with `.permissionDenied` or `.resourceExhausted`. If it does not, the call has begun, and
    ///   ``TenantAccount/endCall()`` must follow.
    package func admit(
        _ request: ServiceRequest, of tenant: Tenant, roles: Roles, bytes: Int
    ) throws(CacheError) {
        // Whoever may not call at all pays for asking as well.
        if case .ping = request {} else { try tenant.admit(bytes: bytes, at: self.engine.now) }
        try roles.permit(request, of: tenant)
        try tenant.beginCall()
    }

    package func dispatch(
        _ request: ServiceRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async throws(CacheError) -> ServiceResponse {
        switch request {
        case .lookup(let lookup):
            return .lookup(try await self.engine.lookup(lookup, scope: scope, by: deadline))
        case .store(let store):
            return .store(try await self.engine.store(store, scope: scope, by: deadline))
        case .invalidate(let invalidate):
            return .invalidate(try await self.engine.invalidate(invalidate, scope: scope, by: deadline))
        case .stats(let cache):
            var statistics = try await self.engine.statistics(cache: cache, scope: scope)
            if self.tellsProcess {
                self.engine.addProcess(to: &statistics)
                statistics.connections = UInt64(self.connections.load(ordering: .relaxed))
            }
            return .stats(statistics)
        case .export(let export):
            return .export(try await self.engine.export(export, scope: scope))
        case .ping:
            return .ping(serverVersion: ServiceVersion.current)
        }
    }

    /// The answer to a request that has run out of time.
    package func late(_ request: ServiceRequest, scope: TenantScope) -> Result<ServiceResponse, CacheError> {
        do throws(CacheError) {
            guard case .lookup(let lookup) = request else {
                throw CacheError(.deadlineExceeded, "the deadline passed; what the call changes may still be changed")
            }
            return .success(.lookup(try self.engine.lateOutcome(lookup, scope: scope)))
        } catch {
            return .failure(error)
        }
    }

    /// - Returns: How many are open, with this one.
    func connectionOpened() -> Int { self.connections.add(1, ordering: .relaxed).newValue }
    func connectionClosed() { self.connections.subtract(1, ordering: .relaxed) }
}
