// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHPACK
import NIOPosix

/// A peer that speaks HTTP/2 frame by frame, to do what no client library lets a test do.
struct FramePeer {
    struct Frame {
        let type: UInt8
        let stream: UInt32
        let payload: ByteBuffer
        /// Of one that has them.
        let headers: HPACKHeaders
    }

    static let lookup = "/semcached.v1.SemanticCache/Lookup"
    static let ping = "/semcached.v1.Admin/Ping"

    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var pending = ByteBuffer()
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator())

    init(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.inbound = inbound.makeAsyncIterator()
        self.outbound = outbound
    }

    /// Says what HTTP/2 begins with.
    ///
    /// - Parameter initialWindow: How much the peer takes of each answer before it says otherwise, bytes.
    mutating func greet(initialWindow: UInt32) async throws {
        try await self.outbound.write(ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        var settings = ByteBuffer()
        settings.writeInteger(UInt16(4))
        settings.writeInteger(initialWindow)
        try await self.send(4, settings)
        _ = try await self.next(4)
        try await self.send(4, flags: 1)
    }

    private static func frame(
        _ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: ByteBuffer
    ) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeInteger(UInt32(payload.readableBytes) << 8 | UInt32(type))
        frame.writeInteger(flags)
        frame.writeInteger(stream)
        frame.writeImmutableBuffer(payload)
        return frame
    }

    func send(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: ByteBuffer = ByteBuffer()) async throws {
        try await self.outbound.write(Self.frame(type, flags: flags, stream: stream, payload))
    }

    /// Opens a stream.
    func open(_ path: String, stream: UInt32) async throws {
        try await self.outbound.write(Self.headers(path, stream: stream))
    }

    private static func headers(_ path: String, stream: UInt32) throws -> ByteBuffer {
        var headers = ByteBuffer()
        var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
        try encoder.encode(
            headers: [
                ":method": "POST", ":scheme": "http", ":path": path, ":authority": "test",
                "content-type": "application/grpc", "te": "trailers",
            ], to: &headers)
        return Self.frame(1, flags: 4, stream: stream, headers)
    }

    /// Opens a stream and sends a whole request on it.
    func call(_ path: String, _ message: [UInt8] = [], stream: UInt32) async throws {
        try await self.outbound.write(Self.requestBytes(path, message, stream: stream))
    }

    /// A whole request's frames.
    static func requestBytes(_ path: String, _ message: [UInt8], stream: UInt32) throws -> ByteBuffer {
        var frames = try Self.headers(path, stream: stream)
        var body = ByteBuffer(bytes: [0])
        body.writeInteger(UInt32(message.count))
        body.writeBytes(message)
        frames.writeImmutableBuffer(Self.frame(0, flags: 1, stream: stream, body))
        return frames
    }

    /// Gives an answer up.
    func reset(stream: UInt32) async throws { try await self.send(3, stream: stream, ByteBuffer(bytes: [0, 0, 0, 8])) }

    /// Waits for a frame; `nil` at the end.
    mutating func next(_ type: UInt8) async throws -> Frame? {
        while true {
            while let header = self.pending.getInteger(at: self.pending.readerIndex, as: UInt32.self),
                self.pending.readableBytes >= 9 + Int(header >> 8)
            {
                self.pending.moveReaderIndex(forwardBy: 5)
                let stream = self.pending.readInteger(as: UInt32.self)!
                let payload = self.pending.readSlice(length: Int(header >> 8))!
                let kind = UInt8(truncatingIfNeeded: header)
                var block = payload
                let headers = kind == 1 ? try self.decoder.decodeHeaders(from: &block) : [:]
                if kind == type { return Frame(type: type, stream: stream, payload: payload, headers: headers) }
            }
            guard let more = try await self.inbound.next(isolation: #isolation) else { return nil }
            self.pending.writeImmutableBuffer(more)
        }
    }

    /// Waits for the next answer's end, and says how it ended; `nil` if the connection ends before.
    mutating func nextStatus() async throws -> String? {
        while let frame = try await self.next(1) {
            if let status = frame.headers.first(name: "grpc-status") { return status }
        }
        return nil
    }
}

extension TestFront {
    /// Runs a peer that has said what HTTP/2 begins with.
    func withFramePeer(
        initialWindow: UInt32 = 65_535, _ body: (inout FramePeer) async throws -> Void
    ) async throws {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: self.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            var peer = FramePeer(inbound, outbound)
            try await peer.greet(initialWindow: initialWindow)
            try await body(&peer)
        }
    }
}
