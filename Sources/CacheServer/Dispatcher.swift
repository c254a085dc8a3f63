// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import CacheWire
package import CoreMetrics
package import Logging
import Synchronization
import Tracing

/// Carries out requests, whatever protocol brought them.
package final class Dispatcher: Sendable {
    package let engine: CacheEngine
    let metrics: ServerMetrics
    /// Whether calls leave spans.
    let isTracing: Bool
    /// Whether figures of the whole process are told: they say something of every tenant.
    private let tellsProcess: Bool
    private let logger: Logger?
    /// Of the last call that was logged.
    private let lastRequestID = Atomic<UInt64>(0)
    private let openConnections = Atomic<Int>(0)
    private let workingCalls = Atomic<Int>(0)

    /// - Parameters:
    ///   - tellsProcess: Only where there is one tenant.
    ///   - isTracing: Whether there is a tracer.
    ///   - logger: Is told of each call at the level `debug`.
    package init(
        engine: CacheEngine, tellsProcess: Bool, isTracing: Bool = false, logger: Logger? = nil,
        metrics: any MetricsFactory = MetricsSystem.factory
    ) {
        self.engine = engine
        self.metrics = ServerMetrics(metrics)
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
        _ request: ServiceRequest, of tenant: Tenant, roles: Roles, bytes: Int
    ) throws(CacheError) {
        // Whoever may not call at all pays for asking as well.
        if case .ping = request {} else { try tenant.admit(bytes: bytes, at: self.engine.now) }
        try roles.permit(request, of: tenant)
        try tenant.beginCall()
    }

    /// Carries out a call that was admitted.
    package func dispatch(
        _ request: ServiceRequest, scope: TenantScope, by deadline: ContinuousClock.Instant, from origin: CallOrigin
    ) async -> Result<ServiceResponse, CacheError> {
        self.workingCalls.add(1, ordering: .relaxed)
        defer { self.workingCalls.subtract(1, ordering: .relaxed) }
        return self.isTracing
            ? await self.traced(request, scope: scope, by: deadline, from: origin)
            : await self.result(request, scope: scope, by: deadline)
    }

    /// Counts a request, and logs it. To be told of each once, by whoever writes its answer: that is not always what the
    /// work for it came to.
    package func answered(_ question: Question, _ result: Result<ServiceResponse, CacheError>) {
        var code: CacheError.Code?
        if case .failure(let error) = result { code = error.code }
        self.metrics.count(question.method, code, by: question.origin.transport)
        if let logger, self.logsCalls { self.log(question, result, to: logger) }
    }

    /// Whether each call is a line of the log.
    var logsCalls: Bool { self.logger.map { $0.logLevel <= .debug } ?? false }

    private func log(
        _ question: Question, _ result: Result<ServiceResponse, CacheError>, to logger: Logger
    ) {
        let duration = ContinuousClock.now - question.arrival
        var metadata: Logger.Metadata = [
            "request.id": "\(self.lastRequestID.add(1, ordering: .relaxed).newValue)",
            "request.kind": "\(question.method?.rawValue ?? "unknown")",
            "request.protocol": "\(question.origin.transport.rawValue)",
            "duration_ms": "\(duration / .milliseconds(1))",
        ]
        if let tenant = question.tenant { metadata["tenant.id"] = "\(tenant.tenant.name)" }
        if let trace = question.origin.traceID { metadata["trace_id"] = "\(trace)" }
        switch result {
        case .success(.lookup(let outcome)): metadata["outcome"] = "\(outcome.label)"
        case .success: break
        case .failure(let error): metadata["error.code"] = "\(error.code.label)"
        }
        logger.debug("call answered", metadata: metadata)
    }

    private func traced(
        _ request: ServiceRequest, scope: TenantScope, by deadline: ContinuousClock.Instant, from origin: CallOrigin
    ) async -> Result<ServiceResponse, CacheError> {
        var context = InstrumentationContext.topLevel
        InstrumentationSystem.instrument.extract(origin, into: &context, using: CallOriginExtractor())
        let method = request.method
        let span = startSpan("\(method.service)/\(method.rawValue)", context: context, ofKind: .server)
        span.updateAttributes { attributes in
            attributes["rpc.system"] = origin.transport.rpcSystem
            attributes["rpc.service"] = method.service
            attributes["rpc.method"] = method.rawValue
        }
        let result = await InstrumentationContext.withValue(span.context) {
            await self.result(request, scope: scope, by: deadline)
        }
        switch result {
        case .success(.lookup(let outcome)): span.attributes["semcache.outcome"] = outcome.label
        case .success: break
        case .failure(let error):
            // Work that is given up because its time is over does not know why.
            let isLate = Task.isCancelled && ContinuousClock.now >= deadline
            span.attributes["error.type"] = (isLate ? .deadlineExceeded : error.code).label
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
        case .embed(let embed):
            return .embed(try await self.engine.embed(embed, scope: scope, by: deadline))
        case .lease(let lease):
            return .lease(try await self.engine.lease(lease, scope: scope))
        case .feedback(let feedback):
            return .feedback(try await self.engine.feedback(feedback, scope: scope, by: deadline))
        case .labels(let labels):
            return .labels(try await self.engine.labels(labels, scope: scope))
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

    /// Calls that are being worked on, whether or not somebody still waits for them.
    package var callsInWork: Int { self.workingCalls.load(ordering: .relaxed) }

    package func connectionOpened() { self.openConnections.add(1, ordering: .relaxed) }
    package func connectionClosed() { self.openConnections.subtract(1, ordering: .relaxed) }
}
