// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import TestSupport
import Testing

/// Two servers of which the first has all slots, until a test says otherwise.
private struct ScriptedCluster {
    typealias Handler = @Sendable (_ command: String, _ ports: (first: Int, second: Int)) -> ScriptedRedisServer.Reply?

    let first: ScriptedRedisServer
    let second: ScriptedRedisServer

    /// - Parameters:
    ///   - atFirst: What the first answers; to `CLUSTER SLOTS` that it has all, if nothing else.
    static func start(atFirst: @escaping Handler, atSecond: @escaping Handler) async throws -> Self {
        let ports = Shared((first: 0, second: 0))
        let answer: @Sendable ([[UInt8]], Handler) -> ScriptedRedisServer.Reply? = { words, handler in
            let text = words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
            let ports = ports.now
            return handler(text, ports) ?? (text == "CLUSTER SLOTS" ? Self.slots(ports.first) : nil)
        }
        let first = try await ScriptedRedisServer.start { _, words in answer(words, atFirst) }
        let second = try await ScriptedRedisServer.start { _, words in answer(words, atSecond) }
        ports.change { $0 = (first.port, second.port) }
        return Self(first: first, second: second)
    }

    static func slots(_ port: Int) -> ScriptedRedisServer.Reply {
        .text("*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n$9\r\n127.0.0.1\r\n:\(port)\r\n$2\r\nid\r\n*0\r\n")
    }

    var url: String { "redis+cluster://\(self.first.address)" }

    func stop() async {
        await self.first.stop()
        await self.second.stop()
    }
}

@Suite(.timeLimit(.minutes(2))) struct ScriptedClusterTests {
    private let slot = RedisKey("k").slot

    @Test func `MOVED is followed, and remembered`() async throws {
        let slot = self.slot
        let hasMoved = Shared(false)
        let cluster = try await ScriptedCluster.start { text, ports in
            // Once it has said so, it also says it when asked for the slots.
            if text == "CLUSTER SLOTS", hasMoved.now { return ScriptedCluster.slots(ports.second) }
            guard text == "GET k" else { return nil }
            hasMoved.change { $0 = true }
            return .error("MOVED \(slot) 127.0.0.1:\(ports.second)")
        } atSecond: { text, ports in
            text == "GET k" ? .bulk("v") : text == "CLUSTER SLOTS" ? ScriptedCluster.slots(ports.second) : nil
        }
        try await withClient(cluster.url, patience: .seconds(20)) { client throws in
            for _ in 0..<5 {
                #expect(try await client.send(command("GET", "k", isRepeatable: false)).text == "v")
            }
        }
        #expect(cluster.second.commands(named: "GET").count == 5)
        // More only if the second could not be connected to at once.
        #expect((1...4).contains(cluster.first.commands(named: "GET").count))
        await cluster.stop()
    }

    @Test func `ASK is followed with ASKING before it on the same connection, and not remembered`() async throws {
        let slot = self.slot
        let cluster = try await ScriptedCluster.start { text, ports in
            text == "GET k" ? .error("ASK \(slot) 127.0.0.1:\(ports.second)") : nil
        } atSecond: { text, _ in
            text == "GET k" ? .bulk("v") : nil
        }
        try await withClient(cluster.url, patience: .seconds(20)) { client throws in
            for _ in 0..<2 {
                #expect(try await client.send(command("GET", "k", isRepeatable: false)).text == "v")
            }
        }
        #expect(cluster.first.commands(named: "GET").count >= 2)
        let heard = cluster.second.commands.filter { ["ASKING", "GET"].contains($0.name) }
        #expect(heard.map(\.text) == ["ASKING", "GET k", "ASKING", "GET k"])
        #expect(heard[0].connection == heard[1].connection && heard[2].connection == heard[3].connection)
        await cluster.stop()
    }

    @Test func `servers that send a command in circles are not followed for ever`() async throws {
        let slot = self.slot
        let cluster = try await ScriptedCluster.start { text, ports in
            text == "GET k" ? .error("MOVED \(slot) 127.0.0.1:\(ports.second)") : nil
        } atSecond: { text, ports in
            text == "GET k"
                ? .error("MOVED \(slot) 127.0.0.1:\(ports.first)")
                : text == "CLUSTER SLOTS" ? ScriptedCluster.slots(ports.first) : nil
        }
        try await withClient(cluster.url, patience: .seconds(20)) { client throws in
            _ = try await client.send(command("PING"))
            let error = await client.failure(command("GET", "k", timeout: .seconds(2)))
            // The last attempt may come too late to be sent, or to be answered.
            #expect([.refused, .timedOut, .unreachable].contains(error?.code))
        }
        await cluster.stop()
    }

    @Test(arguments: ["MOVED 1 h", "MOVED 99999 127.0.0.1:1", "ASK", "MOVED 1 127.0.0.1:0", "ASK 1 \u{1}:1"])
    func `a redirection to nowhere is an error`(text: String) async throws {
        let cluster = try await ScriptedCluster.start { words, _ in
            words == "GET k" ? .error(text) : nil
        } atSecond: { _, _ in
            nil
        }
        try await withClient(cluster.url, patience: .seconds(20)) { client throws in
            #expect(await client.failure(command("GET", "k"))?.code == .refused)
        }
        #expect(cluster.first.commands(named: "GET").count == 1)
        await cluster.stop()
    }

    @Test func `a slot whose server is gone is found at its successor within the command's time`() async throws {
        let isOver = Shared(false)
        let cluster = try await ScriptedCluster.start { text, ports in
            switch text {
            case "CLUSTER SLOTS": ScriptedCluster.slots(isOver.now ? ports.first : ports.second)
            case "GET k": .bulk("v")
            default: nil
            }
        } atSecond: { _, _ in
            nil
        }
        await cluster.second.stop()
        try await withClient(cluster.url, timeout: .seconds(60), patience: .seconds(60)) { client throws in
            async let reply = client.send(command("GET", "k", isRepeatable: false))
            await cluster.first.received("CLUSTER", count: 2)
            isOver.change { $0 = true }
            let text = try await reply.text
            #expect(text == "v")
        }
        await cluster.stop()
    }

    @Test(arguments: ["+OK\r\n", "*1\r\n:7\r\n", "*1\r\n*3\r\n:5\r\n:99999\r\n*2\r\n+h\r\n:1\r\n"])
    func `a map that makes no sense is an error of the commands`(map: String) async throws {
        let server = try await ScriptedRedisServer.start("CLUSTER", Answers(.text(map)))
        try await withClient("redis+cluster://\(server.address)") { client throws in
            #expect(await client.failure(command("GET", "k"))?.code == .protocolViolation)
            #expect(!client.isAvailable)
        }
        await server.stop()
    }

    @Test func `a server that is in no cluster says so`() async throws {
        let text = "ERR This instance has cluster support disabled"
        let server = try await ScriptedRedisServer.start("CLUSTER", Answers(.error(text)))
        try await withClient("redis+cluster://\(server.address)") { client throws in
            let error = await client.failure(command("GET", "k"))
            #expect(error?.code == .misconfigured)
            #expect(error?.message.contains("redis://") == true)
        }
        await server.stop()
    }

    @Test func `a command for all goes to each primary, one for any to some`() async throws {
        let map = Shared("")
        let second = try await ScriptedRedisServer.start("DBSIZE", Answers(.text(":2\r\n")))
        let first = try await ScriptedRedisServer.start { _, words in
            switch String(decoding: words[0], as: UTF8.self) {
            case "CLUSTER": .text(map.now)
            case "DBSIZE": .text(":1\r\n")
            default: nil
            }
        }
        map.change { map in
            map = "*2\r\n"
            for (from, to, port) in [(0, 9000, first.port), (9001, 16_383, second.port)] {
                map += "*3\r\n:\(from)\r\n:\(to)\r\n*2\r\n$9\r\n127.0.0.1\r\n:\(port)\r\n"
            }
        }
        try await withClient("redis+cluster://\(first.address)") { client throws in
            #expect(try await client.primaries().map(\.port) == [first.port, second.port])
            #expect(try await client.sendToPrimaries(command("DBSIZE")) == [.integer(1), .integer(2)])
            var seen: [RESPValue] = []
            for _ in 0..<4 { seen.append(try await client.send(command("DBSIZE"))) }
            #expect(seen.contains(.integer(1)) && seen.contains(.integer(2)))
        }
        await first.stop()
        await second.stop()
    }
}
