// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
package import Logging
import Synchronization
import Tracing

/// Carries out requests, whatever protocol brought them.
package final class Dispatcher: Sendable {
    package let engine: CacheEngine
    let metrics = ServerMetrics()
    /// Whether calls leave spans.
    let isTracing: Bool
    /// Whether figures of the whole process are told: they say something of every tenant.
    private let tellsProcess: Bool
    private let logger: Logger?
    /// Of the last call that was logged.
    private let lastRequestID = Atomic<UInt64>(0)
    private let openConnections = Atomic<Int>(0)

    /// - Parameters:
    ///   - tellsProcess: Only where there is one tenant.
    ///   - isTracing: Whether there is a tracer.
    ///   - logger: Is told of each call at the level `debug`.
    package init(engine: CacheEngine, tellsProcess: Bool, isTracing: Bool = false, logger: Logger? = nil) {
        self.engine = engine
        self.logger = logger
        self.tellsProcess = tellsProcess
        self.isTracing = isTracing
    }

    /// Whether a tenant may ask now. Comes before all work, so that a flood costs next to nothing.
    ///
    /// - Parameter bytes: Of the request.
    /// - Throws: ``CacheError`` with `.permissionDenied` or `.resourceExhausted`. If it does not, the call has begun, and
    ///   ``TenantAccount/endCall()`` must follow.
    package func admit(
        _ request: ServiceRequest, of tenant: Tenant, roles: Roles, bytes: Int, from transport: CallOrigin.Transport
    ) throws(CacheError) {
        do throws(CacheError) {
            // Whoever may not call at all pays for asking as well.
            if case .ping = request {} else { try tenant.admit(bytes: bytes, at: self.engine.now) }
            try roles.permit(request, of: tenant)
            try tenant.beginCall()
        } catch {
            self.metrics.count(request, .failure(error), by: transport)
            throw error
        }
    }

    /// Carries out a call that was admitted.
    package func dispatch(
        _ request: ServiceRequest, scope: TenantScope, by deadline: ContinuousClock.Instant, from origin: CallOrigin
    ) async -> Result<ServiceResponse, CacheError> {
        let start = ContinuousClock.now
        let result =
            self.isTracing
            ? await self.traced(request, scope: scope, by: deadline, from: origin)
            : await self.result(request, scope: scope, by: deadline)
        let end = ContinuousClock.now
        // A call that was given up because its time was over has been answered with something else (``late(_:scope:)``).
        let isLate = Task.isCancelled && end >= deadline
        let answered = isLate ? .failure(CacheError(.deadlineExceeded, "")) : result
        self.metrics.count(request, answered, by: origin.transport)
        if let logger, logger.logLevel <= .debug { self.log(request, answered, end - start, origin, scope, to: logger) }
        return result
    }

    private func log(
        _ request: ServiceRequest, _ result: Result<ServiceResponse, CacheError>, _ duration: Duration,
        _ origin: CallOrigin, _ scope: TenantScope, to logger: Logger
    ) {
        var metadata: Logger.Metadata = [
            "request.id": "\(self.lastRequestID.add(1, ordering: .relaxed).newValue)",
            "request.kind": "\(request.method)", "request.protocol": "\(origin.transport.rawValue)",
            "tenant.id": "\(scope.tenant.name)", "duration_ms": "\(duration / .milliseconds(1))",
        ]
        if let trace = origin.traceID { metadata["trace.id"] = "\(trace)" }
        switch result {
        case .success(.lookup(let outcome)): metadata["outcome"] = "\(outcome.label)"
        case .success: break
        case .failure(let error): metadata["error.code"] = "\(error.code)"
        }
        logger.debug("call answered", metadata: metadata)
    }

    private func traced(
        _ request: ServiceRequest, scope: TenantScope, by deadline: ContinuousClock.Instant, from origin: CallOrigin
    ) async -> Result<ServiceResponse, CacheError> {
        var context = InstrumentationContext.topLevel
        InstrumentationSystem.instrument.extract(origin, into: &context, using: CallOriginExtractor())
        let span = startSpan("semcached.v1.SemanticCache/\(request.method)", context: context, ofKind: .server)
        span.updateAttributes { attributes in
            attributes["rpc.system"] = origin.transport.rawValue
            attributes["rpc.service"] = "semcached.v1.SemanticCache"
            attributes["rpc.method"] = request.method
        }
        let result = await InstrumentationContext.withValue(span.context) {
            await self.result(request, scope: scope, by: deadline)
        }
        switch result {
        case .success(.lookup(let outcome)): span.attributes["semcache.outcome"] = outcome.label
        case .success: break
        case .failure(let error):
            span.attributes["error.type"] = "\(error.code)"
            span.setStatus(SpanStatus(code: .error))
        }
        span.end()
        return result
    }

    private func result(
        _ request: ServiceRequest, scope: TenantScope, by deadline: ContinuousClock.Instant
    ) async -> Result<ServiceResponse, CacheError> {
        do throws(CacheError) {
            return .success(try await self.perform(request, scope: scope, by: deadline))
        } catch {
            return .failure(error)
        }
    }

    private func perform(
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
                statistics.connections = UInt64(max(0, self.connections))
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

    /// Connections of all listeners that are open now.
    package var connections: Int { self.openConnections.load(ordering: .relaxed) }

    package func connectionOpened() { self.openConnections.add(1, ordering: .relaxed) }
    package func connectionClosed() { self.openConnections.subtract(1, ordering: .relaxed) }
}

extension LookupOutcome {
    /// One of a closed set, for spans.
    fileprivate var label: String {
        switch self {
        case .hit(let hit): "\(hit.kind)"
        case .miss: "miss"
        case .bypass: "bypass"
        }
    }
}
