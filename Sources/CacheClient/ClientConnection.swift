// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore
import OpenSSLTLS

/// One connection: bytes to messages and back, and what its state machine decides. Confined to its event loop.
final class ClientConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// Bytes that are written at once at most; more are written in several turns, as far as the peer takes them.
    private static let flushBytes = 256 << 10

    /// Referred to until the connection has ended, which also breaks the cycle.
    private var session: ClientSession?
    private let address: ServerAddress
    private let clientName: String
    private let credential: Credential
    private let tenant: String?
    /// Whether a TLS handshake comes first.
    private let isEncrypted: Bool
    private var machine: StateMachine<CallContext>
    private var limits: ServerLimits?
    private var context: ChannelHandlerContext?
    private var reader = FrameReader(maximumBodyBytes: Limits.maximumHelloBytes)
    private let decoder = ServerMessageDecoder()
    private let encoder = ClientMessageEncoder()
    private var outgoing = ByteBuffer()

    init(
        _ session: ClientSession, _ configuration: ClientConfiguration, isEncrypted: Bool,
        handshakeDeadline: NIODeadline
    ) {
        self.session = session
        self.address = session.address
        self.clientName = configuration.clientName
        self.credential = configuration.credential.credential
        self.tenant = configuration.tenant
        self.isEncrypted = isEncrypted
        self.machine = StateMachine(
            handshakeDeadline: handshakeDeadline,
            maximumCalls: max(1, configuration.maximumCallsInFlight ?? .max))
    }

    // MARK: For the session

    /// Whether another call may be sent now: there is a place for it and the peer takes what is written.
    var hasRoom: Bool {
        guard self.machine.freeSlots > 0, let context = self.context else { return false }
        if self.outgoing.readableBytes >= Self.flushBytes { self.flush() }
        return context.channel.isWritable
    }

    var nextDeadline: NIODeadline? { self.machine.nextDeadline }

    /// Adds a call to what ``flush()`` writes. ``hasRoom`` must be true.
    func send(_ call: PendingCall<CallContext>, at now: NIODeadline) {
        guard let limits = self.limits else { preconditionFailure("no call is sent before the welcome") }
        if let fault = limits.fault(of: call.context.request) { return self.finish(call, .failure(fault)) }
        let start = self.outgoing.writerIndex
        let remaining = (call.deadline - now).nanoseconds / 1_000_000
        self.encoder.write(
            .call(
                Call(
                    id: call.id, deadline: .milliseconds(max(1, remaining)), traceparent: call.context.traceparent,
                    tenant: self.tenant, request: .success(call.context.request))),
            into: &self.outgoing)
        let bytes = self.outgoing.writerIndex - start - FrameReader.headerBytes
        guard bytes <= limits.maximumFrameBytes else {
            self.outgoing.moveWriterIndex(to: start)
            let message = "the request has \(bytes) bytes, the server's limit is \(limits.maximumFrameBytes)"
            return self.finish(call, .failure(CacheClientError(.invalidArgument, message)))
        }
        self.machine.start(call)
    }

    func flush() {
        guard self.outgoing.readableBytes > 0, let context = self.context else { return }
        let bytes = self.outgoing
        self.outgoing = ByteBuffer()
        context.writeAndFlush(NIOAny(bytes), promise: nil)
    }

    func cancel(_ id: UInt64) {
        guard case .sendCancel(let call, let thenClose) = self.machine.cancel(id) else { return }
        self.encoder.write(.cancel(id: id), into: &self.outgoing)
        self.finish(call, .failure(.cancelled))
        if thenClose { self.finish() } else { self.flush() }
    }

    func timerFired(at now: NIODeadline) {
        switch self.machine.timerFired(at: now) {
        case .expire(let calls, let thenClose):
            for call in calls {
                self.encoder.write(.cancel(id: call.id), into: &self.outgoing)
                self.finish(call, .failure(.deadlineExceeded(beforeSending: false)))
            }
            if thenClose { self.finish() } else { self.flush() }
        case .fail(.noConnection):
            let reason = self.context == nil ? "no answer in time" : "it accepted but speaks no TLS, or not in time"
            self.end(.lost(.unreachable(self.address, reason)))
        case .fail(.noWelcome):
            self.end(.lost(.unreachable(self.address, "it accepted but did not answer the hello in time")))
        case .fail(.noReply):
            self.end(.lost(.lost(self.address, "the server has fallen silent")))
        }
    }

    /// Takes no new calls, and ends when those in flight have.
    func drain() {
        if self.machine.drain() { self.finish() }
    }

    /// Ends the connection and hands its calls back. Safe to call more than once.
    func end(_ fault: ConnectionFault) {
        guard let session = self.session else { return }
        self.session = nil
        let context = self.context
        self.context = nil
        context?.close(promise: nil)
        session.connectionEnded(self, fault, calls: self.machine.closed())
    }

    private func finish() {
        self.flush()
        self.end(.lost(.lost(self.address, "it was closed")))
    }

    /// - Parameter call: One of the machine's: so there is a session.
    private func finish(_ call: PendingCall<CallContext>, _ result: Result<ServiceResponse, CacheClientError>) {
        self.session?.finish(call, result)
    }

    // MARK: ChannelInboundHandler

    func handlerAdded(context: ChannelHandlerContext) {
        // The session may have been closed while the connection was being made.
        guard self.session != nil else { return context.close(promise: nil) }
        self.context = context
        guard context.channel.isActive else {
            return self.end(.lost(.unreachable(self.address, "closed at once")))
        }
        if !self.isEncrypted { self.sendHello() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSHandshakeCompleted, self.session != nil { self.sendHello() }
        context.fireUserInboundEventTriggered(event)
    }

    private func sendHello() {
        guard case .sendHello = self.machine.connected() else { return }
        let versions = ServiceVersion.protocolVersions
        self.encoder.write(
            .hello(
                Hello(
                    minimumVersion: versions.lowerBound, maximumVersion: versions.upperBound,
                    clientName: self.clientName, credential: self.credential)),
            into: &self.outgoing)
        self.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.session != nil else { return }
        let bytes = self.unwrapInboundIn(data)
        if !self.isEncrypted, self.limits == nil, bytes.beginsWithAlert {
            return self.end(.refused(.malformed("it speaks TLS, which semcached+tls:// in its address asks for")))
        }
        self.reader.append(bytes)
        let decoder = self.decoder
        do throws(WireError) {
            while self.session != nil {
                let message = try self.reader.withNextBody { body -> Result<ServerMessage, WireError> in
                    do throws(WireError) {
                        return .success(try decoder.decode(body))
                    } catch {
                        return .failure(error)
                    }
                }
                guard let message else { break }
                self.received(try message.get())
            }
        } catch {
            self.end(.refused(.malformed(error.message)))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.reader.reclaim()
        self.session?.sendWaitingCalls(at: .now())
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.session?.sendWaitingCalls(at: .now()) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let reason = "the server closed it"
        guard self.limits == nil else { return self.end(.lost(.lost(self.address, reason))) }
        // OpenSSL says nothing to a peer that does not begin with TLS.
        let advice = self.isEncrypted ? "" : "; if it wants TLS, its address begins with semcached+tls://"
        self.end(.lost(.unreachable(self.address, reason + advice)))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? TLSError else {
            return self.end(.lost(.lost(self.address, connectFailureReason(error))))
        }
        // A server that does not take the client's certificate may say so only when it has got the hello.
        if self.limits != nil {
            self.end(.lost(.lost(self.address, error.reason)))
        } else {
            let unreachable = CacheClientError.unreachable(self.address, error)
            self.end(error.isPassing ? .lost(unreachable) : .refused(unreachable))
        }
    }

    private func received(_ message: ServerMessage) {
        switch self.machine.received(message) {
        case .ready(let limits):
            self.limits = limits
            self.reader.maximumBodyBytes = Limits.maximumFrameBytes
            self.session?.connectionReady(self)
        case .complete(let call, let result, let thenClose):
            self.session?.replyReceived()
            self.finish(call, result.mapError { CacheClientError($0, origin: .server) })
            if thenClose { self.finish() }
        case .giveBack(let call, let error, let thenClose):
            self.session?.callGivenBack(call, CacheClientError(error, origin: .server))
            if thenClose { self.finish() }
        case .ignore:
            break
        case .drain(let thenClose):
            self.session?.connectionDraining(self)
            if thenClose { self.finish() }
        case .fail(let fault):
            self.end(fault)
        }
    }
}

extension ByteBuffer {
    /// Whether it is what a TLS server says to a client that does not speak it: a record with an alert.
    fileprivate var beginsWithAlert: Bool {
        self.getInteger(at: self.readerIndex, as: UInt16.self) == 0x15_03
    }
}
