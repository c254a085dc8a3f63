// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct IdleTests {
    private static let goAway = ServerMessage.goAway(reason: "the connection was not used for 2.0 seconds")

    private static func limits(goAwayLinger linger: Duration = .milliseconds(20)) -> ConnectionLimits {
        var limits = ConnectionLimits.patient
        limits.idleDeadline = .seconds(2)
        limits.goAwayLinger = linger
        return limits
    }

    @Test func `a connection that nobody uses is asked to go, and ended`() async throws {
        try await TestServer.run(limits: Self.limits()) { server in
            let client = try await server.open()
            #expect(try await client.next() == Self.goAway)
            #expect(try await client.next() == nil)
        }
    }

    @Test func `a call in flight keeps its connection`() async throws {
        let embedder = ControlledEmbedder()
        try await TestServer.run(embedder: embedder, limits: Self.limits()) { server in
            let client = try await server.connect()
            // In one packet: in between, a machine that stands still would make it an idle one.
            try await client.send(
                .hello(Hello(minimumVersion: 1, maximumVersion: 1, clientName: "test")),
                .call(Call(id: 1, deadline: .seconds(60), request: .success(.lookup(lookup("a question"))))))
            guard case .welcome = try await client.next() else {
                Issue.record("not welcome")
                return
            }
            let held = await embedder.nextHeld()
            // One after the other, so that several of its deadlines pass.
            for _ in 1...2 {
                let idle = try await server.open()
                #expect(try await idle.next() == Self.goAway)
            }
            held.succeed()
            #expect(try await client.nextReply().lookup?.missReason == .noEntry)
            #expect(try await client.next() == Self.goAway)
        }
    }

    @Test func `a connection in use is left alone`() async throws {
        try await TestServer.run(limits: Self.limits()) { server in
            var isLeftAlone: Bool?
            for _ in 1...10 where isLeftAlone == nil { isLeftAlone = try await self.use(server) }
            #expect(isLeftAlone == true)
        }
    }

    /// Uses a connection for longer than another one may be idle.
    ///
    /// - Returns: Whether it was left alone; `nil` if it was not, and not used either, as the machine stood still.
    private func use(_ server: TestServer) async throws -> Bool? {
        var (last, longest) = (ContinuousClock.now, Duration.zero)
        let idle = try await server.open()
        let client = try await server.open()
        do {
            while try await server.connections(toldTo: client) > 1 {
                longest = max(longest, .now - last)
                last = .now
            }
            await idle.closed()
            #expect(try await client.ask(.ping) == .success(serverVersion))
            return true
        } catch {
            return max(longest, .now - last) > .seconds(1) ? nil : false
        }
    }

    @Test func `a call that crosses the question is refused, so that it is made again elsewhere`() async throws {
        try await TestServer.run(limits: Self.limits(goAwayLinger: .seconds(600))) { server in
            let client = try await server.open()
            #expect(try await client.next() == Self.goAway)
            #expect(Keyed.code(try await client.ask(.ping)) == .unavailable)
        }
    }
}

/// What becomes of connections that were told to go.
@Suite(.timeLimit(.minutes(1))) struct GoAwayLingerTests {
    private static let goAway = ServerMessage.goAway(reason: "the server is about to stop")

    private static func limits(_ linger: Duration) -> ConnectionLimits {
        var limits = ConnectionLimits.patient
        limits.goAwayLinger = linger
        return limits
    }

    @Test func `calls that cross a GoAway are all refused, and none is lost`() async throws {
        try await TestServer.run(limits: Self.limits(.seconds(600)), endsGracefully: true) { server in
            let client = try await server.open()
            await server.beginShutdown()
            #expect(try await client.next() == Self.goAway)
            for id in 1...100 as ClosedRange<UInt64> { try await client.send(.ping, id: id) }
            for id in 1...100 as ClosedRange<UInt64> {
                let reply = try await client.nextReply()
                #expect(reply.id == id && reply.error?.code == .unavailable)
            }
            // The server stops now, not after ten minutes.
            await client.close()
        }
    }

    @Test func `a peer that stays is closed when its time is over`() async throws {
        try await TestServer.run(limits: Self.limits(.milliseconds(50)), endsGracefully: true) { server in
            let client = try await server.open()
            await server.beginShutdown()
            #expect(try await client.next() == Self.goAway)
            #expect(try await client.next() == nil)
        }
    }

    @Test func `the time begins when the last call in flight is answered`() async throws {
        let embedder = ControlledEmbedder()
        try await TestServer.run(
            embedder: embedder, limits: Self.limits(.milliseconds(50)), endsGracefully: true
        ) { server in
            let client = try await server.open()
            let idle = try await server.open()
            try await client.send(.lookup(lookup("a question")), id: 1)
            let held = await embedder.nextHeld()
            await server.beginShutdown()
            await idle.closed()
            held.succeed()
            #expect(try await client.next() == Self.goAway)
            #expect(try await client.nextReply().id == 1)
            #expect(try await client.next() == nil)
        }
    }
}
