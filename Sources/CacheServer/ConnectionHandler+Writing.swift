// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Logging
import NIOCore

extension ConnectionHandler {
    func send(_ message: ServerMessage) {
        guard let context = self.context else { return }
        self.encoder.write(message, into: &self.outbound)
        // Whoever reads or processes flushes at its end.
        guard !self.isReading, !self.isProcessing else { return }
        if self.outbound.readableBytes >= Self.writeBytes { return self.flush(context) }
        guard !self.isFlushScheduled else { return }
        // Replies that become ready in the same turn of the loop leave in one write.
        self.isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            if let context = self.context { self.flush(context) }
        }
    }

    /// Whether so much waits for a peer that does not read it that large answers are withheld from it.
    var isOverfull: Bool {
        guard let channel = self.context?.channel, !channel.isWritable else { return false }
        let waiting = try? channel.syncOptions?.getOption(.bufferedWritableBytes)
        return (waiting ?? 0) + self.outbound.readableBytes > 4 * Limits.maximumUnwrittenBytes
    }

    func flush(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil) {
        guard self.outbound.readableBytes > 0 || promise != nil else { return }
        // Taken out first: the write may make the channel writable, which leads here again.
        var written = ByteBuffer()
        swap(&written, &self.outbound)
        context.writeAndFlush(self.wrapOutboundOut(written), promise: promise)
        // Kept if it was written at once and is not large: an idle connection should hold little.
        if written.capacity <= 128 << 10, self.outbound.capacity == 0 {
            written.clear()
            self.outbound = written
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if !self.isClosing {
                self.writeDeadline?.cancel()
                self.writeDeadline = nil
            }
            self.resumeReading()
        } else {
            self.watchWrites(context)
        }
        context.fireChannelWritabilityChanged()
    }

    /// A peer that does not take what is written to it does not keep its connection.
    private func watchWrites(_ context: ChannelHandlerContext) {
        guard self.writeDeadline == nil else { return }
        let deadline = TimeAmount(self.limits.writeDeadline)
        self.writeDeadline = context.eventLoop.assumeIsolated().scheduleTask(in: deadline) {
            self.logger.debug("peer does not read its replies; closing")
            self.context?.close(promise: nil)
        }
    }

    /// Gives up what is in flight, and closes when the peer has taken what was written.
    func closeAfterFlush() {
        guard let context = self.context, !self.isClosing else { return }
        self.isClosing = true
        // Nothing can be said before TLS stands.
        guard !self.isSecuring else { return context.close(promise: nil) }
        self.giveUpCalls()
        self.watchWrites(context)
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in self.context?.close(promise: nil) }
        self.flush(context, promise: promise)
    }
}
