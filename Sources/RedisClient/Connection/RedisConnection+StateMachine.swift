// SPDX-License-Identifier: Apache-2.0

import DequeModule
import NIOCore

extension RedisConnection {
    /// What one connection does next: handshake, commands in flight, idling, end.
    ///
    /// No clock and no side effects: time comes in, actions come out. What the server does wrong ends the connection,
    /// never the process.
    ///
    /// - Parameter Context: Of a command, for whoever answers it; the machine does not look into it.
    struct StateMachine<Context>: ~Copyable {
        private enum Phase {
            case connecting
            case handshaking
            case ready
            /// Lets the commands in flight finish and takes no new ones.
            case draining
            case closed
        }

        private struct InFlight {
            let id: UInt64
            let deadline: NIODeadline
            let written: NIODeadline
            let bytes: Int
            /// `nil` if nobody waits for the reply, which still takes its place.
            var context: Context?
            /// Whether its time is up.
            var isOverdue = false
        }

        private var phase = Phase.connecting
        private var handshake: RedisHandshake
        private let handshakeDeadline: NIODeadline
        private var commands: Deque<InFlight> = []
        private var bytesInFlight = 0
        /// Commands in flight that somebody waits for.
        private var awaited = 0
        /// No command in flight becomes overdue before it; it may be earlier than the first that does.
        private var earliestDeadline = NIODeadline.distantFuture
        private(set) var lastHeard: NIODeadline

        init(_ configuration: RedisNodeConfiguration, handshakeDeadline: NIODeadline, now: NIODeadline) {
            self.handshake = RedisHandshake(configuration)
            self.handshakeDeadline = handshakeDeadline
            self.lastHeard = now
        }

        var isReady: Bool { self.phase == .ready }
        var commandsInFlight: Int { self.commands.count }

        /// Whether another command may be sent.
        func hasRoom(forBytes bytes: Int) -> Bool {
            guard self.phase == .ready else { return false }
            // Two places: `ASKING` may come before it.
            return self.commands.isEmpty
                || (self.commands.count + 2 <= RedisLimits.maximumCommandsInFlight
                    && self.bytesInFlight + bytes <= RedisLimits.maximumBytesInFlight)
        }

        /// When ``timerFired(at:)`` is due.
        var nextDeadline: NIODeadline? {
            switch self.phase {
            case .connecting, .handshaking: return self.handshakeDeadline
            case .closed: return nil
            case .ready, .draining:
                if self.commands.isEmpty { return self.lastHeard + RedisLimits.idleTime }
                return min(self.earliestDeadline, self.silenceDeadline)
            }
        }

        /// When the server is dead if nothing is heard until then, as the reply that comes next is overdue. A command
        /// behind one that may take long says nothing.
        private var silenceDeadline: NIODeadline {
            guard let first = self.commands.first, first.isOverdue else { return .distantFuture }
            return max(self.lastHeard, first.written) + RedisLimits.silence
        }

        /// - Returns: The first command of the handshake; `nil` if the connection is not wanted any more.
        mutating func connected() -> RedisCommand? {
            guard self.phase == .connecting else { return nil }
            self.phase = .handshaking
            return self.handshake.begin()
        }

        /// Takes a place for a command that is about to be written.
        ///
        /// - Parameter context: `nil` if nobody waits for the reply.
        mutating func start(id: UInt64, context: Context?, bytes: Int, deadline: NIODeadline, at now: NIODeadline) {
            precondition(self.phase == .ready, "no command is sent on a connection that is not ready")
            self.commands.append(InFlight(id: id, deadline: deadline, written: now, bytes: bytes, context: context))
            self.bytesInFlight += bytes
            if context != nil { self.awaited += 1 }
            self.earliestDeadline = min(self.earliestDeadline, deadline)
        }

        /// Bytes have come, whatever they say.
        mutating func heard(at now: NIODeadline) { self.lastHeard = now }

        enum ReceiveAction {
            case send(RedisCommand)
            /// Commands may be sent.
            case ready
            case complete(Context, RESPValue, thenClose: Bool)
            /// Nobody waits for this reply.
            case ignore
            case fail(RedisError)
        }

        mutating func received(_ reply: RESPValue) -> ReceiveAction {
            switch self.phase {
            case .closed:
                return .ignore
            case .connecting:
                return .fail(RESPParser.violation("it replies before it was asked"))
            case .handshaking:
                switch self.handshake.received(reply) {
                case .send(let command): return .send(command)
                case .fail(let error): return .fail(error)
                case .ready:
                    self.phase = .ready
                    return .ready
                }
            case .ready, .draining:
                guard let command = self.commands.popFirst() else {
                    return .fail(RESPParser.violation("it replies to what was not asked"))
                }
                self.bytesInFlight -= command.bytes
                guard let context = command.context else { return .ignore }
                self.awaited -= 1
                return .complete(context, reply, thenClose: self.isFinished)
            }
        }

        /// - Returns: What the command was sent with, if it waits for its reply here; and whether to close now.
        mutating func cancel(_ id: UInt64) -> (context: Context, thenClose: Bool)? {
            guard let index = self.commands.firstIndex(where: { $0.id == id && $0.context != nil }),
                let context = self.abandon(at: index)
            else { return nil }
            return (context, self.isFinished)
        }

        enum TimerAction {
            /// These are overdue.
            case expire([Context], thenClose: Bool)
            /// The connection has idled.
            case ping
            /// There is no connection in time, or no end of its handshake.
            case giveUp(wasConnected: Bool)
            /// These are overdue, and the server has fallen silent.
            case lost([Context])
        }

        mutating func timerFired(at now: NIODeadline) -> TimerAction {
            switch self.phase {
            case .closed:
                return .expire([], thenClose: false)
            case .connecting, .handshaking:
                guard now >= self.handshakeDeadline else { return .expire([], thenClose: false) }
                return .giveUp(wasConnected: self.phase == .handshaking)
            case .ready, .draining:
                if self.commands.isEmpty {
                    return now >= self.lastHeard + RedisLimits.idleTime ? .ping : .expire([], thenClose: false)
                }
                let expired = self.expire(at: now)
                if now >= self.silenceDeadline { return .lost(expired) }
                return .expire(expired, thenClose: self.isFinished)
            }
        }

        /// - Returns: Whether the connection can be closed now.
        mutating func drain() -> Bool {
            guard self.phase == .ready else { return self.phase != .draining || self.isFinished }
            self.phase = .draining
            return self.isFinished
        }

        /// Ends everything.
        ///
        /// - Returns: The commands that wait for a reply, in the order in which they were sent.
        mutating func close() -> [Context] {
            self.phase = .closed
            let contexts = self.commands.compactMap { $0.context }
            self.commands = []
            self.awaited = 0
            self.bytesInFlight = 0
            return contexts
        }

        private var isFinished: Bool { self.phase == .draining && self.awaited == 0 }

        private mutating func abandon(at index: Int) -> Context? {
            guard let context = self.commands[index].context else { return nil }
            self.commands[index].context = nil
            self.awaited -= 1
            return context
        }

        private mutating func expire(at now: NIODeadline) -> [Context] {
            guard now >= self.earliestDeadline else { return [] }
            var expired: [Context] = []
            self.earliestDeadline = .distantFuture
            for index in self.commands.indices where !self.commands[index].isOverdue {
                guard self.commands[index].deadline <= now else {
                    self.earliestDeadline = min(self.earliestDeadline, self.commands[index].deadline)
                    continue
                }
                self.commands[index].isOverdue = true
                if let context = self.abandon(at: index) { expired.append(context) }
            }
            return expired
        }
    }
}
