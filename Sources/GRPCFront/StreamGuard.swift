// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import NIOCore
import NIOHPACK
import NIOHTTP2

/// Stands between HTTP/2 and gRPC on each stream: says which connection it is of, and bounds what it may hold. Confined
/// to the connection's event loop.
final class StreamGuard: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let connection: ConnectionGuard
    private let limits: ConnectionLimits
    private var context: ChannelHandlerContext?
    /// Whether it is a call of ours; `nil` until its headers are there.
    private var isCall: Bool?
    private var isRefused = false
    /// Whether the peer has said that nothing more comes.
    private var hasArrived = false
    /// The request's first bytes: flags and length of its message.
    private var prefix = ByteBuffer()
    private var arrived = 0
    /// Of the message; `nil` until its length is there and has room.
    private var requestBytes: Int?
    private var call: PeerCall?
    private var arrival: Scheduled<Void>?
    /// Parts of the response that the peer has yet to take, and that it has taken.
    private var waiting = 0
    private var taken = 0
    private var departure: Scheduled<Void>?

    init(of connection: ConnectionGuard, _ limits: ConnectionLimits) {
        self.connection = connection
        self.limits = limits
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.end() }

    private func end() {
        guard self.context != nil else { return }
        self.context = nil
        self.arrival?.cancel()
        self.release()
    }

    /// Gives back what the stream holds, when it is over and the peer has taken all of it.
    private func release() {
        guard self.context == nil, self.waiting == 0, let isCall = self.isCall.take() else { return }
        if let call { call.peer.callClosed(call.number) }
        self.connection.streamClosed(isCall: isCall, requestBytes: self.requestBytes ?? 0)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // gRPC would take it for the call's cancellation; a call in flight is to be answered.
        if event is ChannelShouldQuiesceEvent, self.isCall == true { return }
        context.fireUserInboundEventTriggered(event)
    }

    // MARK: The request

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isRefused else { return }
        switch self.unwrapInboundIn(data) {
        case .headers(var headers) where self.isCall == nil:
            guard self.headersReceived(&headers, context) else { return }
            context.fireChannelRead(self.wrapInboundOut(.headers(headers)))
        case .data(let body):
            guard self.dataReceived(body) else { return }
            context.fireChannelRead(data)
        default:
            context.fireChannelRead(data)
        }
    }

    private func headersReceived(
        _ headers: inout HTTP2Frame.FramePayload.Headers, _ context: ChannelHandlerContext
    ) -> Bool {
        let timeouts = headers.headers[canonicalForm: "grpc-timeout"]
        for name in ["grpc-timeout", CallTimeout.headerName, PeerTable.headerName] {
            headers.headers.remove(name: name)
        }
        for timeout in timeouts { headers.headers.add(name: CallTimeout.headerName, value: String(timeout)) }
        let isCall = headers.headers.first(name: ":path").map(GRPCFront.isCall) ?? false
        self.isCall = isCall
        if isCall, let peer = self.connection.peer {
            let call = PeerCall(peer: peer, number: peer.callOpened())
            headers.headers.add(name: PeerTable.headerName, value: call.headerValue)
            self.call = call
        }
        self.hasArrived = headers.endStream
        guard self.connection.streamOpened(isCall: isCall) else {
            self.refuse(.resourceExhausted, "the connection has too many streams that are no calls")
            return false
        }
        // What talks back and forth may stay; it holds next to nothing.
        if isCall, !headers.endStream {
            let deadline = TimeAmount(self.limits.frameDeadline)
            self.arrival = context.eventLoop.assumeIsolated().scheduleTask(in: deadline) {
                self.refuse(.deadlineExceeded, "the request took longer than \(self.limits.frameDeadline)")
            }
        }
        return true
    }

    private func dataReceived(_ body: HTTP2Frame.FramePayload.Data) -> Bool {
        guard case .byteBuffer(let bytes) = body.data else { return true }
        if body.endStream {
            self.hasArrived = true
            self.arrival?.cancel()
        }
        self.arrived += bytes.readableBytes
        guard self.isCall == true else {
            guard self.arrived <= Limits.maximumSideStreamBytes else {
                self.refuse(.resourceExhausted, "the stream has over \(Limits.maximumSideStreamBytes) bytes")
                return false
            }
            return true
        }
        if self.requestBytes == nil, !self.lengthReceived(bytes) { return false }
        // gRPC would collect another message, as large as it likes, though the methods have one.
        guard let requestBytes, self.arrived > FrameReader.headerBytes + requestBytes else { return true }
        self.refuse(.invalidArgument, "the call has more than one message")
        return false
    }

    /// - Returns: Whether there is room for the message, as far as its length is known.
    private func lengthReceived(_ bytes: ByteBuffer) -> Bool {
        let missing = FrameReader.headerBytes - self.prefix.readableBytes
        self.prefix.writeImmutableBuffer(
            bytes.getSlice(at: bytes.readerIndex, length: min(missing, bytes.readableBytes))!)
        guard let length = self.prefix.getInteger(at: self.prefix.readerIndex + 1, as: UInt32.self) else { return true }
        guard length <= Limits.maximumFrameBytes else {
            self.refuse(.resourceExhausted, "the message has \(length) bytes, the limit is \(Limits.maximumFrameBytes)")
            return false
        }
        guard self.connection.reserve(Int(length)) else {
            self.refuse(.resourceExhausted, "the connection has over \(Limits.maximumBytesInFlight) bytes in flight")
            return false
        }
        self.requestBytes = Int(length)
        return true
    }

    /// Answers in the place of gRPC and ends the stream.
    private func refuse(_ code: CacheError.Code, _ message: String) {
        guard let context, !self.isRefused else { return }
        self.isRefused = true
        let headers: HPACKHeaders = [
            ":status": "200", "content-type": "application/grpc", "grpc-status": "\(code.rawValue)",
            "grpc-message": message,
        ]
        context.write(
            self.wrapOutboundOut(.headers(.init(headers: headers, endStream: true))),
            promise: self.watched(nil, context))
        self.stopRequest(context)
        context.flush()
    }

    /// The answer is complete; what is left of the request need not be sent, nor is that a fault.
    private func stopRequest(_ context: ChannelHandlerContext) {
        guard !self.hasArrived else { return }
        context.write(self.wrapOutboundOut(.rstStream(.noError)), promise: nil)
    }

    // MARK: The response

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .data(let body): self.write(body, context, promise)
        case .headers(let headers) where headers.endStream:
            context.write(data, promise: self.watched(promise, context))
            self.stopRequest(context)
        default: context.write(data, promise: promise)
        }
    }

    /// In parts, so that a peer that takes a large answer slowly can be told from one that takes nothing.
    private func write(
        _ body: HTTP2Frame.FramePayload.Data, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
    ) {
        guard case .byteBuffer(var rest) = body.data else {
            return context.write(self.wrapOutboundOut(.data(body)), promise: promise)
        }
        while rest.readableBytes > Limits.answerPartBytes, let part = rest.readSlice(length: Limits.answerPartBytes) {
            context.write(
                self.wrapOutboundOut(.data(.init(data: .byteBuffer(part)))), promise: self.watched(nil, context))
        }
        context.write(
            self.wrapOutboundOut(.data(.init(data: .byteBuffer(rest), endStream: body.endStream))),
            promise: self.watched(promise, context))
    }

    /// Sees to it that the peer takes what is written with this promise.
    private func watched(_ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) -> EventLoopPromise<Void>
    {
        let promise = promise ?? context.eventLoop.makePromise()
        self.waiting += 1
        if self.departure == nil { self.watchDeparture(context.eventLoop) }
        promise.futureResult.assumeIsolated().whenComplete { _ in
            self.waiting -= 1
            self.taken += 1
            guard self.waiting == 0 else { return }
            self.departure?.cancel()
            self.departure = nil
            self.release()
        }
        return promise
    }

    /// A response must be taken, by and by. What the peer takes of others, or of HTTP/2's own, does not count: it could
    /// have as many responses kept for it as it likes.
    private func watchDeparture(_ eventLoop: any EventLoop) {
        let mark = self.taken
        let deadline = TimeAmount(self.limits.writeDeadline)
        self.departure = eventLoop.assumeIsolated().scheduleTask(in: deadline) {
            if self.taken == mark { self.connection.isStuck() } else { self.watchDeparture(eventLoop) }
        }
    }
}
