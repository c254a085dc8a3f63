// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import Logging
import NIOCore
import OpenSSLTLS

/// Stands between TLS and HTTP/2: counts the connection, knows who it is, and ends it if its peer neither speaks nor
/// reads. Confined to its event loop.
final class ConnectionGuard: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// HTTP/2's preface and the header of the settings that must follow it: who sent that speaks.
    private static let greetingBytes = 24 + 9
    /// HTTP/2's frame: no error, and no stream that is open or on its way is meant.
    private static let goAway: [UInt8] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]

    private let front: GRPCFront
    private let tls: TLSContext?
    private var context: ChannelHandlerContext?
    /// As it was when the connection began: a broken one has none.
    private var address: SocketAddress?
    private var greeting: Scheduled<Void>?
    private var received = 0
    /// Whether nobody who is known has called yet. Health and reflection are for everybody.
    private var isStranger: Bool
    private(set) var peer: Peer?
    /// Through which the peer's calls reach this connection, while it is open.
    private var link: NIOLoopBoundBox<ConnectionGuard?>?
    private var isReadPending = false
    /// Runs while the socket does not take what is written.
    private var departure: Scheduled<Void>?
    private var isQuiescing = false
    /// Of requests that are arriving or being worked on.
    private var requestBytes = 0
    private var openStreams = 0
    /// Streams that are no calls of ours.
    private var sideStreams = 0
    private var mustEnd = false

    /// - Parameters:
    ///   - tls: Of the ``TLSHandler`` that comes before; `nil` if there is none.
    ///   - isRefused: Whether it is one too many, and is closed at once.
    init(of front: GRPCFront, tls: TLSContext?, isRefused: Bool) {
        self.front = front
        self.tls = tls
        self.isStranger = !isRefused
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.address = context.remoteAddress
        self.front.dispatcher.connectionOpened()
        if self.tls == nil { self.meet(nil, context) }
        let deadline = self.front.configuration.limits.handshakeDeadline
        self.greeting = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(deadline)) {
            guard let context = self.context else { return }
            if self.isSecuring {
                self.front.journal.handshakeFailed("not complete in time", of: self.address)
            } else {
                self.front.logger.debug("connection refused", metadata: ["error.code": "handshake_deadline"])
            }
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.end() }

    private func end() {
        guard self.context != nil else { return }
        self.context = nil
        self.front.admission.closed(from: self.address?.ipAddress, isStranger: self.isStranger)
        self.greeting?.cancel()
        self.departure?.cancel()
        self.link?.value = nil
        if let peer { self.front.peers.remove(peer) }
        self.front.dispatcher.connectionClosed()
    }

    // MARK: Who it is

    private func meet(_ certificate: ClientCertificate?, _ context: ChannelHandlerContext) {
        let eventLoop = context.eventLoop
        let link = NIOLoopBoundBox<ConnectionGuard?>(self, eventLoop: eventLoop)
        self.link = link
        self.peer = self.front.peers.add(self.address, certificate: certificate, tls: self.tls) { event in
            eventLoop.execute { link.value?.hear(event) }
        }
    }

    private func hear(_ event: Peer.Event) {
        guard let context else { return }
        switch event {
        case .isKnown: self.noStranger(context)
        case .wasRefused:
            self.front.logger.debug("connection refused", metadata: ["error.code": "unauthenticated"])
            self.quiesce(context, ChannelShouldQuiesceEvent())
        case .lostTrust: self.quiesce(context, ChannelShouldQuiesceEvent())
        }
    }

    private func noStranger(_ context: ChannelHandlerContext) {
        guard self.isStranger else { return }
        self.isStranger = false
        self.front.admission.helloReceived(from: self.address?.ipAddress)
        try? context.channel.syncOptions?.setOption(
            .writeBufferWaterMark, value: .init(below: Limits.maximumUnwrittenBytes))
    }

    // MARK: Bytes

    func read(context: ChannelHandlerContext) {
        // What is read leads to more that is written.
        if context.channel.isWritable { context.read() } else { self.isReadPending = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.departure?.cancel()
            self.departure = nil
            if self.isReadPending {
                self.isReadPending = false
                context.read()
            }
        } else if self.departure == nil {
            let deadline = TimeAmount(self.front.configuration.limits.writeDeadline)
            self.departure = context.eventLoop.assumeIsolated().scheduleTask(in: deadline) { self.isStuck() }
        }
        context.fireChannelWritabilityChanged()
    }

    /// The peer does not take what is written to it: it does not keep its connection.
    func isStuck() {
        guard let context else { return }
        self.front.logger.debug("peer does not read its replies; closing")
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let greeting {
            self.received += self.unwrapInboundIn(data).readableBytes
            if self.received >= Self.greetingBytes {
                greeting.cancel()
                self.greeting = nil
                if !self.front.requiresCredential { self.noStranger(context) }
            }
        }
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let handshake as TLSHandshakeCompleted:
            self.front.journal.handshakeCompleted(isResumed: handshake.isResumed)
            self.meet(handshake.peer.map { ClientCertificate($0) }, context)
            guard handshake.applicationProtocol == GRPCFront.applicationProtocol else {
                self.front.logger.debug("connection refused", metadata: ["error.code": "no_application_protocol"])
                return context.close(promise: nil)
            }
            // Who was asked about all peers has not seen this one.
            if let peer, !self.front.trusts(peer) { return context.close(promise: nil) }
        case is ChannelShouldQuiesceEvent:
            return self.quiesce(context, event)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? TLSError, self.isSecuring {
            self.front.journal.handshakeFailed("\(fault)", of: self.address)
        }
        context.fireErrorCaught(error)
    }

    /// Whether TLS has yet to say who the peer is.
    private var isSecuring: Bool { self.tls != nil && self.peer == nil }

    /// Tells the peer to open no more streams, and HTTP/2 to end a while later: as soon as that knows, it refuses the
    /// streams that a peer opens which does not know yet.
    ///
    /// HTTP/2 then waits for the peer's acknowledgement; one that does not answer is not waited for once its calls are
    /// done.
    private func quiesce(_ context: ChannelHandlerContext, _ event: Any) {
        // Nobody who speaks is there yet.
        guard self.greeting == nil else { return context.close(promise: nil) }
        guard !self.isQuiescing else { return }
        self.isQuiescing = true
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: Self.goAway)), promise: nil)
        let eventLoop = context.eventLoop.assumeIsolated()
        let notice = self.front.configuration.goAwayNotice
        _ = eventLoop.scheduleTask(in: TimeAmount(notice)) {
            self.context?.fireUserInboundEventTriggered(event)
        }
        _ = eventLoop.scheduleTask(in: TimeAmount(notice + Limits.goAwayDeadline)) {
            self.mustEnd = true
            self.endIfIdle()
        }
    }

    private func endIfIdle() {
        if self.mustEnd, self.openStreams == 0 { self.context?.close(promise: nil) }
    }

    // MARK: Streams

    /// - Returns: Whether the stream may be.
    func streamOpened(isCall: Bool) -> Bool {
        self.openStreams += 1
        guard !isCall else { return true }
        self.sideStreams += 1
        return self.sideStreams <= Limits.maximumSideStreams
    }

    func streamClosed(isCall: Bool, requestBytes: Int) {
        self.openStreams -= 1
        if !isCall { self.sideStreams -= 1 }
        self.requestBytes -= requestBytes
        self.endIfIdle()
    }

    /// Makes room for a request that is about to arrive.
    ///
    /// - Returns: Whether there is room.
    func reserve(_ bytes: Int) -> Bool {
        guard self.requestBytes + bytes <= Limits.maximumBytesInFlight else { return false }
        self.requestBytes += bytes
        return true
    }
}

extension ChannelOptions.Types.WriteBufferWaterMark {
    /// - Parameter bytes: That may wait to be taken by the peer, and not be too many.
    init(below bytes: Int) { self.init(low: bytes / 4, high: bytes) }
}
