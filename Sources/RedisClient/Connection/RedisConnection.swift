// SPDX-License-Identifier: Apache-2.0

import NIOCore
import OpenSSLTLS

/// One connection: bytes to replies and back, and what its state machine decides. Confined to its event loop.
final class RedisConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Why a connection ended.
    struct End {
        let error: RedisError
        /// When its handshake was done; `nil` if it never was.
        let readySince: NIODeadline?
        /// Whether the server has fallen silent, rather than closed it.
        let isSilent: Bool
    }

    /// Bytes that are collected for one write.
    private static let flushBytes = 256 << 10
    /// Id of what is sent for the connection's own sake.
    private static let ownID: UInt64 = 0

    /// Referred to until the connection has ended, which also breaks the cycle.
    private var session: NodeSession?
    private let onPush: (@Sendable ([RESPValue]) -> Void)?
    private let onEnd: (@Sendable () -> Void)?
    private var machine: StateMachine<PendingCommand>
    private var readySince: NIODeadline?
    /// Whether the handshake of TLS is done, if there is one.
    private var isSecured: Bool
    private var context: ChannelHandlerContext?
    private var parser = RESPParser()
    private var received = ByteBuffer()
    private var outgoing = ByteBuffer()
    private var needsFlush = false
    /// Channels whose subscription, or its end, is not confirmed yet.
    private var unconfirmedChannels = 0

    init(
        _ session: NodeSession, _ configuration: RedisNodeConfiguration, handshakeDeadline: NIODeadline,
        now: NIODeadline
    ) {
        self.session = session
        self.onPush = configuration.onPush
        self.onEnd = configuration.onEnd
        self.isSecured = configuration.security == nil
        self.machine = StateMachine(configuration, handshakeDeadline: handshakeDeadline, now: now)
    }

    // MARK: For the session

    var isReady: Bool { self.machine.isReady }
    var isBeingMade: Bool { self.readySince == nil }
    var commandsInFlight: Int { self.machine.commandsInFlight }
    var lastHeard: NIODeadline { self.machine.lastHeard }
    var nextDeadline: NIODeadline? { self.machine.nextDeadline }

    /// Whether another command may be sent now: there is a place for it and the server takes what is written.
    func hasRoom(forBytes bytes: Int) -> Bool {
        guard let context = self.context else { return false }
        return self.machine.hasRoom(forBytes: bytes) && context.channel.isWritable
    }

    /// Adds a command to what ``flush()`` writes. ``hasRoom(forBytes:)`` must be true.
    func send(_ command: PendingCommand, at now: NIODeadline) {
        guard command.command.hasReply else {
            self.unconfirmedChannels += command.command.count - 1
            self.write(command.command)
            return command.finish(.success(.null))
        }
        // Both have their places before anything is written, as writing may end the connection.
        if command.isAsking { self.start(Self.asking, deadline: command.deadline, at: now) }
        self.machine.start(
            id: command.id, context: command, bytes: command.bytes, deadline: command.deadline, at: now)
        if command.isAsking { self.write(Self.asking) }
        self.write(command.command)
    }

    func flush() {
        self.writeOutgoing()
        guard self.needsFlush else { return }
        self.needsFlush = false
        self.context?.flush()
    }

    /// - Returns: Whether the command was sent on this connection.
    func cancel(_ id: UInt64) -> Bool {
        guard let (command, thenClose) = self.machine.cancel(id) else { return false }
        command.fail(RedisError(.cancelled, "the task that waits was cancelled", mayHaveBeenExecuted: true))
        if thenClose { self.finish() }
        return true
    }

    func timerFired(at now: NIODeadline) {
        switch self.machine.timerFired(at: now) {
        case .expire(let commands, let thenClose):
            self.expire(commands)
            if thenClose { self.finish() }
        case .ping:
            self.start(Self.ping, deadline: now + RedisLimits.silence, at: now)
            self.write(Self.ping)
            self.flush()
        case .giveUp(let wasConnected):
            let reason =
                switch (wasConnected, self.isSecured) {
                case (false, _): "no answer in time"
                case (true, false): "it accepted but speaks no TLS, or not in time"
                case (true, true): "it accepted but did not greet in time"
                }
            self.end(RedisError(.unreachable, reason), isSilent: true)
        case .lost(let commands):
            self.expire(commands)
            self.end(RedisError(.connectionLost, "the server has fallen silent"), isSilent: true)
        }
    }

    /// Takes no new commands, and ends when those in flight have.
    func drain() {
        if self.machine.drain() { self.finish() }
    }

    /// Ends the connection. Safe to call more than once.
    func end(_ error: RedisError, isSilent: Bool = false) {
        guard let session = self.session else { return }
        self.session = nil
        let context = self.context
        self.context = nil
        context?.close(promise: nil)
        self.onEnd?()
        for command in self.machine.close() { command.fail(error) }
        session.connectionEnded(self, End(error: error, readySince: self.readySince, isSilent: isSilent))
    }

    private func finish() { self.end(RedisError(.closed, "the client was closed")) }

    private func expire(_ commands: [PendingCommand]) {
        for command in commands { command.fail(RedisError(.timedOut, "the server did not reply in time")) }
    }

    // MARK: Writing

    private static let asking = RedisCommand("ASKING", isRepeatable: true)
    private static let ping = RedisCommand("PING", isRepeatable: true)

    /// Takes a place for what nobody waits for.
    private func start(_ command: RedisCommand, deadline: NIODeadline, at now: NIODeadline) {
        self.machine.start(
            id: Self.ownID, context: nil, bytes: command.body.readableBytes, deadline: deadline, at: now)
    }

    private func write(_ command: RedisCommand) {
        self.outgoing.writeStaticString("*")
        self.outgoing.writeString(String(command.count))
        self.outgoing.writeStaticString("\r\n")
        if command.body.readableBytes < RedisLimits.copiedCommandBytes {
            self.outgoing.writeImmutableBuffer(command.body)
            if self.outgoing.readableBytes >= Self.flushBytes { self.flush() }
        } else {
            self.writeOutgoing()
            self.context?.write(NIOAny(command.body), promise: nil)
            self.flush()
        }
    }

    private func writeOutgoing() {
        guard self.outgoing.readableBytes > 0, let context = self.context else { return }
        let bytes = self.outgoing
        self.outgoing = ByteBuffer()
        self.needsFlush = true
        context.write(NIOAny(bytes), promise: nil)
    }

    // MARK: ChannelInboundHandler

    func handlerAdded(context: ChannelHandlerContext) {
        // The session may have given it up while it was being made.
        guard self.session != nil else { return context.close(promise: nil) }
        self.context = context
        guard context.channel.isActive, let command = self.machine.connected() else {
            return self.end(RedisError(.unreachable, "closed at once"))
        }
        self.write(command)
        self.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.session != nil else { return }
        self.machine.heard(at: .now())
        RESPParser.append(self.unwrapInboundIn(data), to: &self.received)
        do throws(RedisError) {
            while self.session != nil, let message = try self.parser.next(&self.received) {
                switch message {
                case .reply(.error) where self.unconfirmedChannels > 0:
                    // It may be the subscription that is refused; then each reply would be taken for another's.
                    throw RESPParser.violation("it refused something while a subscription was not confirmed")
                case .reply(let reply): self.received(reply)
                case .push(let elements): self.pushed(elements)
                }
            }
        } catch {
            self.end(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSHandshakeCompleted { self.isSecured = true }
        context.fireUserInboundEventTriggered(event)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.flush()
        self.session?.sendWaitingCommands(at: .now())
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.session?.sendWaitingCommands(at: .now()) }
    }

    func channelInactive(context: ChannelHandlerContext) { self.end(self.loss("the server closed the connection")) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.readySince == nil, error is TLSError { return self.end(RedisError(connecting: error)) }
        self.end(self.loss("the connection broke: \(connectFailureReason(error))"))
    }

    private func loss(_ reason: String) -> RedisError {
        RedisError(self.readySince == nil ? .unreachable : .connectionLost, reason)
    }

    private func pushed(_ elements: [RESPValue]) {
        if case .bytes(let kind) = elements.first,
            kind.readableBytesView.elementsEqual("ssubscribe".utf8)
                || kind.readableBytesView.elementsEqual("sunsubscribe".utf8)
        {
            self.unconfirmedChannels = max(0, self.unconfirmedChannels - 1)
        }
        self.onPush?(elements)
    }

    private func received(_ reply: RESPValue) {
        switch self.machine.received(reply) {
        case .send(let command):
            self.write(command)
        case .ready:
            self.readySince = self.machine.lastHeard
            self.session?.connectionReady(self)
        case .complete(let command, let reply, let thenClose):
            command.finish(.success(reply))
            if thenClose { self.finish() }
        case .ignore:
            break
        case .fail(let error):
            self.end(error)
        }
    }
}
