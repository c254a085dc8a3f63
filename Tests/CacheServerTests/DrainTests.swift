// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct DrainTests {
    private static let goAway = ServerMessage.goAway(reason: "the server is about to stop")

    @Test func `calls in flight finish, new ones are refused, then the connection ends`() async throws {
        let embedder = ControlledEmbedder()
        // A port that no other test's server gets when it is free again.
        let port = try await unusedPort()
        try await TestServer.run(embedder: embedder, port: port, endsGracefully: true) { server in
            let client = try await server.open()
            try await client.send(.lookup(lookup("a question")), id: 1)
            let held = await embedder.nextHeld()
            await server.beginShutdown()
            #expect(try await client.next() == Self.goAway)
            try await client.send(.ping, id: 2)
            let refusal = CacheError(.unavailable, "the server is about to stop; call another one")
            #expect(try await client.nextReply() == Reply(id: 2, result: .failure(refusal)))
            // Nobody is let in any more.
            await #expect(throws: (any Error).self) { try await server.connect() }
            held.succeed()
            let reply = try await client.nextReply()
            #expect(reply.id == 1 && reply.lookup?.missReason == .noEntry)
            #expect(try await client.next() == nil)
        }
    }

    @Test func `a call that waits for the slot of the last one in flight is refused, not lost`() async throws {
        let embedder = ControlledEmbedder()
        var limits = ConnectionLimits.patient
        limits.maximumCallsInFlight = 1
        try await TestServer.run(embedder: embedder, limits: limits, endsGracefully: true) { server in
            let client = try await server.open()
            try await client.send(.lookup(lookup("a question")), id: 1)
            try await client.send(.ping, id: 2)
            let held = await embedder.nextHeld()
            await server.beginShutdown()
            #expect(try await client.next() == Self.goAway)
            held.succeed()
            #expect(try await client.nextReply().id == 1)
            let reply = try await client.nextReply()
            #expect(reply.id == 2 && reply.error?.code == .unavailable)
            #expect(try await client.next() == nil)
        }
    }

    @Test func `a call in flight can be given up while the server stops`() async throws {
        let embedder = ControlledEmbedder()
        try await TestServer.run(embedder: embedder, endsGracefully: true) { server in
            let client = try await server.open()
            try await client.send(.lookup(lookup("a question")), id: 1)
            _ = await embedder.nextHeld()
            await server.beginShutdown()
            #expect(try await client.next() == Self.goAway)
            try await client.send(.cancel(id: 1))
            #expect(try await client.nextReply().error?.code == .cancelled)
            #expect(try await client.next() == nil)
        }
    }

    @Test func `an idle connection is told, and left to its peer to end`() async throws {
        var limits = ConnectionLimits.patient
        limits.goAwayLinger = .seconds(600)
        try await TestServer.run(limits: limits, endsGracefully: true) { server in
            let client = try await server.open()
            let stranger = try await server.connect()
            #expect(try await client.ask(.ping) == .success(serverVersion))
            await server.beginShutdown()
            #expect(try await client.next() == Self.goAway)
            #expect(try await stranger.next() == Self.goAway)
            #expect(try await stranger.next() == nil)
            // What crosses the GoAway is refused: its sender knows then that it was not begun.
            try await client.send(.ping, id: 7)
            #expect(try await client.nextReply().error?.code == .unavailable)
            await client.close()
        }
    }

    @Test func `the answer of memory is refused too while the server stops`() async throws {
        let embedder = ControlledEmbedder { $0.hasPrefix("slow") }
        try await TestServer.run(embedder: embedder, endsGracefully: true) { server in
            let client = try await server.open()
            try await client.store(store("quick", "answer"))
            #expect(try await client.lookup(lookup("quick")).hit?.tier == .store)
            #expect(try await client.lookup(lookup("quick")).hit?.tier == .l1)
            try await client.send(.lookup(lookup("slow")), id: 1)
            let held = await embedder.nextHeld()
            await server.beginShutdown()
            #expect(try await client.next() == Self.goAway)
            try await client.send(.lookup(lookup("quick")), id: 2)
            #expect(try await client.nextReply().error?.code == .unavailable)
            held.succeed()
            #expect(try await client.nextReply().id == 1)
        }
    }

    @Test func `large replies reach a peer that reads late before the connection ends`() async throws {
        let large = String(repeating: "x", count: 2 << 20)
        let embedder = ControlledEmbedder { $0.hasPrefix("slow") }
        try await TestServer.run(embedder: embedder, endsGracefully: true) { server in
            let writer = try await server.open()
            _ = try await writer.store(store("a question", large))
            let client = try await server.open(receiveBufferBytes: 16 << 10)
            try await client.stopReading()
            for id in 1...3 {
                var request = lookup("a question")
                request.topK = 2
                try await client.send(.lookup(request), id: UInt64(id))
            }
            try await client.send(.lookup(lookup("slow")), id: 4)
            let held = await embedder.nextHeld()
            await server.beginShutdown()
            // All that is to be written is written, and waits for the peer.
            held.succeed()
            await writer.closed()
            try await client.startReading()
            var answered: Set<UInt64> = []
            var isTold = false
            while let message = try await client.next() {
                switch message {
                case .reply(let reply): answered.insert(reply.id)
                case .goAway: isTold = true
                case .welcome: break
                }
            }
            #expect(isTold && answered == [1, 2, 3, 4])
        }
    }
}
