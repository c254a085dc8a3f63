// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct HostileInputTests {
    /// A request that the engine or the codec refuses: its error, and that the connection goes on.
    static let refusals: [(ProtobufBytes, String)] = {
        let vector = { (values: [Float]) in ProtobufBytes().floats(1, values) }
        var short = [Float](repeating: 0.5, count: 64)
        short[63] = .nan
        var endless = [Float](repeating: 0.5, count: 64)
        endless[0] = -.infinity
        let stored = ProtobufBytes.asking().text(4, "r")
        let radius = { (values: [Float]) in
            ProtobufBytes().text(1, "c").message(
                4, ProtobufBytes().text(1, "p").float(3, 0.9).message(4, vector(values)))
        }
        let notFinite = "embedding has a value that is not a finite number"
        let dimensions = { (count: Int) in "embedding has \(count) dimensions, the cache's model has 64" }
        return [
            (.lookup(.asking().message(8, vector(short))), notFinite),
            (.store(stored.message(9, vector(short))), notFinite),
            (.invalidate(radius(short)), notFinite),
            (.lookup(.asking().message(8, vector(endless))), notFinite),
            (.lookup(.asking().message(8, vector([1, 2, 3]))), dimensions(3)),
            (.store(stored.message(9, vector([]))), dimensions(0)),
            (.invalidate(radius(Array(repeating: 1, count: 65))), dimensions(65)),
            (.lookup(.asking().message(8, vector(Array(repeating: 0, count: 64)))), "embedding has no length"),
            (.lookup(ProtobufBytes().text(1, "c").data(2, [0x61, 0xff])), "prompt is not valid UTF-8"),
            (.lookup(ProtobufBytes().text(1, "c").data(2, Array("ac\0me".utf8))), "prompt contains a NUL"),
            (.store(stored.data(1, [0x63, 0])), "cache contains a NUL"),
            (.lookup(.asking().float(4, .nan)), "similarity_threshold is not a number from -1 to 1"),
            (.call(99, ProtobufBytes()), "the call names no request that this server knows"),
        ]
    }()

    @Test(arguments: refusals.indices)
    func `a request that cannot be served is refused, and the connection goes on`(index: Int) async throws {
        let (request, message) = Self.refusals[index]
        try await TestServer.run { server in
            let client = try await server.open()
            try await client.send(bytes: request.frame)
            let reply = try await client.nextReply()
            #expect(reply.id == 1 && reply.error?.message == message)
            #expect(try await client.ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `a message that cannot be decoded is answered with id 0, and the connection goes on`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            let notProtobuf = "message is no valid protobuf or takes too much memory"
            let amplified = ProtobufBytes.lookup(
                ProtobufBytes().repeated((Limits.maximumFrameBytes - 100) / 2) { $0.message(3) })
            for (bytes, message) in [
                (framed([0xff, 0xff, 0xff]), notProtobuf),
                (framed([]), "message is neither hello, call nor cancel"),
                (ProtobufBytes.lookup(id: 0, .asking()).frame, "call id is 0"),
                (ProtobufBytes().message(9).frame, "message is neither hello, call nor cancel"),
                (amplified.frame, notProtobuf),
            ] {
                try await client.send(bytes: bytes)
                let expected = Reply(id: 0, result: .failure(CacheError(.invalidArgument, message)))
                #expect(try await client.nextReply() == expected)
                #expect(try await client.ask(.ping) == .success(serverVersion))
            }
        }
    }

    @Test func `an oversized frame is refused before its body, and the connection ends`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            try await client.send(bytes: [0, 0, 0x40, 0, 1])
            let message = "frame has 4194305 bytes, the limit is 4194304"
            #expect(
                try await client.nextReply() == Reply(id: 0, result: .failure(CacheError(.invalidArgument, message))))
            #expect(try await client.next() == nil)
        }
    }

    @Test func `flags are refused, and the connection ends`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            try await client.send(bytes: framed(ProtobufBytes.lookup(.asking()).bytes, flags: 1))
            let message = "frame flags are 1; only 0 (not compressed) is supported"
            #expect(
                try await client.nextReply() == Reply(id: 0, result: .failure(CacheError(.invalidArgument, message))))
            #expect(try await client.next() == nil)
        }
    }

    @Test func `garbage of every kind ends or is answered, and others are not disturbed`() async throws {
        try await TestServer.run { server in
            let bystander = try await server.open()
            try await bystander.store(store("a quiet question", "a quiet answer"))
            var random = SeededGenerator(20)
            for _ in 0..<150 {
                let client = random.chance(0.5) ? try await server.connect() : try await server.open()
                let count = random.int(1...random.pick([8, 200, 20_000]))
                let bytes = random.chance(0.5) ? random.bytes(count) : framed(random.bytes(count))
                try? await client.send(bytes: bytes)
                #expect(try await bystander.lookup(lookup("a quiet question")).response == "a quiet answer")
                await client.close()
            }
        }
    }

    @Test func `a frame that never ends is refused in time`() async throws {
        var limits = ConnectionLimits.patient
        limits.frameDeadline = .milliseconds(80)
        try await TestServer.run(limits: limits) { server in
            let client = try await server.open()
            try await client.send(bytes: Array(ProtobufBytes.lookup(.asking()).frame.dropLast()))
            let message = "a frame took longer than 0.08 seconds"
            #expect(
                try await client.nextReply() == Reply(id: 0, result: .failure(CacheError(.invalidArgument, message))))
            #expect(try await client.next() == nil)
        }
    }

    @Test func `a frame that drips is refused in time, however busily it drips`() async throws {
        var limits = ConnectionLimits.patient
        limits.frameDeadline = .milliseconds(150)
        try await TestServer.run(limits: limits) { server in
            let client = try await server.open()
            try await client.send(bytes: [0, 0, 0x30, 0, 0])
            let dripping = Task {
                // Ends when the server has closed.
                while (try? await client.send(bytes: [1])) != nil {}
            }
            #expect(try await client.nextReply().error?.message == "a frame took longer than 0.15 seconds")
            #expect(try await client.next() == nil)
            await dripping.value
        }
    }

    @Test func `a connection that is idle between frames is left alone`() async throws {
        var limits = ConnectionLimits.patient
        limits.frameDeadline = .milliseconds(20)
        let embedder = ControlledEmbedder()
        try await TestServer.run(embedder: embedder, limits: limits) { server in
            let idle = try await server.open()
            // As long as it takes another one's calls to run out of time, thrice the deadline.
            let other = try await server.open()
            _ = try await other.lookup(lookup("no answer"), deadline: .milliseconds(60))
            #expect(try await idle.ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `a peer that does not read its replies is not read either, and cut off in time`() async throws {
        var limits = ConnectionLimits.patient
        limits.writeDeadline = .milliseconds(300)
        try await TestServer.run(limits: limits) { server in
            let other = try await server.open()
            try await other.store(store("a long story", String(repeating: "x", count: 512 << 10)))
            for tier in [Tier.store, .l1] { #expect(try await other.lookup(lookup("a long story")).hit?.tier == tier) }
            let client = try await server.open(receiveBufferBytes: 64 << 10)
            try await client.stopReading()
            var calls: [UInt8] = []
            for id in 1...4000 as ClosedRange<UInt64> {
                calls += ProtobufBytes.lookup(id: id, .asking("a long story")).frame
            }
            try await client.send(bytes: calls)
            // The other one is served all the while; in the end it is alone.
            var statistics = ServiceStatistics()
            repeat {
                guard case .success(.stats(let found)) = try await other.ask(.stats(cache: nil)) else { break }
                statistics = found
            } while statistics.connections > 1
            // 2,000 MiB were asked for. What was made is what lies between the peer and the limit of what waits.
            let made = try #require(statistics.caches.first).exactHitsL1
            #expect(made > 0 && made < 64)
            try? await client.startReading()
            await client.closed()
        }
    }

    @Test func `answers that the store gave are withheld from a peer that does not read`() async throws {
        try await TestServer.run { server in
            let client = try await server.open(receiveBufferBytes: 64 << 10)
            try await client.store(store("a long story", String(repeating: "x", count: 512 << 10)))
            try await client.stopReading()
            // Two matches are asked for: memory has no answer to that. All in one packet, so that all are in flight
            // before the first answer is written.
            var calls: [UInt8] = []
            for id in 1...1000 as ClosedRange<UInt64> {
                calls += ProtobufBytes.lookup(id: id, .asking("a long story").varint(5, 2)).frame
            }
            try await client.send(bytes: calls)
            let other = try await server.open()
            var hits: UInt64 = 0
            repeat {
                guard case .success(.stats(let found)) = try await other.ask(.stats(cache: nil)) else { break }
                hits = found.caches.first?.exactHitsStore ?? 0
            } while hits < 900
            try await client.startReading()
            var answered: Set<UInt64> = []
            var withheld = 0
            for _ in 1...1000 {
                let reply = try await client.nextReply()
                answered.insert(reply.id)
                guard let error = reply.error else { continue }
                #expect(error.code == .resourceExhausted)
                withheld += 1
            }
            #expect(answered.count == 1000)
            // 500 MiB were asked for.
            #expect(withheld > 800 && withheld < 1000)
            #expect(try await client.ask(.ping) == .success(serverVersion))
        }
    }

    @Test func `a peer that reads gets all of what it asked for at once`() async throws {
        try await TestServer.run { server in
            let client = try await server.open()
            try await client.store(store("a long story", String(repeating: "x", count: 256 << 10)))
            #expect(try await client.lookup(lookup("a long story")).hit?.tier == .store)
            var calls: [UInt8] = []
            for id in 1...400 as ClosedRange<UInt64> {
                calls += ProtobufBytes.lookup(id: id, .asking("a long story")).frame
            }
            let sent = calls
            async let sending: Void = client.send(bytes: sent)
            for id in 1...400 as ClosedRange<UInt64> {
                let reply = try await client.nextReply()
                #expect(reply.id == id && reply.lookup?.hit?.matches[0].entry.response.count == 256 << 10)
            }
            try await sending
        }
    }
}
