// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import OpenSSLTLS
import TestSupport
import Testing

@Suite struct StreamTests {
    private let parties: Parties

    init() throws { self.parties = try Parties.shared.get() }

    // MARK: Order

    @Test(arguments: 0..<24)
    func `whatever is written arrives in order, however it is cut`(seed: UInt64) throws {
        var random = SeededGenerator(seed)
        let pair = try TLSPair(
            client: self.parties.clientContext { $0.minimumVersion = random.chance(0.5) ? .tls12 : .tls13 },
            server: self.parties.serverContext())
        var (toServer, toClient): ([UInt8], [UInt8]) = ([], [])
        var completed: [Int] = []
        var count = 0
        func write(_ end: End, _ expected: inout [UInt8]) {
            let bytes = random.bytes(random.chance(0.1) ? random.int(16_000...70_000) : random.int(0...700))
            expected += bytes
            let promise = end.channel.eventLoop.makePromise(of: Void.self)
            let number = count
            count += 1
            promise.futureResult.assumeIsolated().whenSuccess { completed.append(number) }
            end.channel.write(ByteBuffer(bytes: bytes), promise: promise)
            if random.chance(0.4) { end.channel.flush() }
        }
        // Some before the handshake is done.
        try pair.server.connect()
        try pair.client.connect()
        for _ in 0..<random.int(0...5) { write(pair.client, &toServer) }
        let cuts = random.int(1...4)
        func piece() -> Int { cuts == 1 ? 1 << 20 : random.int(1...(cuts == 2 ? 5000 : 90)) }
        for _ in 0..<random.int(1...12) {
            for _ in 0..<random.int(0...8) { write(pair.client, &toServer) }
            for _ in 0..<random.int(0...8) { write(pair.server, &toClient) }
            if random.chance(0.7) { try pair.exchange(piece: piece) }
        }
        pair.client.channel.flush()
        pair.server.channel.flush()
        try pair.exchange(piece: piece)
        #expect(pair.server.recorder.received == toServer)
        #expect(pair.client.recorder.received == toClient)
        #expect(completed.count == count)
        #expect(pair.client.recorder.errors.isEmpty && pair.server.recorder.errors.isEmpty)
    }

    @Test func `promises of writes are kept in the order of the writes`() throws {
        let pair = try self.parties.connected()
        var completed: [Int] = []
        for (number, size) in [10, 0, 40_000, 1, 16_384, 0, 100].enumerated() {
            let promise = pair.client.channel.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenSuccess { completed.append(number) }
            pair.client.channel.write(ByteBuffer(repeating: 7, count: size), promise: promise)
        }
        pair.client.channel.flush()
        #expect(completed == [0, 1, 2, 3, 4, 5, 6])
    }

    @Test func `a write's promise waits for the flush that sends its last byte`() throws {
        let pair = try self.parties.connected()
        var isCompleted = false
        let promise = pair.client.channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess { isCompleted = true }
        pair.client.channel.write(ByteBuffer(repeating: 7, count: 100_000), promise: promise)
        #expect(!isCompleted)
        pair.client.channel.flush()
        #expect(isCompleted)
    }

    @Test func `an empty write is kept too`() throws {
        let pair = try self.parties.connected()
        try pair.client.channel.writeAndFlush(ByteBuffer()).wait()
    }

    // MARK: Records

    @Test func `many short writes leave as one write of few records`() throws {
        let pair = try self.parties.connected()
        for number in 0..<1000 {
            pair.client.channel.write(ByteBuffer(repeating: UInt8(number & 255), count: 40), promise: nil)
        }
        pair.client.channel.flush()
        let written = try #require(try pair.client.channel.readOutbound(as: ByteBuffer.self))
        #expect(try pair.client.channel.readOutbound(as: ByteBuffer.self) == nil)
        // 40,000 bytes are three records.
        #expect((40_000 + 3 * 17...40_000 + 3 * TLSLimits.recordOverheadBytes).contains(written.readableBytes))
        try pair.server.channel.writeInbound(written)
        #expect(pair.server.recorder.received.count == 40_000)
    }

    @Test func `all records of a read are passed on as one`() throws {
        let pair = try self.parties.connected()
        for _ in 0..<50 { pair.client.send([1, 2, 3]) }
        try pair.server.channel.writeInbound(pair.client.written())
        #expect(pair.server.recorder.received.count == 150)
        #expect(pair.server.recorder.reads == 1)
    }

    @Test func `what is written and not flushed reaches the channel before it is too much`() throws {
        let pair = try self.parties.connected()
        for _ in 0..<40 { pair.client.channel.write(ByteBuffer(repeating: 7, count: 10_000), promise: nil) }
        // The channel has got it, but was not told to send it.
        #expect(try pair.client.channel.readOutbound(as: ByteBuffer.self) == nil)
        pair.client.channel.flush()
        var sizes: [Int] = []
        while let next = try pair.client.channel.readOutbound(as: ByteBuffer.self) { sizes.append(next.readableBytes) }
        #expect(sizes.count > 4)
        #expect(sizes.allSatisfy { $0 <= TLSLimits.unflushedBytes + 2 * TLSLimits.recordBytes })
    }

    // MARK: Before the handshake

    @Test func `what is written before the handshake arrives after it`() throws {
        let pair = try TLSPair(client: self.parties.clientContext(), server: self.parties.serverContext())
        pair.client.send("a")
        try pair.server.connect()
        try pair.client.connect()
        pair.client.send("b")
        pair.server.send("c")
        try pair.exchange()
        #expect(pair.server.recorder.received == Array("ab".utf8))
        #expect(pair.client.recorder.received == Array("c".utf8))
    }

    @Test func `no more is kept for a handshake than the limit`() throws {
        let end = try End(self.parties.clientContext(), peerName: "localhost")
        try end.connect()
        let first = end.channel.write(ByteBuffer(repeating: 0, count: TLSLimits.maximumBytesBeforeHandshake))
        #expect(end.recorder.faults == [])
        end.channel.write(ByteBuffer(repeating: 0, count: 1), promise: nil)
        #expect(end.recorder.faults == [.limitExceeded])
        #expect(throws: TLSError.self) { try first.wait() }
    }

    @Test func `writes fail with the handshake`() throws {
        let pair = try TLSPair(
            client: self.parties.clientContext { $0.trust = .file(self.parties.others.trustFile) },
            server: self.parties.serverContext())
        try pair.server.connect()
        try pair.client.connect()
        let written = pair.client.channel.writeAndFlush(ByteBuffer(string: "secret"))
        try pair.exchange()
        #expect { try written.wait() } throws: { ($0 as? TLSError)?.code == .unknownAuthority }
        #expect(pair.server.recorder.received.isEmpty)
    }
}
