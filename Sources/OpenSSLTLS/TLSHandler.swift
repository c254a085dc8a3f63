// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Makes a channel speak TLS: ciphertext towards the socket, plaintext towards the handlers behind it.
///
/// It stands first in the pipeline. What is written before the handshake is done is kept until then;
/// ``TLSHandshakeCompleted`` tells the handlers behind. A fault is sent to the peer as an alert and to the handlers
/// behind as one ``TLSError``, then the channel is closed. Confined to its event loop.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    let tlsContext: TLSContext
    private let peerName: String?
    var state = StateMachine()
    var session: TLSSession?

    /// Written and not encrypted yet.
    var plaintext = ByteBuffer()
    /// Bytes that were ever written, and how many of them are encrypted.
    var (writtenBytes, encryptedBytes): (UInt64, UInt64) = (0, 0)
    /// Of writes that were not handed to the channel yet, with the value of `writtenBytes` behind them.
    var promises = CircularBuffer<(end: UInt64, promise: EventLoopPromise<Void>)>()

    /// A read was asked for and nothing has come of it.
    private var isReadPending = false
    private var isInputEnded = false
    /// The transport has told its own reason for the end.
    private var isTransportBroken = false

    /// - Parameter peerName: Client side: host name or IP address that was connected to; it is verified.
    package init(_ context: TLSContext, peerName: String? = nil) {
        self.tlsContext = context
        self.peerName = peerName
    }

    // MARK: Life

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.start(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        self.start(context)
    }

    private func start(_ context: ChannelHandlerContext) {
        guard self.state.start() else { return }
        do throws(TLSError) {
            self.session = try TLSSession(self.tlsContext, peerName: self.peerName)
        } catch {
            return self.fail(context, error)
        }
        self.advanceHandshake(context)
        context.read()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        _ = self.state.fail()
        self.end(ChannelError.ioOnClosedChannel)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.transportEnded(context)
        self.end(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    private func transportEnded(_ context: ChannelHandlerContext) {
        let error = self.isTransportBroken ? nil : self.state.transportEnded(isServer: self.tlsContext.isServer)
        if let error { return self.fail(context, error) }
        _ = self.state.fail()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A peer that resets the connection in mid-handshake has failed it as one that closes it has.
        if self.tlsContext.isServer, self.state.isHandshaking, let fault = self.state.transportEnded(isServer: true) {
            return self.fail(context, fault)
        }
        self.isTransportBroken = true
        context.fireErrorCaught(error)
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            // The peer's own word was passed on when it came.
            if self.state.isInputClosed { return }
            if let error = self.state.transportEnded(isServer: self.tlsContext.isServer) {
                self.fail(context, error)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Tells the peer and the handlers behind, once, and closes.
    func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
        guard self.state.fail() else { return }
        // The alert.
        self.send(context, isFlushed: true)
        self.end(error)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    /// Lets go of everything; what was written and not sent is not sent any more.
    private func end(_ error: any Error) {
        self.session = nil
        self.discardWrites(error)
    }

    // MARK: Reading

    package func read(context: ChannelHandlerContext) {
        self.isReadPending = true
        context.read()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var ciphertext = self.unwrapInboundIn(data)
        switch self.state.received(ciphertext.readableBytes) {
        case .advanceHandshake:
            let accepted = self.session?.bytesBeforeLongHello(ciphertext)
            // What comes before a hello that is too long may have a fault of its own, and that is the one to tell:
            // how the bytes were cut on the way makes no difference.
            self.session?.receive(accepted.flatMap { ciphertext.readSlice(length: $0) } ?? ciphertext)
            self.advanceHandshake(context)
            if accepted != nil {
                self.fail(
                    context,
                    TLSError(.limitExceeded, "the peer's hello is longer than \(TLSLimits.maximumHelloBytes) bytes"))
            }
        case .decrypt:
            self.session?.receive(ciphertext)
            self.decrypt(context)
        case .drop: break
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if self.isInputEnded {
            self.isInputEnded = false
            self.inputEnded(context)
        } else {
            self.readOnIfNeeded(context)
        }
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        context.fireChannelWritabilityChanged()
        self.readOnIfNeeded(context)
    }

    /// During a handshake, and after a part of a record: nobody behind has got anything to ask again for.
    ///
    /// A peer that lets its keys be changed again and again, and does not take the answers, is not read on: the answers
    /// would pile up.
    private func readOnIfNeeded(_ context: ChannelHandlerContext) {
        guard self.state.isHandshaking || (self.isReadPending && self.state.isOpen && context.channel.isWritable)
        else { return }
        context.read()
    }

    private func advanceHandshake(_ context: ChannelHandlerContext) {
        guard let session else { return }
        switch session.advanceHandshake() {
        case .needsInput:
            if let error = self.state.handshakeNeedsInput(limit: self.tlsContext.maximumHandshakeBytes) {
                return self.fail(context, error)
            }
            self.send(context, isFlushed: true)
        case .failed(let error): self.fail(context, error)
        case .completed(let handshake):
            let isFlushWanted = self.state.handshakeCompleted()
            self.send(context, isFlushed: true)
            context.fireUserInboundEventTriggered(handshake)
            if isFlushWanted { self.flush(context: context) }
            // Its last part may have come together with data.
            if self.state.isOpen { self.decrypt(context) }
        }
    }

    /// Passes on at once all that has come, in one piece.
    private func decrypt(_ context: ChannelHandlerContext) {
        guard let session else { return }
        var plaintext = context.channel.allocator.buffer(capacity: 0)
        let end = session.decrypt(into: &plaintext)
        if plaintext.readableBytes > 0 {
            self.isReadPending = false
            context.fireChannelRead(self.wrapInboundOut(plaintext))
        }
        switch end {
        case .needsInput: if session.outgoingBytes > 0, self.state.isOpen { self.send(context, isFlushed: true) }
        // As with a socket: first they answer what has come.
        case .closed: self.isInputEnded = true
        case .failed(let error): self.fail(context, error)
        }
    }

    private func inputEnded(_ context: ChannelHandlerContext) {
        let mayGoOn = (try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false
        switch self.state.peerClosed(mayGoOn: mayGoOn) {
        case .none: break
        case .reportInputClosed: context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .close:
            self.sendCloseNotify(context)
            self.end(ChannelError.ioOnClosedChannel)
            context.close(promise: nil)
        }
    }
}
