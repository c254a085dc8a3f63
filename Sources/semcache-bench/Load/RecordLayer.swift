// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS

/// TLS for a blocking socket: takes and gives bytes, does no I/O. To be used on one thread.
final class RecordLayer {
    private let channel = EmbeddedChannel()
    private let end = PlaintextEnd()
    /// Where ciphertext from the server is read to.
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)

    /// Begins a handshake.
    ///
    /// - Parameter peerName: Host name or IP address that the server's certificate must be for.
    /// - Throws: ``BenchError`` if there can be none.
    init(_ context: TLSContext, peerName: String, port: Int) throws(BenchError) {
        do {
            let address = try SocketAddress(ipAddress: peerName, port: port)
            let handlers: [any ChannelHandler] = [TLSHandler(context, peerName: peerName), self.end]
            try self.channel.pipeline.syncOperations.addHandlers(handlers)
            self.channel.connect(to: address, promise: nil)
        } catch {
            throw BenchError("\(error)")
        }
        try self.end.check()
    }

    deinit {
        _ = try? self.channel.finish(acceptAlreadyClosed: true)
        self.room.deallocate()
    }

    var isEstablished: Bool { self.end.isEstablished }
    /// Whether there are bytes that nobody has taken.
    var hasPlaintext: Bool { self.end.plaintext.readableBytes > 0 }

    /// Encrypts bytes; they are outgoing then.
    func encrypt(_ plaintext: UnsafeRawBufferPointer) throws(BenchError) {
        self.channel.pipeline.syncOperations.writeAndFlush(NIOAny(ByteBuffer(bytes: plaintext)), promise: nil)
        try self.end.check()
    }

    /// Takes what is to be sent to the server.
    func takeOutgoing() -> ByteBuffer {
        var outgoing = ByteBuffer()
        while let next = try? self.channel.readOutbound(as: ByteBuffer.self) {
            if outgoing.readableBytes == 0 { outgoing = next } else { outgoing.writeImmutableBuffer(next) }
        }
        return outgoing
    }

    /// Decrypts so many bytes of ``room``.
    ///
    /// - Throws: ``BenchError`` if that fails, or nothing more will come.
    func decrypt(_ count: Int) throws(BenchError) {
        let ciphertext = ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: self.room[..<count]))
        self.channel.pipeline.syncOperations.fireChannelRead(NIOAny(ciphertext))
        self.channel.pipeline.syncOperations.fireChannelReadComplete()
        try self.end.check()
    }

    /// Takes as many bytes as there are and as fit.
    func takePlaintext(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, self.end.plaintext.readableBytes)
        self.end.plaintext.readWithUnsafeReadableBytes { bytes in
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
            return count
        }
        return count
    }
}

/// Keeps what is decrypted, and what went wrong.
private final class PlaintextEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var plaintext = ByteBuffer()
    private(set) var isEstablished = false
    private var isClosed = false
    private var fault: (any Error)?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        if self.plaintext.readableBytes == 0 {
            self.plaintext = bytes
        } else {
            self.plaintext.writeImmutableBuffer(bytes)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is TLSHandshakeCompleted { self.isEstablished = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.fault = self.fault ?? error }

    func channelInactive(context: ChannelHandlerContext) { self.isClosed = true }

    func check() throws(BenchError) {
        if let fault { throw BenchError("TLS with the server: \(fault)") }
        if self.isClosed, self.plaintext.readableBytes == 0 { throw BenchError("the server has closed the connection") }
    }
}
