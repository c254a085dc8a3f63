// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import Synchronization
import TestSupport
import Testing

/// Against real servers.
@Suite(.timeLimit(.minutes(5))) struct RedisNodeServerTests {
    /// Callers that each send numbers and must get them back, until a test has seen enough.
    private func load(
        _ node: RedisNode, callers: Int = 20, within time: TimeAmount = .seconds(5),
        while condition: @escaping @Sendable () -> Bool,
        onFailure: @escaping @Sendable (RedisError.Code) -> Void = { _ in },
        disturb: @escaping @Sendable () async throws -> Void
    ) async throws -> [RedisError.Code: Int] {
        try await withThrowingTaskGroup(of: [RedisError.Code: Int].self) { tasks in
            for caller in 0..<callers {
                tasks.addTask {
                    var failures: [RedisError.Code: Int] = [:]
                    var number = 0
                    while condition() {
                        number += 1
                        do throws(RedisError) {
                            let reply = try await node.send("ECHO", "\(caller)-\(number)", within: time)
                            #expect(reply == bytes("\(caller)-\(number)"))
                        } catch {
                            failures[error.code, default: 0] += 1
                            onFailure(error.code)
                        }
                    }
                    return failures
                }
            }
            tasks.addTask {
                try await disturb()
                return [:]
            }
            return try await tasks.reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
        }
    }

    @Test func `connections that the server kills under load lose no caller and mix up no reply`() async throws {
        let server = try await RedisServer.start()
        let log = RecordedLog()
        let node = RedisNode(port: server.port, configuration(connections: 4), log: log)
        let isDone = Atomic(false)
        let lost = Atomic(0)
        let failures = try await self.load(
            node, while: { !isDone.load(ordering: .relaxed) },
            onFailure: { if $0 == .connectionLost { lost.add(1, ordering: .relaxed) } }
        ) {
            defer { isDone.store(true, ordering: .relaxed) }
            while lost.load(ordering: .relaxed) < 20 {
                try await server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            }
        }
        // Each was told, and with nothing but that.
        #expect(Set(failures.keys).isSubset(of: [.connectionLost, .unreachable]))
        // The last to be killed may have been one that was being made: then the server is tried again by and by.
        while await node.failure("ECHO", "end") != nil {}
        await node.close()
    }

    @Test func `a server that is stopped and goes on again is found by itself`() async throws {
        let server = try await RedisServer.start()
        let log = RecordedLog()
        let node = RedisNode(
            port: server.port, configuration(connections: 4) { $0.connectTimeout = .seconds(1) }, log: log)
        #expect(try await node.send("ECHO", "a") == bytes("a"))
        let isDone = Atomic(false)
        let failures = try await self.load(
            node, within: .milliseconds(500), while: { !isDone.load(ordering: .relaxed) }
        ) {
            defer { isDone.store(true, ordering: .relaxed) }
            server.pause()
            while await log.nextMessage() != "Redis server is unreachable" {}
            server.resume()
            while await log.nextMessage() != "Redis server is reachable again" {}
        }
        #expect(failures[.timedOut, default: 0] > 0)
        #expect(Set(failures.keys).isSubset(of: [.timedOut, .connectionLost, .unreachable]))
        #expect(try await node.send("ECHO", "b") == bytes("b"))
        await node.close()
    }

    @Test func `a server that restarts is found by itself, with no command sent`() async throws {
        let server = try await RedisServer.start()
        let log = RecordedLog()
        let node = RedisNode(port: server.port, configuration(), log: log)
        #expect(try await node.send("ECHO", "a") == bytes("a"))
        try await server.kill()
        let failure = await node.failure("ECHO", "b")
        #expect(failure?.code == .unreachable || failure?.code == .connectionLost)
        _ = await node.failure("ECHO", "b")
        #expect(await log.nextMessage() == "Redis server is unreachable")
        #expect(!node.isAvailable)
        try await server.restart()
        #expect(await log.nextMessage() == "Redis server is reachable again")
        #expect(node.isAvailable)
        #expect(try await node.send("ECHO", "c") == bytes("c"))
        await node.close()
    }

    @Test func `a password and a user are checked by the server`() async throws {
        let server = try await RedisServer.start(password: "right")
        try await server.command("ACL", "SETUSER", "reader", "on", ">secret", "+get", "+hello", "+auth", "~*")
        let outcomes: [(String?, String?, String?)] = [
            (nil, "right", nil), ("default", "right", nil), ("reader", "secret", nil),
            (nil, "wrong-one", "WRONGPASS"), ("reader", "right", "WRONGPASS"), (nil, nil, "NOAUTH"),
        ]
        for (username, password, refusal) in outcomes {
            let log = RecordedLog()
            let settings = configuration {
                $0.username = username
                $0.password = password
            }
            let node = RedisNode(port: server.port, settings, log: log)
            let failure = await node.failure("GET", "k")
            #expect(failure?.reply?.prefix == refusal)
            #expect(failure == nil || failure?.code == .refused)
            for secret in ["right", "secret", "wrong-one"] {
                #expect(
                    !log.lines.joined(separator: "\n").contains(secret)
                        && failure.map { "\($0)" }?.contains(secret) != true)
            }
            await node.close()
        }
    }

    @Test func `a real server that knows no HELLO is spoken to in version 2`() async throws {
        let server = try await RedisServer.start(options: ["--rename-command", "HELLO", ""])
        let node = RedisNode(port: server.port, configuration { $0.database = 2 })
        #expect(try await node.send("GET", "k") == .null)
        #expect(try await node.send("HSET", "h", "a", "1") == .integer(1))
        #expect(try await node.send("HGETALL", "h") == .array([bytes("a"), bytes("1")]))
        await node.close()
    }

    @Test func `a real server is spoken to in version 3`() async throws {
        let server = try await RedisServer.start()
        let node = RedisNode(port: server.port, configuration())
        #expect(try await node.send("HSET", "h", "a", "1") == .integer(1))
        #expect(try await node.send("HGETALL", "h") == .map([bytes("a"), bytes("1")]))
        #expect(try await node.send("CLIENT", "GETNAME") == bytes("semcached"))
        #expect(try await node.send("VADD", "v", "VALUES", "2", "1", "0", "x") == .boolean(true))
        #expect(
            try await node.send("VSIM", "v", "VALUES", "2", "1", "0", "WITHSCORES") == .map([bytes("x"), .double(1)]))
        await node.close()
    }
}
