// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RedisNodeTests {
    @Test func `each of many callers gets his own reply, over a bounded number of connections`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in echo(arguments) }
        let node = RedisNode(port: server.port, configuration(connections: 4))
        try await withThrowingTaskGroup { tasks in
            for number in 0..<500 { tasks.addTask { (number, try await node.send("ECHO", "\(number)")) } }
            for try await (number, reply) in tasks { #expect(reply == bytes("\(number)")) }
        }
        #expect((1...4).contains(server.connectionCount))
        // One that was opened last may not have come to it; none greets twice.
        #expect((1...server.connectionCount).contains(server.commands(named: "HELLO").count))
        #expect(server.commands(named: "HELLO")[0].text == "HELLO 3 SETNAME semcached")
        await node.close()
        await server.stop()
    }

    @Test func `another connection is opened while none is idle, and an idle one is preferred`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            switch String(decoding: arguments[0], as: UTF8.self) {
            case "WAIT": .silence
            case "PING": .text("+PONG\r\n>1\r\n+greeted\r\n")
            default: echo(arguments)
            }
        }
        let greetings = Mailbox<[RESPValue]>()
        let node = RedisNode(
            port: server.port, configuration(connections: 2) { $0.onPush = { greetings.append($0) } })
        async let first = node.send("WAIT", "1")
        await server.received("WAIT", count: 1)
        async let second = node.send("WAIT", "2")
        await server.received("WAIT", count: 2)
        for _ in 0..<2 { _ = await greetings.next() }
        // Both wait on the first connection; the second is idle.
        #expect(server.commands(named: "WAIT").map(\.connection) == [1, 1])
        for number in 0..<5 { #expect(try await node.send("ECHO", "\(number)") == bytes("\(number)")) }
        #expect(server.commands(named: "ECHO").allSatisfy { $0.connection == 2 })
        try await server.push("+one\r\n+two\r\n", to: 1)
        let replies = try await [first, second]
        #expect(replies == [bytes("one"), bytes("two")])
        await node.close()
        await server.stop()
    }

    @Test func `commands wait for the first connection`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            arguments[0] == Array("HELLO".utf8) ? .silence : echo(arguments)
        }
        let node = RedisNode(port: server.port, configuration(connections: 8))
        async let first = node.send("ECHO", "a")
        async let second = node.send("ECHO", "b")
        await server.received("HELLO")
        let late = await node.failure("ECHO", "c", within: .milliseconds(20))
        #expect(late?.code == .unreachable)
        #expect(server.connectionCount == 1 && node.isAvailable)
        try await server.push("%0\r\n")
        let replies = try await [first, second]
        #expect(replies == [bytes("a"), bytes("b")])
        #expect(!server.commands.contains { $0.text == "ECHO c" })
        await node.close()
        await server.stop()
    }

    @Test func `too many commands that wait fail at once`() async throws {
        let server = try await ScriptedRedisServer.start { _, _ in .silence }
        let node = RedisNode(port: server.port, configuration())
        let codes = await withTaskGroup { tasks in
            for _ in 0..<(RedisLimits.maximumCommandsWaiting + 10) {
                tasks.addTask { await node.failure("ECHO", "a")?.code }
            }
            var overloaded = 0
            for await code in tasks {
                #expect(code == .overloaded || code == .closed)
                if code == .overloaded { overloaded += 1 }
                if overloaded == 10 { await node.close() }
            }
            return overloaded
        }
        #expect(codes == 10)
        await server.stop()
    }

    @Test func `ASKING comes right before its command`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in echo(arguments) }
        let node = RedisNode(port: server.port, configuration())
        #expect(try await node.send("ECHO", "a", isAsking: true) == bytes("a"))
        #expect(try await node.send("ECHO", "b") == bytes("b"))
        #expect(server.commands.suffix(3).map(\.text) == ["ASKING", "ECHO a", "ECHO b"])
        await node.close()
        await server.stop()
    }

    @Test func `an error reply is thrown without its text`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            arguments[0] == Array("GET".utf8) ? .error("WRONGTYPE secret key") : nil
        }
        let node = RedisNode(port: server.port, configuration())
        let failure = await node.failure("GET", "k")
        #expect(failure?.code == .refused && failure?.reply?.prefix == "WRONGTYPE")
        #expect(failure.map { "\($0)" }?.contains("secret") == false)
        await node.close()
        await server.stop()
    }

    @Test func `a command of a megabyte arrives as it is`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in echo(arguments) }
        let node = RedisNode(port: server.port, configuration())
        let long = String(repeating: "0123456789abcdef", count: 1 << 16)
        async let first = node.send("ECHO", "x")
        async let second = node.send("ECHO", long)
        async let third = node.send("ECHO", "y")
        let replies = try await [first, second, third]
        #expect(replies == [bytes("x"), bytes(long), bytes("y")])
        await node.close()
        await server.stop()
    }

    @Test func `what a server sends unasked is handed on`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in echo(arguments) }
        let pushes = Mailbox<[RESPValue]>()
        let node = RedisNode(port: server.port, configuration { $0.onPush = { pushes.append($0) } })
        #expect(try await node.send("ECHO", "a") == bytes("a"))
        try await server.push(">2\r\n+message\r\n:1\r\n")
        #expect(await pushes.next() == [bytes("message"), .integer(1)])
        #expect(try await node.send("ECHO", "b") == bytes("b"))
        await node.close()
        await server.stop()
    }

    @Test func `what secures a connection comes first`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in echo(arguments) }
        let hosts = Mutex<[String]>([])
        let node = RedisNode(
            port: server.port,
            configuration {
                $0.security = { channel, host in hosts.withLock { $0.append("\(host) \(channel.isActive)") } }
            })
        #expect(try await node.send("ECHO", "a") == bytes("a"))
        #expect(hosts.withLock { $0 } == ["127.0.0.1 false"])
        await node.close()
        struct NoCertificate: Error {}
        let insecure = RedisNode(port: server.port, configuration { $0.security = { _, _ in throw NoCertificate() } })
        let failure = await insecure.failure("ECHO", "a")
        #expect(failure?.code == .unreachable && failure?.message.contains("NoCertificate") == true)
        await insecure.close()
        await server.stop()
    }

    @Test func `closing lets commands in flight finish and takes no more`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            arguments[0] == Array("WAIT".utf8) ? .silence : nil
        }
        let node = RedisNode(port: server.port, configuration())
        async let reply = node.send("WAIT", "1")
        await server.received("WAIT")
        async let closing: Void = node.close()
        while await node.failure("WAIT", "2", within: .milliseconds(1))?.code != .closed {}
        try await server.push("+one\r\n", to: 1)
        let value = try await reply
        #expect(value == bytes("one"))
        await closing
        #expect(await node.failure("WAIT", "3")?.code == .closed)
        await node.close()
        await server.stop()
    }
}
