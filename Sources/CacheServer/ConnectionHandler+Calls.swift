// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheWire
import NIOCore

extension ConnectionHandler {
    func callReceived(_ call: Call, bytes: Int) throws(WireError) {
        switch self.state.call(call.id) {
        case .closeWithError(let error): throw error
        case .refuse(let error): self.refuse(call, error)
        case .start(let serial):
            switch call.request {
            case .failure(let error): self.refuse(call, self.charged(bytes) ?? error)
            case .success(let request):
                do throws(CacheError) {
                    let tenant = try self.admit(request, tenant: call.tenant, bytes: bytes)
                    self.start(
                        call, request, of: tenant, serial: serial, bytes: bytes)
                } catch {
                    self.refuse(call, error)
                }
            }
        }
    }

    /// Answers a call that is not begun.
    private func refuse(_ call: Call, _ error: CacheError) {
        var method: ServiceMethod?
        if case .success(let request) = call.request { method = request.method }
        self.refuse(call.id, Question(method, from: CallOrigin(.native, traceparent: call.traceparent)), error)
    }

    /// - Parameter id: 0 if it is not known.
    func refuse(_ id: UInt64, _ question: Question, _ error: CacheError) {
        self.dispatcher.answered(question, .failure(error))
        self.send(.reply(Reply(id: id, result: .failure(error))))
    }

    /// Counts a request that cannot be served against its tenant's rate: making them is not free either.
    ///
    /// - Returns: Why it is refused, if it is for its rate or size.
    private func charged(_ bytes: Int) -> CacheError? {
        do throws(CacheError) {
            guard self.session?.isGateway == false else { return nil }
            try self.session?.tenant(naming: nil).admit(bytes: bytes, at: self.dispatcher.engine.now)
            return nil
        } catch {
            return error
        }
    }

    private func admit(
        _ request: ServiceRequest, tenant name: String?, bytes: Int
    ) throws(CacheError) -> Tenant {
        guard let roles = self.session?.principal.roles, let tenant = try self.session?.tenant(naming: name) else {
            throw CacheError(.unauthenticated, "a credential is needed")
        }
        try self.dispatcher.admit(request, of: tenant, roles: roles, bytes: bytes)
        return tenant
    }

    private func start(
        _ call: Call, _ request: ServiceRequest, of tenant: Tenant, serial: UInt64, bytes: Int
    ) {
        guard let context = self.context, let executor = self.executor else { return tenant.account.endCall() }
        let scope = tenant.scope
        let id = call.id
        let allowed = min(call.deadline ?? Limits.defaultDeadline, Limits.maximumDeadline)
        let origin = CallOrigin(.native, traceparent: call.traceparent)
        let question = Question(request.method, from: origin, of: scope)
        let instant = question.arrival + allowed
        let isolated = context.eventLoop.assumeIsolated()
        // The caller's answer does not depend on whether what it waits for can be interrupted.
        let timer = isolated.scheduleTask(in: TimeAmount(allowed)) {
            self.answer(id, serial: serial, self.dispatcher.late(request, scope: scope))
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let dispatcher = self.dispatcher
        // Unstructured: it is awaited by nobody and owned by the connection's state, which cancels it when the call is
        // given up or the connection ends, and counts it until it does.
        let task = Task(executorPreference: executor) {
            let result = await dispatcher.dispatch(request, scope: scope, by: instant, from: origin)
            tenant.account.endCall()
            bound.value.finish(id, serial: serial, bytes: bytes, result)
        }
        self.state.started(id, serial: serial, bytes: bytes, Work(task: task, deadline: timer, question: question))
    }

    private func finish(
        _ id: UInt64, serial: UInt64, bytes: Int, _ result: Result<ServiceResponse, CacheError>
    ) {
        self.answer(id, serial: serial, result)
        switch self.state.ended(bytes: bytes) {
        case .none: break
        case .resumeReading: self.resumeReading()
        case .linger:
            self.linger()
            // What waited behind it for its slot is to be refused, not lost.
            self.resumeReading()
        }
    }

    /// Answers a call unless that has been done; whatever else would have answered it is stopped.
    ///
    /// - Parameter serial: Of the call that is meant; `nil` for the one that has the id now.
    func answer(_ id: UInt64, serial: UInt64? = nil, _ result: Result<ServiceResponse, CacheError>) {
        guard let work = self.state.answer(id, serial: serial) else { return }
        work.deadline.cancel()
        work.task.cancel()
        var result = result
        if self.isOverfull {
            switch result {
            case .success(.lookup(.hit)), .success(.export), .success(.embed), .success(.labels):
                result = .failure(CacheError(.resourceExhausted, "too many replies wait to be read; read them first"))
            default: break
            }
        }
        self.dispatcher.answered(work.question, result)
        self.send(.reply(Reply(id: id, result: result)))
    }

    /// Stops what nobody is to get an answer of any more.
    func giveUpCalls() {
        for work in self.state.closed() {
            work.deadline.cancel()
            work.task.cancel()
            self.dispatcher.answered(work.question, .failure(CacheError(.cancelled, "the connection is gone")))
        }
    }
}
