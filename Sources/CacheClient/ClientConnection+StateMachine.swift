// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore

extension ClientConnection {
    /// What one connection does next: handshake, calls in flight, drain.
    ///
    /// No clock and no side effects: time comes in, actions come out. What the peer does wrong ends the connection, never
    /// the process.
    struct StateMachine<Context>: ~Copyable {
        /// Time after its deadline that a call in flight is still waited for: the server's own answer at the deadline,
        /// which says more, should come first.
        static var grace: TimeAmount { .milliseconds(100) }
        /// Time without any byte, from when an answer was overdue, after which the connection is held to be dead.
        static var silence: TimeAmount { .seconds(1) }

        private enum Phase: Sendable {
            case connecting
            case awaitingWelcome
            case ready
            /// Finishes its calls and takes no new ones.
            case draining
            case closed
        }

        private struct CallInFlight {
            let method: ServiceMethod
            let deadline: NIODeadline
            /// `nil` once nobody waits for the answer. It still takes a place until the answer comes.
            var call: PendingCall<Context>?
        }

        private var phase = Phase.connecting
        private var calls: [UInt64: CallInFlight] = [:]
        /// Calls in flight that somebody waits for.
        private var awaited = 0
        private let handshakeDeadline: NIODeadline
        private let maximumCalls: Int
        private var allowedCalls = 0
        /// No call in flight expires before it; it may be earlier than the first that does.
        private var earliestDeadline = NIODeadline.distantFuture
        private var overdueSince: NIODeadline?

        /// - Parameter maximumCalls: Calls in flight that the client wants at most; the server may allow fewer.
        init(handshakeDeadline: NIODeadline, maximumCalls: Int) {
            self.handshakeDeadline = handshakeDeadline
            self.maximumCalls = maximumCalls
        }

        /// Calls that may be started now.
        var freeSlots: Int { self.phase == .ready ? max(0, self.allowedCalls - self.calls.count) : 0 }

        var callsInFlight: Int { self.calls.count }

        /// When ``timerFired(at:)`` is due.
        var nextDeadline: NIODeadline? {
            switch self.phase {
            case .connecting, .awaitingWelcome: self.handshakeDeadline
            case .closed: nil
            case .ready, .draining:
                self.earliest(self.earliestDeadline + Self.grace, self.overdueSince.map { $0 + Self.silence })
            }
        }

        private func earliest(_ expiry: NIODeadline, _ silenceEnd: NIODeadline?) -> NIODeadline? {
            let expiry: NIODeadline? = self.awaited > 0 ? expiry : nil
            guard let expiry, let silenceEnd else { return expiry ?? silenceEnd }
            return min(expiry, silenceEnd)
        }

        enum ConnectedAction {
            case sendHello
            case close
        }

        mutating func connected() -> ConnectedAction {
            guard self.phase == .connecting else { return .close }
            self.phase = .awaitingWelcome
            return .sendHello
        }

        enum ReceiveAction {
            /// Calls may start.
            case ready(ServerLimits)
            case complete(PendingCall<Context>, Result<ServiceResponse, CacheError>, thenClose: Bool)
            /// The server, about to stop, did not take the call: it may be made on another connection.
            case giveBack(PendingCall<Context>, CacheError, thenClose: Bool)
            /// The answer is one that nobody waits for any more.
            case ignore
            /// New calls go to another connection.
            case drain(thenClose: Bool)
            case fail(ConnectionFault)
        }

        mutating func received(_ message: ServerMessage) -> ReceiveAction {
            self.overdueSince = nil
            switch (self.phase, message) {
            case (.closed, _):
                return .ignore
            case (.awaitingWelcome, .welcome(let welcome)):
                return self.received(welcome)
            case (.awaitingWelcome, .reply(let reply)) where reply.id == 0:
                guard case .failure(let error) = reply.result else {
                    return self.fail("it answers nothing that was asked")
                }
                self.phase = .closed
                let isTransient = error.code == .unavailable || error.code == .resourceExhausted
                return .fail(ConnectionFault(error: CacheClientError(error, origin: .server), isLoss: isTransient))
            case (.ready, .reply(let reply)), (.draining, .reply(let reply)):
                return self.received(reply)
            case (.ready, .goAway):
                self.phase = .draining
                return .drain(thenClose: self.awaited == 0)
            case (.awaitingWelcome, .goAway):
                self.phase = .closed
                return .fail(.stopping)
            case (.draining, .goAway):
                return .ignore
            case (.connecting, _), (.awaitingWelcome, .reply), (.ready, .welcome), (.draining, .welcome):
                return self.fail("it sent a message that may not come now")
            }
        }

        /// Takes a place for a call that is about to be sent. There must be a free one.
        mutating func start(_ call: PendingCall<Context>) {
            precondition(self.freeSlots > 0, "no call is started on a connection that has no place for it")
            var call = call
            call.attempts += 1
            self.calls[call.id] = CallInFlight(method: call.method, deadline: call.deadline, call: call)
            self.awaited += 1
            self.earliestDeadline = min(self.earliestDeadline, call.deadline)
        }

        enum CancelAction {
            case sendCancel(PendingCall<Context>, thenClose: Bool)
            case ignore
        }

        mutating func cancel(_ id: UInt64) -> CancelAction {
            guard let call = self.abandon(id) else { return .ignore }
            return .sendCancel(call, thenClose: self.isFinished)
        }

        enum TimerAction {
            /// These calls' answers are overdue; the server is told that nobody waits for them.
            case expire([PendingCall<Context>], thenClose: Bool)
            case fail(Silence)
        }

        enum Silence {
            case noConnection
            case noWelcome
            case noReply
        }

        mutating func timerFired(at now: NIODeadline) -> TimerAction {
            switch self.phase {
            case .closed:
                return .expire([], thenClose: false)
            case .connecting, .awaitingWelcome:
                guard now >= self.handshakeDeadline else { return .expire([], thenClose: false) }
                let silence = self.phase == .connecting ? Silence.noConnection : .noWelcome
                self.phase = .closed
                return .fail(silence)
            case .ready, .draining:
                if let overdueSince, now >= overdueSince + Self.silence {
                    self.phase = .closed
                    return .fail(.noReply)
                }
                return self.expireCalls(at: now)
            }
        }

        /// Lets the calls in flight finish and takes no new ones.
        ///
        /// - Returns: Whether the connection can be closed now.
        mutating func drain() -> Bool {
            switch self.phase {
            case .connecting, .awaitingWelcome, .closed: self.phase = .closed
            case .ready, .draining: self.phase = .draining
            }
            return self.phase == .closed || self.isFinished
        }

        /// Ends everything.
        ///
        /// - Returns: The calls that had no answer yet, in the order in which they were made.
        mutating func closed() -> [PendingCall<Context>] {
            self.phase = .closed
            let calls = self.calls.values.compactMap { $0.call }.sorted { $0.id < $1.id }
            self.calls = [:]
            self.awaited = 0
            return calls
        }

        private var isFinished: Bool { self.phase == .draining && self.awaited == 0 }

        private mutating func received(_ welcome: Welcome) -> ReceiveAction {
            guard ServiceVersion.protocolVersions.contains(welcome.version) else {
                return self.fail("it chose version \(welcome.version) of the protocol, which was not offered")
            }
            do {
                let limits = try ServerLimits(welcome)
                self.allowedCalls = min(self.maximumCalls, limits.maximumCallsInFlight)
                self.phase = .ready
                return .ready(limits)
            } catch {
                self.phase = .closed
                return .fail(.refused(error))
            }
        }

        private mutating func received(_ reply: Reply) -> ReceiveAction {
            if reply.id == 0, case .failure(let error) = reply.result {
                // Something that was sent is not understood, and nothing says which call will now never be answered.
                self.phase = .closed
                return .fail(.refused(CacheClientError(error, origin: .server)))
            }
            guard let answered = self.calls.removeValue(forKey: reply.id) else {
                return self.fail("it answers nothing that was asked")
            }
            if case .success(let response) = reply.result, response.method != answered.method {
                // Put back, so that the call is failed with the others.
                self.calls[reply.id] = answered
                return self.fail("it answers another question than was asked")
            }
            guard let call = answered.call else { return .ignore }
            self.awaited -= 1
            if self.phase == .draining, case .failure(let error) = reply.result, error.code == .unavailable {
                return .giveBack(call, error, thenClose: self.isFinished)
            }
            return .complete(call, reply.result, thenClose: self.isFinished)
        }

        private mutating func fail(_ reason: String) -> ReceiveAction {
            self.phase = .closed
            return .fail(.refused(.malformed(reason)))
        }

        private mutating func abandon(_ id: UInt64) -> PendingCall<Context>? {
            guard var inFlight = self.calls[id], let call = inFlight.call else { return nil }
            inFlight.call = nil
            self.calls[id] = inFlight
            self.awaited -= 1
            return call
        }

        private mutating func expireCalls(at now: NIODeadline) -> TimerAction {
            var expired: [UInt64] = []
            self.earliestDeadline = .distantFuture
            for (id, inFlight) in self.calls where inFlight.call != nil {
                if inFlight.deadline + Self.grace <= now {
                    expired.append(id)
                } else {
                    self.earliestDeadline = min(self.earliestDeadline, inFlight.deadline)
                }
            }
            if !expired.isEmpty, self.overdueSince == nil { self.overdueSince = now }
            let calls = expired.sorted().compactMap { self.abandon($0) }
            return .expire(calls, thenClose: self.isFinished)
        }
    }
}
