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
    /// What HTTP/2 says by itself, whether or not the peer takes any answers, is no longer than this.
    private static let pingBytes = 17

    /// HTTP/2's frame: no error, and no stream that is open or on its way is meant.
    private static let goAway: [UInt8] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]

    private let front: GRPCFront
    private let isSecured: Bool
    private var context: ChannelHandlerContext?
    private var address: String?
    private var greeting: Scheduled<Void>?
    private var received = 0
    private(set) var peer: Peer?
    /// Bytes of answers handed to the socket so far.
    private(set) var written = 0
    /// Of requests that are arriving or being worked on.
    private var requestBytes = 0
    private var openStreams = 0
    /// Streams that are no calls of ours.
    private var sideStreams = 0
    private var mustEnd = false

    /// - Parameter isSecured: Whether a ``TLSHandler`` comes before.
    init(of front: GRPCFront, isSecured: Bool) {
        self.front = front
        self.isSecured = isSecured
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.address = context.remoteAddress?.ipAddress
        self.front.dispatcher.connectionOpened()
        if !self.isSecured { self.peer = self.front.peers.add(certificate: nil) }
        let deadline = self.front.configuration.limits.handshakeDeadline
        self.greeting = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(deadline)) {
            self.front.logger.debug("connection refused", metadata: ["error.code": "handshake_deadline"])
            self.context?.close(promise: nil)
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
        self.front.admission.closed(from: self.address, isStranger: self.greeting != nil)
        self.greeting?.cancel()
        if let peer { self.front.peers.remove(peer) }
        self.front.dispatcher.connectionClosed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let greeting {
            self.received += self.unwrapInboundIn(data).readableBytes
            if self.received >= Self.greetingBytes {
                greeting.cancel()
                self.greeting = nil
                self.front.admission.helloReceived(from: self.address)
            }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = self.unwrapOutboundIn(data).readableBytes
        if bytes > Self.pingBytes { self.written += bytes }
        context.write(data, promise: promise)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let handshake as TLSHandshakeCompleted:
            self.front.dispatcher.countHandshake(isResumed: handshake.isResumed)
            self.peer = self.front.peers.add(certificate: handshake.peer.map { ClientCertificate($0) })
            guard handshake.applicationProtocol == GRPCFront.applicationProtocol else {
                self.front.logger.debug("connection refused", metadata: ["error.code": "no_application_protocol"])
                return context.close(promise: nil)
            }
        case is ChannelShouldQuiesceEvent:
            return self.quiesce(context, event)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let fault = error as? TLSError, self.isSecured, self.peer == nil {
            self.front.dispatcher.countFailedHandshake()
            let peer = context.remoteAddress?.description ?? ""
            self.front.logger.notice(
                "TLS handshake failed", metadata: ["connection.peer": "\(peer)", "reason": "\(fault)"])
        }
        context.fireErrorCaught(error)
    }

    /// Tells the peer to open no more streams, and HTTP/2 to end a while later: as soon as that knows, it refuses the
    /// streams that a peer opens which does not know yet.
    ///
    /// HTTP/2 then waits for the peer's acknowledgement; one that does not answer is not waited for once its calls are
    /// done.
    private func quiesce(_ context: ChannelHandlerContext, _ event: Any) {
        // Nobody who speaks is there yet.
        guard self.greeting == nil else { return context.close(promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: Self.goAway)), promise: nil)
        let eventLoop = context.eventLoop.assumeIsolated()
        _ = eventLoop.scheduleTask(in: TimeAmount(Limits.goAwayNotice)) {
            self.context?.fireUserInboundEventTriggered(event)
        }
        _ = eventLoop.scheduleTask(in: TimeAmount(Limits.goAwayNotice + Limits.goAwayDeadline)) {
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

    func streamClosed(isCall: Bool, requestBytes: Int, responseBytes: Int) {
        self.openStreams -= 1
        if !isCall { self.sideStreams -= 1 }
        self.requestBytes -= requestBytes
        self.peer?.addUnwritten(-responseBytes)
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

extension ClientCertificate {
    init(_ peer: PeerCertificate) {
        let names =
            peer.dnsNames.compactMap { CertificateName(dns: $0) } + peer.uris.compactMap { CertificateName(uri: $0) }
            + peer.emails.compactMap { CertificateName(email: $0) }
        self.init(names: names, notAfter: Timestamp(milliseconds: peer.notAfter.clampedMilliseconds))
    }
}

extension Int64 {
    /// Of a number of seconds.
    fileprivate var clampedMilliseconds: Int64 {
        let (product, isTooLarge) = self.multipliedReportingOverflow(by: 1000)
        return isTooLarge ? (self < 0 ? .min : .max) : product
    }
}
