// SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import RedisClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ScriptedSentinelTests {
    /// - Parameter port: Of the primary; none if the service is unknown.
    private static func sentinel(_ port: Shared<Int?>) async throws -> ScriptedRedisServer {
        try await ScriptedRedisServer.start { _, words in
            guard words.first == Array("SENTINEL".utf8) else { return nil }
            guard let port = port.now else { return .text("*-1\r\n") }
            return .text("*2\r\n$9\r\n127.0.0.1\r\n$\("\(port)".utf8.count)\r\n\(port)\r\n")
        }
    }

    private static func server(
        role: Answers = Answers(.text("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")), set: Answers = Answers(.text("+OK\r\n"))
    ) async throws -> ScriptedRedisServer {
        try await ScriptedRedisServer.start { _, words in
            switch String(decoding: words[0], as: UTF8.self) {
            case "ROLE": role.next()
            case "SET": set.next()
            default: nil
            }
        }
    }

    private static let replica = ScriptedRedisServer.Reply.text(
        "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:0\r\n")
    private static let primary = ScriptedRedisServer.Reply.text("*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n")

    @Test func `the primary that the sentinels name is used, each with its own password`() async throws {
        let server = try await Self.server()
        let sentinel = try await Self.sentinel(Shared(server.port))
        let log = RecordedLog()
        let url =
            "redis+sentinel://alice:hunter2@\(sentinel.address)/cache"
            + "?sentinel_user=bob&sentinel_password=swordfish"
        try await withClient(url, logger: log.logger) { client throws in
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
            #expect(client.isAvailable)
            #expect(try await client.primaries().map(\.port) == [server.port])
        }
        #expect(sentinel.commands(named: "SENTINEL").first?.text == "SENTINEL GET-MASTER-ADDR-BY-NAME cache")
        #expect(server.commands(named: "HELLO").allSatisfy { $0.text.contains("AUTH alice hunter2") })
        #expect(sentinel.commands(named: "HELLO").allSatisfy { $0.text.contains("AUTH bob swordfish") })
        #expect(log.lines.contains { $0.contains("redis primaries found") })
        for secret in ["alice", "hunter2", "bob", "swordfish"] {
            #expect(!log.lines.contains { $0.contains(secret) })
        }
        await server.stop()
        await sentinel.stop()
    }

    @Test func `a command that meets the old primary after a failover goes to the new one`() async throws {
        let port = Shared<Int?>(nil)
        let new = try await Self.server()
        let old = try await Self.server(set: Answers(.text("+OK\r\n"), .error("READONLY You can't write")))
        let sentinel = try await Self.sentinel(port)
        port.change { $0 = old.port }
        try await withClient("redis+sentinel://\(sentinel.address)/cache", patience: .seconds(20)) { client throws in
            #expect(try await client.send(command("SET", "k", "1")).text == "OK")
            port.change { $0 = new.port }
            #expect(try await client.send(command("SET", "k", "2", isRepeatable: false)).text == "OK")
        }
        #expect(new.commands(named: "SET").map(\.text) == ["SET k 2"])
        for server in [old, new, sentinel] { await server.stop() }
    }

    @Test func `a primary that is gone is waited for until the sentinels name another`() async throws {
        let port = Shared<Int?>(nil)
        let (old, new) = (try await Self.server(), try await Self.server())
        let sentinel = try await Self.sentinel(port)
        port.change { $0 = old.port }
        try await withClient("redis+sentinel://\(sentinel.address)/cache", patience: .seconds(20)) { client throws in
            #expect(try await client.send(command("SET", "k", "1")).text == "OK")
            await old.stop()
            async let reply = client.send(command("SET", "k", "2"))
            await sentinel.received("SENTINEL", count: 3)
            port.change { $0 = new.port }
            let text = try await reply.text
            #expect(text == "OK")
        }
        for server in [old, new, sentinel] { await server.stop() }
    }

    @Test func `a sentinel that is behind, or gone, is passed over`() async throws {
        let replica = try await Self.server(role: Answers(Self.replica))
        let server = try await Self.server()
        let gone = try await ScriptedRedisServer.start()
        await gone.stop()
        let (behind, right) = (
            try await Self.sentinel(Shared(replica.port)), try await Self.sentinel(Shared(server.port))
        )
        let hosts = [gone, behind, right].map(\.address).joined(separator: ",")
        try await withClient("redis+sentinel://\(hosts)/cache", patience: .seconds(20)) { client throws in
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
        }
        #expect(replica.commands(named: "SET").isEmpty)
        for server in [replica, server, behind, right] { await server.stop() }
    }

    @Test func `a server that is just being promoted is waited for`() async throws {
        let server = try await Self.server(role: Answers(Self.replica, Self.replica, Self.primary))
        let sentinel = try await Self.sentinel(Shared(server.port))
        try await withClient("redis+sentinel://\(sentinel.address)/cache", patience: .seconds(20)) { client throws in
            #expect(try await client.send(command("SET", "k", "v")).text == "OK")
        }
        #expect(server.commands(named: "ROLE").count >= 3)
        await server.stop()
        await sentinel.stop()
    }

    @Test func `a service that the sentinels do not know is a mistake in the URL`() async throws {
        let sentinel = try await Self.sentinel(Shared(nil))
        try await withClient("redis+sentinel://\(sentinel.address)/cache", patience: .seconds(20)) { client throws in
            // Before the sentinel has answered, the command waits.
            #expect(await client.failure(command("SET", "k", "v"))?.code == .misconfigured)
            #expect(!client.isAvailable)
        }
        await sentinel.stop()
    }

    @Test func `sentinels that refuse the password say so`() async throws {
        let sentinel = try await ScriptedRedisServer.start("HELLO", Answers(.error("WRONGPASS invalid hunter2")))
        let url = "redis+sentinel://\(sentinel.address)/cache?sentinel_password=hunter2"
        try await withClient(url) { client throws in
            let error = await client.failure(command("SET", "k", "v"))
            #expect(error?.code == .refused)
            #expect(error?.message.contains("sentinel") == true)
            #expect(error?.message.contains("hunter2") == false)
        }
        await sentinel.stop()
    }

    @Test func `without any sentinel commands fail by their deadline`() async throws {
        let sentinel = try await ScriptedRedisServer.start()
        await sentinel.stop()
        try await withClient("redis+sentinel://\(sentinel.address)/cache", timeout: .milliseconds(100)) {
            client throws in
            #expect(await client.failure(command("SET", "k", "v"))?.code == .unreachable)
        }
    }

    @Test func `closing ends an inquiry that waits for a silent sentinel`() async throws {
        let sentinel = try await ScriptedRedisServer.start("SENTINEL", Answers(.silence))
        try await withClient("redis+sentinel://\(sentinel.address)/cache", patience: .seconds(20)) { client throws in
            await sentinel.received("SENTINEL")
            await client.close()
            #expect(await client.failure(command("SET", "k", "v"))?.code == .closed)
        }
        await sentinel.stop()
    }
}
