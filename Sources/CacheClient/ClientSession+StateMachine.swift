// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore

extension ClientSession {
    /// Which calls wait, and when to connect for them.
    ///
    /// At most one connection takes new calls; those that only finish what they have are not known here. No clock, no
    /// chance and no side effects: time and jitter come in, actions come out.
    struct StateMachine<Context>: ~Copyable {
        struct Policy {
            let backoff: Backoff
            let maximumWaitingCalls: Int
            let retriesLostCalls: Bool
            let waitsForConnection: Bool
            let handoverPatience: TimeAmount
        }

        typealias Call = PendingCall<Context>
        typealias Failure = (call: Call, error: CacheClientError)

        private enum Link {
            /// Nobody needed one yet, or the last one ended well.
            case none
            case connecting
            case ready
            /// The last attempt failed, or the connection did not last.
            case backingOff(until: NIODeadline, CacheClientError)
            case closed
        }

        private let policy: Policy
        private var link = Link.none
        private var waiting = WaitingCalls<Context>()
        /// Attempts in a row without a single reply.
        private var failures = 0
        /// Until then calls wait, as a server that stopped has said so: another will take its place, or itself.
        private var patientUntil = NIODeadline.uptimeNanoseconds(0)

        init(_ policy: Policy) { self.policy = policy }

        var waitingCalls: Int { self.waiting.count }

        /// From when a connection may be made; `nil` if nothing speaks against it now.
        var retryAt: NIODeadline? {
            if case .backingOff(let until, _) = self.link { until } else { nil }
        }

        /// When ``timerFired(at:)`` is due.
        var nextDeadline: NIODeadline? {
            guard !self.waiting.isEmpty else { return nil }
            let expiry = self.waiting.earliestDeadline
            if case .backingOff(let until, _) = self.link { return min(expiry, until) }
            return expiry
        }

        enum SubmitAction {
            /// The call waits for its turn.
            case wait(thenConnect: Bool)
            case fail(Call, CacheClientError)
        }

        mutating func submit(_ call: Call, at now: NIODeadline) -> SubmitAction {
            if case .closed = self.link { return .fail(call, .closed) }
            guard call.deadline > now else { return .fail(call, .deadlineExceeded(beforeSending: true)) }
            guard self.waiting.count < self.policy.maximumWaitingCalls else {
                let count = self.waiting.count
                return .fail(
                    call, CacheClientError(.resourceExhausted, "\(count) calls are waiting for their turn already"))
            }
            if case .backingOff(let until, let error) = self.link, until > now, !self.waits(at: now) {
                return .fail(call, error)
            }
            self.waiting.append(call)
            return .wait(thenConnect: self.startConnecting(at: now))
        }

        enum TakeAction {
            case send(Call)
            case fail(Call, CacheClientError)
        }

        /// Takes the next call from the line, if there is one and a connection for it.
        mutating func takeNext(at now: NIODeadline) -> TakeAction? {
            guard case .ready = self.link, let call = self.waiting.popFirst() else { return nil }
            guard call.deadline > now else { return .fail(call, .deadlineExceeded(beforeSending: true)) }
            return .send(call)
        }

        mutating func cancel(_ id: UInt64) -> Call? { self.waiting.remove(id) }

        mutating func connectionReady() {
            if case .connecting = self.link { self.link = .ready }
        }

        /// The connection is worth something: the next one is made at once should it be lost.
        mutating func replyReceived() { self.failures = 0 }

        /// - Returns: Whether to make a connection now, though no call waits for it here; it counts as begun then.
        mutating func connectAhead(at now: NIODeadline) -> Bool {
            switch self.link {
            case .connecting, .ready, .closed: return false
            case .backingOff(let until, _) where until > now: return false
            case .none, .backingOff:
                self.link = .connecting
                return true
            }
        }

        /// Gives up the calls that wait, in order: others will send them.
        mutating func releaseWaiting() -> [Call] { self.waiting.removeAll() }

        /// The connection takes no new calls any more.
        ///
        /// - Returns: Whether to make the next one now.
        mutating func connectionDraining(at now: NIODeadline, jitter: Double) -> Bool {
            guard case .ready = self.link else { return false }
            self.beginHandover(at: now)
            if self.failures == 0 {
                // Another one that goes before a reply counts as a failure.
                self.failures = 1
                self.link = .none
            } else {
                self.backOff(.stopping, at: now, jitter: jitter)
            }
            return self.startConnecting(at: now)
        }

        struct EndAction {
            var failed: [Failure]
            var connect: Bool
        }

        /// The connection that takes new calls ended, or could not be made.
        ///
        /// - Parameter calls: Those in flight on it, in order.
        mutating func connectionEnded(
            _ fault: ConnectionFault, calls: [Call], at now: NIODeadline, jitter: Double
        ) -> EndAction {
            let wasReady: Bool
            switch self.link {
            case .closed: return EndAction(failed: calls.map { ($0, .closed) }, connect: false)
            case .ready: wasReady = true
            case .none, .connecting, .backingOff: wasReady = false
            }
            var failed = self.keepRepeatable(calls, fault, at: now)
            if fault.isHandover { self.beginHandover(at: now) }
            if wasReady, fault.isLoss, self.failures == 0 {
                // Another loss before a reply counts as a failure.
                self.failures = 1
                self.link = .none
                return EndAction(failed: failed, connect: self.startConnecting(at: now))
            }
            self.backOff(fault.error, at: now, jitter: jitter)
            if !self.waits(at: now) || !fault.isLoss {
                failed += self.waiting.removeAll().map { ($0, fault.error) }
            }
            return EndAction(failed: failed, connect: false)
        }

        /// A connection that only finished what it had ended before it was done.
        mutating func drainingConnectionEnded(
            _ fault: ConnectionFault, calls: [Call], at now: NIODeadline
        ) -> EndAction {
            if case .closed = self.link { return EndAction(failed: calls.map { ($0, fault.error) }, connect: false) }
            let failed = self.keepRepeatable(calls, fault, at: now)
            return EndAction(failed: failed, connect: self.startConnecting(at: now))
        }

        /// A connection that is about to end did not take a call: it was never begun, so that this was no attempt.
        mutating func callGivenBack(_ call: Call, _ error: CacheClientError, at now: NIODeadline) -> EndAction {
            var call = call
            call.attempts -= 1
            if case .closed = self.link { return EndAction(failed: [(call, error)], connect: false) }
            guard call.deadline > now else { return EndAction(failed: [(call, error)], connect: false) }
            self.waiting.prepend([call])
            return EndAction(failed: [], connect: self.startConnecting(at: now))
        }

        struct TimerAction {
            var expired: [Failure]
            var connect: Bool
        }

        mutating func timerFired(at now: NIODeadline) -> TimerAction {
            let late = CacheClientError.deadlineExceeded(beforeSending: true)
            let expired = self.waiting.removeExpired(at: now).map { Failure($0, self.backoffError ?? late) }
            return TimerAction(expired: expired, connect: self.startConnecting(at: now))
        }

        /// Takes no new calls from now on.
        ///
        /// - Returns: Those that wait, to be failed.
        mutating func close() -> [Failure] {
            self.link = .closed
            return self.waiting.removeAll().map { ($0, .closed) }
        }

        /// What kept a call that waited for a connection from getting one.
        private var backoffError: CacheClientError? {
            guard case .backingOff(_, let error) = self.link else { return nil }
            return error
        }

        /// Whether calls wait for a server that cannot be reached now.
        private func waits(at now: NIODeadline) -> Bool {
            self.policy.waitsForConnection || now < self.patientUntil
        }

        /// Once for all servers that go one after the other without a reply of any.
        private mutating func beginHandover(at now: NIODeadline) {
            if self.failures == 0 { self.patientUntil = now + self.policy.handoverPatience }
        }

        private mutating func backOff(_ error: CacheClientError, at now: NIODeadline, jitter: Double) {
            self.failures += 1
            var until = now + self.policy.backoff.delay(afterFailures: self.failures, jitter: jitter)
            // With the end of the patience comes a last attempt; if it fails, so do those that waited.
            if now < self.patientUntil { until = min(until, self.patientUntil) }
            self.link = .backingOff(until: until, error)
        }

        /// Whether somebody waits for a connection that may be made now; it counts as begun then.
        private mutating func startConnecting(at now: NIODeadline) -> Bool {
            self.waiting.isEmpty ? false : self.connectAhead(at: now)
        }

        /// Puts the calls that may be made once more at the head of the line, and returns the others.
        private mutating func keepRepeatable(
            _ calls: [Call], _ fault: ConnectionFault, at now: NIODeadline
        ) -> [Failure] {
            var kept: [Call] = []
            var failed: [Failure] = []
            for call in calls {
                if fault.isLoss, self.policy.retriesLostCalls, call.isRepeatable, call.attempts < 2, call.deadline > now
                {
                    kept.append(call)
                } else {
                    failed.append((call, fault.error))
                }
            }
            self.waiting.prepend(kept)
            return failed
        }
    }
}
