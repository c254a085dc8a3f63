// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheEngine
import CacheModel
import CacheWire
import Logging
import NIOCore
import OpenSSLTLS

/// One connection of the native protocol: frames in, frames out, calls between.
///
/// ``ConnectionStateMachine`` decides; this acts. A Lookup that the memory answers is answered in the read that brought
/// it (``FastLane``); everything else becomes a task on the same event loop. Confined to its event loop.
final class ConnectionHandler: ChannelInboundHandler, ChannelOutboundHandler {
    /// Replies that are collected into one write, bytes. Beyond it they are handed to the channel, which says when they
    /// are too many.
    static let writeBytes = Limits.maximumUnwrittenBytes / 16

    typealias InboundIn = ByteBuffer
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    struct Work {
        let task: Task<Void, Never>
        let deadline: Scheduled<Void>
        let question: Question
    }

    let dispatcher: Dispatcher
    let logger: Logger
    let authenticator: any Authenticator
    let limits: ConnectionLimits
    private let decoder = ClientMessageDecoder()
    let encoder = ServerMessageEncoder()
    var reader: FrameReader
    var fastLane: FastLane
    var session: Session?
    var state: ConnectionStateMachine<Work>
    var context: ChannelHandlerContext?
    var executor: EventLoopTaskExecutor?
    let outcome: (ConnectionOutcome) -> Void

    var outbound = ByteBuffer()
    private(set) var isReading = false
    private(set) var isProcessing = false
    var isFlushScheduled = false
    var isClosing = false
    private var isReadPending = false
    var framesRead: UInt64 = 0
    var handshakeDeadline: Scheduled<Void>?
    var credentialEnd: Scheduled<Void>?
    var authentication: Task<Void, Never>?
    private var frameDeadline: Scheduled<Void>?
    var writeDeadline: Scheduled<Void>?
    var idleDeadline: Scheduled<Void>?
    var lingerDeadline: Scheduled<Void>?
    let journal: ListenerJournal
    let currentTLS: CurrentTLS
    /// That of this connection; `nil` for plain TCP.
    let tls: TLSContext?
    /// Whether TLS has yet to say who the peer is.
    var isSecuring: Bool
    var certificate: ClientCertificate?
    /// Of the peer, as it was when the connection began: a broken one has none.
    private(set) var address: SocketAddress?
    /// What the peer is to be told once TLS stands, so that it goes.
    var drainReason: String?

    /// - Parameters:
    ///   - tls: Of the ``TLSHandler`` that comes before; `nil` if there is none.
    ///   - outcome: Told when the peer said hello and when the connection is gone.
    init(
        dispatcher: Dispatcher, authenticator: any Authenticator, limits: ConnectionLimits, tls: TLSContext?,
        currentTLS: CurrentTLS, journal: ListenerJournal, logger: Logger,
        outcome: @escaping (ConnectionOutcome) -> Void
    ) {
        self.dispatcher = dispatcher
        self.authenticator = authenticator
        self.limits = limits
        self.logger = logger
        self.outcome = outcome
        self.reader = FrameReader(maximumBodyBytes: Limits.maximumHelloBytes)
        self.fastLane = FastLane(dispatcher)
        self.tls = tls
        self.currentTLS = currentTLS
        self.journal = journal
        self.isSecuring = tls != nil
        self.state = ConnectionStateMachine(maximumInFlight: limits.maximumCallsInFlight)
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.address = context.remoteAddress
        self.executor = EventLoopTaskExecutor(context.eventLoop)
        let deadline = TimeAmount(self.limits.handshakeDeadline)
        self.handshakeDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: deadline) {
            guard self.state.isStranger else { return }
            guard !self.isSecuring else { return self.handshakeFailed("not complete in time") }
            self.fail(WireError(.unexpectedMessage, "no hello within \(self.limits.handshakeDeadline)"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.end() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.isSecuring, let fault = error as? TLSError { return self.handshakeFailed("\(fault)") }
        // Broken pipe, reset: the peer is gone, its calls with it.
        context.close(promise: nil)
    }

    private func end() {
        guard self.context != nil else { return }
        self.giveUpCalls()
        for timer in [
            self.handshakeDeadline, self.frameDeadline, self.writeDeadline, self.credentialEnd, self.idleDeadline,
            self.lingerDeadline,
        ] {
            timer?.cancel()
        }
        self.authentication?.cancel()
        self.context = nil
        self.outcome(.closed)
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        // Not reading is how a peer with too many calls in flight, or unread replies, is slowed down.
        if self.mayRead(context) { context.read() } else { self.isReadPending = true }
    }

    private func mayRead(_ context: ChannelHandlerContext) -> Bool {
        self.state.canAccept && context.channel.isWritable
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.reader.append(self.unwrapInboundIn(data))
        self.isReading = true
        self.processFrames(context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        self.reader.reclaim()
        self.flush(context)
        context.fireChannelReadComplete()
    }

    private func processFrames(_ context: ChannelHandlerContext) {
        // A flush in here may make the channel writable, which leads here again.
        guard !self.isProcessing else { return }
        self.isProcessing = true
        defer { self.isProcessing = false }
        // One reading of the clock, and of the log's level, for all frames of a read.
        let now = self.dispatcher.engine.now
        // One reading for all that has come: each was asked before it.
        let leaseTime = MemoryLease.now
        self.fastLane.isLogged = self.dispatcher.logsCalls
        do throws(WireError) {
            while self.mayRead(context) {
                self.reader.maximumBodyBytes =
                    self.state.isStranger ? Limits.maximumHelloBytes : Limits.maximumFrameBytes
                let next = try self.reader.withNextBody { body -> WireError? in
                    do throws(WireError) {
                        try self.frameReceived(body, at: now, leaseTime: leaseTime)
                        return nil
                    } catch {
                        return error
                    }
                }
                guard let fault = next else { break }
                self.framesRead += 1
                if let fault { throw fault }
                // What one read asks for may be ten thousand times as large: it meets the limit while it is made.
                if self.outbound.readableBytes >= Self.writeBytes { self.flush(context) }
            }
            if self.state.canAccept { self.watchFrame(context) }
        } catch {
            self.fail(error)
        }
    }

    private func frameReceived(_ body: UnsafeRawBufferPointer, at now: Timestamp, leaseTime: Int64) throws(WireError) {
        let result = self.decoder.withUnpacked(body) { message -> Result<ClientMessage, WireError>? in
            if self.state.isOpen, let id = FastLane.callID(message), !self.state.isInFlight(id),
                self.fastLane.answer(
                    message, bytes: body.count, at: now, leaseTime: leaseTime, into: &self.outbound)
            {
                return nil
            }
            do throws(WireError) {
                let decoded = try ClientMessageDecoder.message(message)
                if case .call(let call) = decoded, case .success(.lookup(let lookup)) = call.request,
                    let tenant = try? self.session?.tenant(naming: call.tenant)
                {
                    self.fastLane.remember(message, lookup, tenant: tenant)
                }
                return .success(decoded)
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .some(.none): break
        case .some(.some(.success(let message))): try self.messageReceived(message, bytes: body.count)
        case .some(.some(.failure(let fault))): try self.undecodable(fault)
        case .none:
            try self.undecodable(
                WireError(.malformedMessage, "message is no valid protobuf or takes too much memory"))
        }
    }

    /// The frame was whole, so the stream goes on; what was in it belongs to no call that we know.
    private func undecodable(_ fault: WireError) throws(WireError) {
        guard !self.state.isStranger else { throw fault }
        self.refuse(0, Question(nil, from: CallOrigin(.native)), CacheError(.invalidArgument, fault.message))
    }

    private func messageReceived(_ message: ClientMessage, bytes: Int) throws(WireError) {
        switch message {
        case .hello(let hello): try self.helloReceived(hello)
        case .call(let call): try self.callReceived(call, bytes: bytes)
        case .cancel(let id):
            guard !self.state.isStranger else {
                throw WireError(.unexpectedMessage, "a cancel before hello")
            }
            self.answer(id, .failure(CacheError(.cancelled, "the call was given up")))
        }
    }

    func resumeReading() {
        guard let context = self.context else { return }
        self.processFrames(context)
        if !self.isReading { self.flush(context) }
        guard self.isReadPending, self.context != nil, self.mayRead(context) else { return }
        self.isReadPending = false
        context.read()
    }

    /// A frame that was begun must end in time.
    private func watchFrame(_ context: ChannelHandlerContext) {
        guard self.reader.isInsideFrame, self.frameDeadline == nil, self.state.canAccept else { return }
        let frame = self.framesRead
        let deadline = TimeAmount(self.limits.frameDeadline)
        self.frameDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: deadline) {
            self.frameDeadline = nil
            guard let context = self.context else { return }
            if self.framesRead == frame, self.reader.isInsideFrame, self.mayRead(context) {
                self.fail(WireError(.unexpectedMessage, "a frame took longer than \(self.limits.frameDeadline)"))
            } else {
                self.watchFrame(context)
            }
        }
    }

    /// Tells the peer what was wrong and closes: the stream cannot be read any further.
    func fail(_ error: WireError) {
        self.logger.debug("connection refused", metadata: ["error.code": "\(error.code.rawValue)"])
        let code: CacheError.Code = error.code == .unsupportedVersion ? .failedPrecondition : .invalidArgument
        let isUnknown = self.state.isStranger && error.code != .unsupportedVersion
        let reply =
            isUnknown && self.authenticator.requiresCredential
            ? CacheError(.unauthenticated, "a hello with a credential must come first")
            : CacheError(code, error.message)
        self.send(.reply(Reply(id: 0, result: .failure(reply))))
        self.closeAfterFlush()
    }
}
