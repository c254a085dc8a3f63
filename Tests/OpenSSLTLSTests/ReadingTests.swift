// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct ReadingTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    @Test func `a handshake reads by itself what it needs`() throws {
        let end = try End(self.parties.serverContext())
        try end.connect()
        #expect(end.socket.reads == 1)
        try end.channel.writeInbound(ByteBuffer(bytes: [22, 3, 1]))
        #expect(end.socket.reads == 2)
    }

    @Test func `after the handshake it reads only if somebody asks`() throws {
        let pair = try self.parties.connected()
        pair.client.send("question")
        let before = pair.server.socket.reads
        try pair.server.channel.writeInbound(pair.client.written())
        #expect(pair.server.socket.reads == before)
        pair.server.channel.read()
        #expect(pair.server.socket.reads == before + 1)
    }

    @Test func `a read that brings a part of a record is followed by another`() throws {
        let pair = try self.parties.connected()
        pair.client.send("question")
        var record = try pair.client.written()
        pair.server.channel.read()
        let before = pair.server.socket.reads
        let part = record.readSlice(length: 9)
        try pair.server.channel.writeInbound(#require(part))
        #expect(pair.server.socket.reads == before + 1)
        try pair.server.channel.writeInbound(record)
        #expect(pair.server.socket.reads == before + 1)
        #expect(pair.server.recorder.received == Array("question".utf8))
    }
}
