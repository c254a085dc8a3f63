// SPDX-License-Identifier: Apache-2.0

package import NIOCore

extension TLSHandler {
    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = self.unwrapOutboundIn(data)
        switch self.state.write(keptBytes: self.plaintext.readableBytes + buffer.readableBytes) {
        case .keep: self.keep(buffer, promise)
        case .encrypt:
            self.keep(buffer, promise)
            // Full records now, the rest together with what comes until the flush.
            let full = self.plaintext.readableBytes / TLSLimits.recordBytes * TLSLimits.recordBytes
            guard full > 0, self.encrypt(full, context) else { return }
            if let session, session.outgoingBytes >= TLSLimits.unflushedBytes { self.send(context, isFlushed: false) }
        case .refuse(let error): promise?.fail(error)
        case .fail(let error):
            promise?.fail(error)
            self.fail(context, error)
        }
    }

    package func flush(context: ChannelHandlerContext) {
        guard self.state.flush() else { return }
        if self.encrypt(self.plaintext.readableBytes, context) { self.send(context, isFlushed: true) }
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch self.state.close(mode) {
        case .passOn:
            if mode != .input { self.discardWrites(ChannelError.ioOnClosedChannel) }
            context.close(mode: mode, promise: promise)
        case .closeNotify:
            self.sendCloseNotify(context)
            self.discardWrites(ChannelError.ioOnClosedChannel)
            context.close(mode: mode, promise: promise)
        case .flushAndCloseNotify(let both):
            guard self.encrypt(self.plaintext.readableBytes, context) else {
                promise?.fail(ChannelError.ioOnClosedChannel)
                return
            }
            self.sendCloseNotify(context)
            context.close(mode: both ? .all : mode, promise: promise)
        case .refuse(let error): promise?.fail(error)
        }
    }

    // MARK: Parts

    private func keep(_ buffer: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        self.writtenBytes += UInt64(buffer.readableBytes)
        if let promise { self.promises.append((self.writtenBytes, promise)) }
        if self.plaintext.readableBytes == 0 {
            // Mostly the only one until the flush: not copied.
            self.plaintext = buffer
        } else {
            self.plaintext.discardReadBytes()
            self.plaintext.writeImmutableBuffer(buffer)
        }
    }

    /// - Returns: Whether the connection is still there.
    private func encrypt(_ count: Int, _ context: ChannelHandlerContext) -> Bool {
        guard let session else { return false }
        do throws(TLSError) {
            try session.encrypt(count, of: &self.plaintext)
        } catch {
            self.fail(context, error)
            return false
        }
        self.encryptedBytes += UInt64(count)
        if self.plaintext.readableBytes == 0 { self.plaintext = ByteBuffer() }
        return true
    }

    /// Hands to the channel what is encrypted, with the promises of the writes that it is the end of.
    func send(_ context: ChannelHandlerContext, isFlushed: Bool) {
        guard let session else { return }
        let promise = self.takeEncryptedPromises()
        if session.outgoingBytes > 0 || promise != nil {
            // An empty write keeps its place as well.
            context.write(self.wrapOutboundOut(session.takeOutgoing()), promise: promise)
        }
        if isFlushed { context.flush() }
    }

    func sendCloseNotify(_ context: ChannelHandlerContext) {
        self.session?.sendCloseNotify()
        self.send(context, isFlushed: true)
    }

    /// One that completes all others in their order.
    private func takeEncryptedPromises() -> EventLoopPromise<Void>? {
        guard let first = self.promises.first, first.end <= self.encryptedBytes else { return nil }
        self.promises.removeFirst()
        while let next = self.promises.first, next.end <= self.encryptedBytes {
            self.promises.removeFirst()
            first.promise.futureResult.cascade(to: next.promise)
        }
        return first.promise
    }

    /// Fails what was written and is not encrypted, now that it never will be.
    func discardWrites(_ error: any Error) {
        self.plaintext = ByteBuffer()
        // Failing one may lead back here.
        var discarded = CircularBuffer<(end: UInt64, promise: EventLoopPromise<Void>)>()
        swap(&discarded, &self.promises)
        for (_, promise) in discarded { promise.fail(error) }
    }
}
