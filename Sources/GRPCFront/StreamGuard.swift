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
    private var requestBytes = 0
    private var responseBytes = 0
    private var arrival: Scheduled<Void>?
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
        self.departure?.cancel()
        guard let isCall else { return }
        self.connection.streamClosed(
            isCall: isCall, requestBytes: self.requestBytes, responseBytes: self.responseBytes)
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
        if let peer = self.connection.peer { headers.headers.add(name: PeerTable.headerName, value: "\(peer.id)") }
        let isCall = headers.headers.first(name: ":path").map(GRPCFront.isCall) ?? false
        self.isCall = isCall
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
        guard self.prefix.readableBytes < FrameReader.headerBytes else { return true }
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
        context.write(self.wrapOutboundOut(.headers(.init(headers: headers, endStream: true))), promise: nil)
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
        case .data(let body):
            self.responseBytes += body.data.readableBytes
            self.connection.peer?.addUnwritten(body.data.readableBytes)
        case .headers(let headers) where headers.endStream:
            self.watchDeparture(context)
            context.write(data, promise: promise)
            return self.stopRequest(context)
        default: break
        }
        context.write(data, promise: promise)
    }

    /// A response that is complete must be taken, by and by: a peer that takes nothing at all of anything is not there.
    private func watchDeparture(_ context: ChannelHandlerContext) {
        let mark = self.connection.written
        let deadline = TimeAmount(self.limits.writeDeadline)
        self.departure = context.eventLoop.assumeIsolated().scheduleTask(in: deadline) {
            guard let context = self.context else { return }
            if self.connection.written == mark {
                context.channel.parent?.close(promise: nil)
            } else {
                self.watchDeparture(context)
            }
        }
    }
}
