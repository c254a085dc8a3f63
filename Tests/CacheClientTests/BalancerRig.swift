// SPDX-License-Identifier: Apache-2.0

import CacheWire
import NIOCore

@testable import CacheClient

/// A balancer, with the calls and events that a test gives it.
final class BalancerRig {
    typealias Machine = Balancer<String>

    static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    static let refused = ConnectionFault.lost(CacheClientError(.unavailable, "refused", origin: .connection))
    static let alien = ConnectionFault.refused(CacheClientError(.internal, "alien", origin: .connection))
    static let unavailable = CacheClientError(.unavailable, "no store", origin: .server)

    var machine: Machine
    var now = BalancerRig.start

    init(
        _ endpoints: Int, hedgeDelay: TimeAmount? = nil, waits: Bool = false, retries: Bool = true,
        maximumWaiting: Int = 100, budget: RetryBudget = RetryBudget(), seed: UInt64 = 1
    ) {
        self.machine = Machine(
            Machine.Policy(
                retriesLostCalls: retries, waitsForConnection: waits, handoverPatience: .seconds(5),
                hedgeDelay: hedgeDelay, maximumWaitingCalls: maximumWaiting,
                ejection: Backoff(minimum: .milliseconds(100), maximum: .seconds(1)), budget: budget),
            endpoints: endpoints, seed: seed)
    }

    /// All have a connection and no call.
    static func ready(
        _ endpoints: Int, hedgeDelay: TimeAmount? = nil, retries: Bool = true, budget: RetryBudget = RetryBudget()
    ) -> BalancerRig {
        let rig = BalancerRig(endpoints, hedgeDelay: hedgeDelay, retries: retries, budget: budget)
        for endpoint in 0..<endpoints { _ = rig.machine.connectionReady(endpoint, at: rig.now) }
        return rig
    }

    static func call(_ id: UInt64, until deadline: NIODeadline) -> PendingCall<String> {
        PendingCall(id: id, method: .ping, deadline: deadline, context: "call \(id)")
    }

    func submit(
        _ id: UInt64, within time: TimeAmount = .seconds(10), isRepeatable: Bool = true, isHedgeable: Bool = true
    ) -> String {
        Self.summary(
            self.machine.submit(
                Self.call(id, until: self.now + time), isRepeatable: isRepeatable, isHedgeable: isHedgeable,
                at: self.now))
    }

    func cancel(_ id: UInt64) -> (call: PendingCall<String>, cancels: [Int])? { self.machine.cancel(id, at: self.now) }

    /// - Returns: The server that gets the call and, so that it is at ease again, has answered it after this time.
    func exchange(_ id: UInt64, taking time: TimeAmount = .milliseconds(1)) -> Int? {
        let sends = self.machine.submit(
            Self.call(id, until: self.now + .seconds(10)), isRepeatable: true, isHedgeable: true, at: self.now
        ).sends
        guard let send = sends.first else { return nil }
        _ = self.machine.answered(id, by: send.endpoint, at: self.now + time)
        return send.endpoint
    }

    /// - Returns: Where the call went.
    func place(_ id: UInt64, isRepeatable: Bool = true, isHedgeable: Bool = true) -> Int? {
        self.machine.submit(
            Self.call(id, until: self.now + .seconds(10)), isRepeatable: isRepeatable, isHedgeable: isHedgeable,
            at: self.now
        ).sends.first?.endpoint
    }

    func answer(_ id: UInt64, by endpoint: Int) -> String {
        guard let (call, cancels) = self.machine.answered(id, by: endpoint, at: self.now) else { return "ignored" }
        return (["done \(call.id)"] + cancels.map { "cancel \(id)@\($0)" }).joined(separator: ", ")
    }

    func fail(_ id: UInt64, at endpoint: Int, _ error: CacheClientError = unavailable) -> String {
        Self.summary(self.machine.failed(id, at: endpoint, error, at: self.now))
    }

    func end(
        _ endpoint: Int, _ fault: ConnectionFault = refused, retryAfter: TimeAmount? = .milliseconds(100),
        inFlight: [UInt64] = [], unsent: [UInt64] = []
    ) -> String {
        let now = self.now
        return Self.summary(
            self.machine.connectionEnded(
                endpoint, fault, retryAt: retryAfter.map { now + $0 }, inFlight: inFlight, unsent: unsent, at: now))
    }

    func ready(_ endpoint: Int) -> String {
        Self.summary(self.machine.connectionReady(endpoint, at: self.now))
    }

    /// Lets time pass until something is due.
    func timer() -> String {
        guard let due = self.machine.nextDeadline else { return "nothing is due" }
        self.now = max(self.now, due)
        return Self.summary(self.machine.timerFired(at: self.now))
    }

    static func summary(_ actions: Machine.Actions) -> String {
        let parts =
            actions.failures.map { "fail \($0.call.id) \($0.error.message)" }
            + actions.cancels.map { "cancel \($0.id)@\($0.endpoint)" }
            + actions.sends.map { "send \($0.call.id)@\($0.endpoint)" }
            + actions.connects.map { "connect \($0)" }
        return parts.joined(separator: ", ")
    }
}
