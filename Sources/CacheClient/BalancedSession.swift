// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore
import OpenSSLTLS

/// Several servers: carries out what the ``Balancer`` decides. Confined to its event loop, as are all of its sessions.
///
/// Here a call has one place at which it is answered, whatever its servers do: where the machine takes it out.
final class BalancedSession {
    typealias Call = PendingCall<CallContext>

    private let eventLoop: any EventLoop
    private let sessions: [ClientSession]
    private var machine: Balancer<CallContext>
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?

    init(_ configuration: ClientConfiguration, _ tls: RenewedTLSContext?, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        // The client refuses each call if there are more than it can have.
        let addresses = configuration.addresses.prefix(ClientLimits.maximumEndpoints)
        self.sessions = addresses.map { ClientSession(configuration, $0, tls, eventLoop: eventLoop) }
        self.machine = Balancer(
            Balancer.Policy(
                retriesLostCalls: configuration.retriesLostCalls,
                waitsForConnection: configuration.waitsForConnection,
                handoverPatience: TimeAmount(bounded: configuration.handoverPatience),
                hedgeDelay: configuration.hedgeDelay.map { TimeAmount(bounded: $0) },
                maximumWaitingCalls: configuration.maximumWaitingCalls,
                ejection: Backoff(minimum: configuration.minimumBackoff, maximum: configuration.maximumBackoff),
                budget: configuration.retryBudget),
            endpoints: self.sessions.count, seed: .random(in: 0...UInt64.max))
        for (endpoint, session) in self.sessions.enumerated() { session.join(self, as: endpoint) }
    }

    func process(_ items: [CallInbox.Item]) {
        let now = NIODeadline.now()
        var touched: UInt64 = 0
        for item in items {
            switch item {
            case .call(let call):
                let request = call.context.request
                self.perform(
                    self.machine.submit(
                        call, isRepeatable: request.isRepeatable, isHedgeable: request.isHedgeable, at: now),
                    at: now, &touched)
            case .cancel(let id):
                guard let (call, endpoints) = self.machine.cancel(id, at: now) else { continue }
                for endpoint in endpoints { self.sessions[endpoint].cancel(id) }
                call.finish(.failure(.cancelled))
            case .close(let done): self.close(done)
            }
        }
        self.flush(touched, at: now)
        self.setTimer()
    }

    private func close(_ done: CheckedContinuation<Void, Never>?) {
        self.perform(self.machine.close())
        var open = self.sessions.count
        for session in self.sessions {
            // Keeps this until nothing can come from any of them.
            session.close {
                open -= 1
                guard open == 0 else { return }
                self.timer?.task.cancel()
                self.timer = nil
                done?.resume()
            }
        }
    }

    private func perform(_ actions: Balancer<CallContext>.Actions) {
        let now = NIODeadline.now()
        var touched: UInt64 = 0
        self.perform(actions, at: now, &touched)
        self.flush(touched, at: now)
        self.setTimer()
    }

    /// - Parameter touched: Gets the sessions that have something to send.
    private func perform(
        _ actions: Balancer<CallContext>.Actions, at now: NIODeadline, _ touched: inout UInt64
    ) {
        for (call, error) in actions.failures { call.finish(.failure(error)) }
        for (id, endpoint) in actions.cancels { self.sessions[endpoint].cancel(id) }
        for (call, endpoint) in actions.sends {
            self.sessions[endpoint].submit(call, at: now)
            touched |= 1 << UInt64(endpoint)
        }
        for endpoint in actions.connects { self.sessions[endpoint].connectAhead(at: now) }
    }

    /// Many calls are one write to each server.
    private func flush(_ touched: UInt64, at now: NIODeadline) {
        var rest = touched
        while rest != 0 {
            self.sessions[rest.trailingZeroBitCount].sendWaitingCalls(at: now)
            rest &= rest - 1
        }
    }

    // MARK: For the sessions

    /// A server has answered a call, or it could not be sent there, or time is up.
    func callEnded(_ id: UInt64, _ result: Result<ServiceResponse, CacheClientError>, at endpoint: Int) {
        switch result {
        case .success:
            guard let (call, others) = self.machine.answered(id, by: endpoint, at: .now()) else { return }
            call.finish(result)
            for other in others { self.sessions[other].cancel(id) }
        case .failure(let error):
            self.perform(self.machine.failed(id, at: endpoint, error, at: .now()))
        }
    }

    /// A server that is about to stop did not begin a call.
    func callGivenBack(_ id: UInt64, _ error: CacheClientError, by endpoint: Int) {
        self.perform(self.machine.returned([id], from: endpoint, error, at: .now()))
    }

    func connectionReady(_ endpoint: Int) {
        self.perform(self.machine.connectionReady(endpoint, at: .now()))
    }

    func connectionDraining(_ endpoint: Int, retryAt: NIODeadline?, unsent: [Call]) {
        self.perform(
            self.machine.connectionDraining(endpoint, retryAt: retryAt, unsent: unsent.map { $0.id }, at: .now()))
    }

    func connectionEnded(
        _ endpoint: Int, _ fault: ConnectionFault, retryAt: NIODeadline?, inFlight: [Call], unsent: [Call]
    ) {
        self.perform(
            self.machine.connectionEnded(
                endpoint, fault, retryAt: retryAt, inFlight: inFlight.map { $0.id }, unsent: unsent.map { $0.id },
                at: .now()))
    }

    /// A connection that only finished what it had ended before it was done.
    func drainingConnectionEnded(_ endpoint: Int, _ fault: ConnectionFault, inFlight: [Call]) {
        self.perform(self.machine.lost(inFlight.map { $0.id }, from: endpoint, fault, at: .now()))
    }

    // MARK: Time

    /// One timer for calls that wait for a connection and for hedges; the sessions have those of their calls.
    private func setTimer() {
        guard let next = self.machine.nextDeadline else { return }
        if let timer {
            guard next < timer.at else { return }
            timer.task.cancel()
        }
        let task = self.eventLoop.assumeIsolated().scheduleTask(deadline: next) { [weak self] in
            guard let self else { return }
            self.timer = nil
            self.perform(self.machine.timerFired(at: .now()))
        }
        self.timer = (task, next)
    }
}

extension ServiceRequest {
    /// Whether it may be carried out twice. A Store replaces its own entry; see
    /// ``ClientConfiguration/retriesLostCalls`` for what is reported then. Under a lease it ends that, and would be refused
    /// if it was carried out before. Of a Feedback that is carried out twice the block is the same.
    var isRepeatable: Bool {
        switch self {
        case .store(let store): store.lease == nil
        case .lookup, .invalidate, .stats, .export, .labels, .embed, .lease, .feedback, .ping: true
        }
    }

    /// Whether it may be sent to two servers at once: it only reads, and an answer that nobody waits for costs little.
    var isHedgeable: Bool {
        switch self {
        // Of two that ask for a lease one would keep the other from it.
        case .lookup(let lookup): lookup.lease == nil
        case .stats, .labels, .embed, .ping: true
        case .store, .invalidate, .export, .lease, .feedback: false
        }
    }
}
