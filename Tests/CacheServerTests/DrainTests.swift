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
        try await TestServer.run(embedder: embedder, endsGracefully: true) { server in
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

    @Test func `an idle connection is told, and ended at once`() async throws {
        try await TestServer.run(endsGracefully: true) { server in
            let client = try await server.open()
            let stranger = try await server.connect()
            #expect(try await client.ask(.ping) == .success(serverVersion))
            await server.beginShutdown()
            #expect(try await client.next() == Self.goAway)
            #expect(try await client.next() == nil)
            #expect(try await stranger.next() == nil)
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
}
