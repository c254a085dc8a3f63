// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct ClosingTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    @Test func `who closes says so, and the other closes too`() throws {
        let pair = try self.parties.connected()
        pair.client.channel.close(promise: nil)
        try pair.exchange()
        #expect(pair.server.recorder.errors.isEmpty && pair.client.recorder.errors.isEmpty)
        #expect(pair.server.recorder.isInactive && pair.client.recorder.isInactive)
    }

    @Test func `an end without a word is a truncation`() throws {
        let pair = try self.parties.connected()
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.recorder.faults == [.truncated])
        #expect(pair.server.recorder.isInactive)
    }

    @Test func `an end during the handshake is one that was abandoned`() throws {
        let end = try End(self.parties.clientContext(), peerName: "localhost")
        try end.connect()
        end.channel.pipeline.fireChannelInactive()
        #expect(end.recorder.faults == [.handshakeAbandoned])
    }

    @Test func `a peer that only looks whether somebody listens is no fault`() throws {
        let end = try End(self.parties.serverContext())
        try end.connect()
        end.channel.pipeline.fireChannelInactive()
        #expect(end.recorder.errors.isEmpty)
        #expect(end.recorder.isInactive)
    }

    @Test func `a broken transport is told in its own words only`() throws {
        let pair = try self.parties.connected()
        pair.server.channel.pipeline.fireErrorCaught(ChannelError.connectPending)
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.recorder.errors.count == 1)
        #expect(pair.server.recorder.errors.first as? ChannelError == .connectPending)
    }

    @Test func `what came before the end is passed on, and answered`() throws {
        let pair = try self.parties.connected()
        pair.server.recorder.reply = { context in
            context.writeAndFlush(NIOAny(ByteBuffer(string: "answer")), promise: nil)
        }
        pair.client.send("question")
        pair.client.channel.close(mode: .output, promise: nil)
        try pair.server.channel.writeInbound(pair.client.written())
        try pair.client.channel.writeInbound(pair.server.written())
        #expect(pair.server.recorder.received == Array("question".utf8))
        #expect(pair.client.recorder.received == Array("answer".utf8))
        #expect(!pair.server.channel.isActive)
    }

    @Test func `where a channel allows it one direction goes on without the other`() throws {
        let pair = try self.parties.connected()
        pair.server.channel.allowRemoteHalfClosure = true
        pair.client.channel.close(mode: .output, promise: nil)
        #expect(pair.client.socket.isOutputClosed)
        try pair.exchange()
        #expect(pair.server.recorder.isInputClosed)
        #expect(pair.server.channel.isActive)
        pair.server.send("still here")
        try pair.exchange()
        #expect(pair.client.recorder.received == Array("still here".utf8))
        // The end of the transport behind it is no news.
        pair.server.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(pair.server.recorder.errors.isEmpty)
        pair.server.channel.close(mode: .output, promise: nil)
        #expect(!pair.server.channel.isActive)
    }

    @Test func `the end of the transport in one direction without a word is a truncation`() throws {
        let pair = try self.parties.connected()
        pair.server.channel.allowRemoteHalfClosure = true
        pair.server.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(pair.server.recorder.faults == [.truncated])
        #expect(!pair.server.channel.isActive)
    }

    @Test func `what was not flushed fails with the close`() throws {
        let pair = try self.parties.connected()
        let written = pair.client.channel.write(ByteBuffer(string: "late"))
        pair.client.channel.close(promise: nil)
        #expect(throws: ChannelError.self) { try written.wait() }
        try pair.exchange()
        #expect(pair.server.recorder.received.isEmpty)
    }

    @Test func `closing the output sends what was written first`() throws {
        let pair = try self.parties.connected()
        let written = pair.client.channel.write(ByteBuffer(string: "last"))
        pair.client.channel.close(mode: .output, promise: nil)
        try written.wait()
        try pair.exchange()
        #expect(pair.server.recorder.received == Array("last".utf8))
        #expect(throws: ChannelError.self) { try pair.client.channel.writeAndFlush(ByteBuffer(string: "x")).wait() }
    }

    @Test func `a close during the handshake says nothing`() throws {
        let end = try End(self.parties.clientContext(), peerName: "localhost")
        try end.connect()
        _ = try end.written()
        let kept = end.channel.writeAndFlush(ByteBuffer(string: "kept"))
        end.channel.close(promise: nil)
        #expect(try end.written().readableBytes == 0)
        #expect(throws: ChannelError.self) { try kept.wait() }
        #expect(end.recorder.errors.isEmpty)
    }

    @Test func `a close in the very event of the handshake ends it cleanly`() throws {
        final class Hasty: ChannelInboundHandler {
            typealias InboundIn = ByteBuffer
            func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
                if event is TLSHandshakeCompleted { context.close(promise: nil) }
            }
        }
        let pair = try TLSPair(client: self.parties.clientContext(), server: self.parties.serverContext())
        try pair.server.channel.pipeline.syncOperations.addHandler(Hasty())
        // The recorder in front of it passes nothing on.
        try pair.server.channel.pipeline.syncOperations.removeHandler(pair.server.recorder).wait()
        pair.client.send("question")
        try pair.connect()
        #expect(!pair.server.channel.isActive)
        #expect(pair.client.recorder.errors.isEmpty)
        #expect(pair.client.recorder.isInactive)
    }
}
