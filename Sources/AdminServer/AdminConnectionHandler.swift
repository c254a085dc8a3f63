// SPDX-License-Identifier: Apache-2.0

import CacheModel
import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Ends a connection that takes no whole answer in time: one that is idle, drips its request, or does not read. One rule
/// for all of them, so that none can hold its place for long.
final class AdminConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let deadline: TimeAmount
    private var expiry: Scheduled<Void>?
    /// Of the request that is being read.
    private var bodyBytes = 0
    /// The answer that is being written is the last one.
    private var isLast = false

    init(deadline: TimeAmount) { self.deadline = deadline }

    func handlerAdded(context: ChannelHandlerContext) { self.restart(context) }

    func handlerRemoved(context: ChannelHandlerContext) { self.expiry?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head:
            self.bodyBytes = 0
        case .body(let bytes):
            self.bodyBytes += bytes.readableBytes
            guard self.bodyBytes <= Limits.maximumAdminBodyBytes else {
                if !self.isLast { context.close(promise: nil) }
                return
            }
        case .end:
            break
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(let head):
            self.isLast = head.headerFields[.connection] == "close"
            context.write(data, promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end:
            let written = promise ?? context.eventLoop.makePromise(of: Void.self)
            let isLast = self.isLast
            written.futureResult.assumeIsolated().whenSuccess {
                if isLast { context.close(promise: nil) } else { self.restart(context) }
            }
            context.write(data, promise: written)
        }
    }

    private func restart(_ context: ChannelHandlerContext) {
        self.expiry?.cancel()
        self.expiry = context.eventLoop.assumeIsolated().scheduleTask(in: self.deadline) { context.close(promise: nil) }
    }
}
