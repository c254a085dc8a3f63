// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore
import NIOHPACK
import NIOPosix
import TestSupport
import Testing

@testable import GRPCFront

/// A peer that speaks HTTP/2 frame by frame, to do what no client library lets a test do.
private struct FramePeer {
    struct Frame {
        let type: UInt8
        let stream: UInt32
        let payload: ByteBuffer
    }

    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var pending = ByteBuffer()

    init(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.inbound = inbound.makeAsyncIterator()
        self.outbound = outbound
    }

    func send(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: ByteBuffer = ByteBuffer()) async throws {
        var frame = ByteBuffer()
        frame.writeInteger(UInt32(payload.readableBytes) << 8 | UInt32(type))
        frame.writeInteger(flags)
        frame.writeInteger(stream)
        frame.writeImmutableBuffer(payload)
        try await self.outbound.write(frame)
    }

    /// Opens a stream and sends a whole request on it.
    func call(_ path: String, stream: UInt32) async throws {
        var headers = ByteBuffer()
        var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
        try encoder.encode(
            headers: [
                ":method": "POST", ":scheme": "http", ":path": path, ":authority": "test",
                "content-type": "application/grpc", "te": "trailers",
            ], to: &headers)
        try await self.send(1, flags: 4, stream: stream, headers)
        // An empty message.
        try await self.send(0, flags: 1, stream: stream, ByteBuffer(bytes: [0, 0, 0, 0, 0]))
    }

    /// Waits for a frame; `nil` at the end.
    mutating func next(_ type: UInt8) async throws -> Frame? {
        while true {
            while let header = self.pending.getInteger(at: self.pending.readerIndex, as: UInt32.self),
                self.pending.readableBytes >= 9 + Int(header >> 8)
            {
                self.pending.moveReaderIndex(forwardBy: 5)
                let stream = self.pending.readInteger(as: UInt32.self)!
                let frame = Frame(
                    type: UInt8(truncatingIfNeeded: header), stream: stream,
                    payload: self.pending.readSlice(length: Int(header >> 8))!)
                if frame.type == type { return frame }
            }
            guard let more = try await self.inbound.next(isolation: #isolation) else { return nil }
            self.pending.writeImmutableBuffer(more)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct DrainTests {
    @Test func `a call that is opened before its peer can know of the server's end is answered`() async throws {
        try await TestFront.run(endsGracefully: true) { front in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: front.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            try await channel.executeThenClose { inbound, outbound in
                var peer = FramePeer(inbound, outbound)
                try await outbound.write(ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
                try await peer.send(4)
                #expect(try await peer.next(4) != nil)
                try await peer.send(4, flags: 1)
                // One that is answered, so that the server has read all of the above.
                try await peer.call("/semcached.v1.Admin/Ping", stream: 1)
                #expect(try await peer.next(0)?.stream == 1)
                await front.beginShutdown()
                let goAway = try #require(await peer.next(7))
                #expect(Array(goAway.payload.readableBytesView) == [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])
                try await peer.call("/semcached.v1.Admin/Ping", stream: 3)
                #expect(try await peer.next(0)?.stream == 3)
                // Until the server closes.
                while try await peer.next(7) != nil {}
            }
        }
    }
}
