// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import Synchronization
import TestSupport
import Testing

private let wait = Array("WAIT".utf8)

@Suite(.timeLimit(.minutes(2))) struct RedisNodeFaultTests {
    @Test func `a command whose time is up is answered, and its late reply goes to nobody`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            switch String(decoding: arguments.last ?? [], as: UTF8.self) {
            case "first", "late": .silence
            case "next": .text("+first\r\n+late\r\n+next\r\n")
            default: nil
            }
        }
        let node = RedisNode(port: server.port, configuration())
        // Behind one that has time, or else the connection would be given up.
        async let first = node.send("GET", "first")
        await server.received("GET")
        #expect(await node.failure("GET", "late", within: .seconds(1))?.code == .timedOut)
        #expect(try await node.send("GET", "next") == bytes("next"))
        let reply = try await first
        #expect(reply == bytes("first"))
        #expect(server.connectionCount == 1)
        await node.close()
        await server.stop()
    }

    @Test func `a cancelled task is told at once, and its late reply goes to nobody`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            arguments[0] == wait ? .silence : arguments[0] == Array("NEXT".utf8) ? .text("+late\r\n+next\r\n") : nil
        }
        let node = RedisNode(port: server.port, configuration())
        let task = Task { await node.failure("WAIT") }
        await server.received("WAIT")
        task.cancel()
        let cancelled = await task.value
        #expect(cancelled?.code == .cancelled && cancelled?.mayHaveBeenExecuted == true)
        #expect(try await node.send("NEXT") == bytes("next"))
        // Cancelled before it begins: whether it is sent or not, it is told so.
        let canceller = Task { () -> RedisError? in
            withUnsafeCurrentTask { $0?.cancel() }
            return await node.failure("WAIT")
        }
        #expect(await canceller.value?.code == .cancelled)
        await node.close()
        await server.stop()
    }

    @Test func `a server that has fallen silent loses its connections`() async throws {
        let server = try await ScriptedRedisServer.start { number, arguments in
            arguments[0] == wait && number == 1 ? .silence : echo(arguments)
        }
        let log = RecordedLog()
        let node = RedisNode(port: server.port, configuration(), log: log)
        #expect(try await node.send("ECHO", "a") == bytes("a"))
        // Long enough for the other to be sent behind it on a busy machine.
        async let short = node.failure("WAIT", "1", within: .seconds(3))
        await server.received("WAIT")
        async let long = node.failure("WAIT", "2")
        let codes = await [short?.code, long?.code]
        #expect(codes == [.timedOut, .connectionLost])
        #expect(await log.nextMessage() == "Redis server is unreachable")
        #expect(await log.nextMessage() == "Redis server is reachable again")
        #expect(try await node.send("ECHO", "a") == bytes("a"))
        await node.close()
        await server.stop()
    }

    @Test func `a server is used again after a silence that one of its connections outlived`() async throws {
        let isSilent = Mutex(false)
        let server = try await ScriptedRedisServer.start { _, arguments in
            if isSilent.withLock({ $0 }) || arguments[0] == wait { return .silence }
            return arguments[0] == Array("PING".utf8) ? .text("+PONG\r\n>1\r\n+greeted\r\n") : echo(arguments)
        }
        let (greetings, log) = (Mailbox<[RESPValue]>(), RecordedLog())
        let settings = configuration(connections: 2) {
            $0.connectTimeout = .seconds(2)
            $0.onPush = { greetings.append($0) }
        }
        let node = RedisNode(port: server.port, settings, log: log)
        // The first of two connections is busy all the time.
        async let long = node.failure("WAIT", "1")
        await server.received("WAIT")
        async let other = node.failure("WAIT", "2", within: .seconds(1))
        for _ in 0..<2 { _ = await greetings.next() }
        #expect(await other?.code == .timedOut)
        isSilent.withLock { $0 = true }
        #expect(await node.failure("ECHO", "a", within: .seconds(1))?.code == .timedOut)
        #expect(await log.nextMessage() == "Redis server is unreachable")
        // One attempt has failed when there is a second.
        await server.received("HELLO", count: 4)
        isSilent.withLock { $0 = false }
        #expect(await log.nextMessage() == "Redis server is reachable again")
        #expect(try await node.send("ECHO", "b") == bytes("b"))
        await server.closeConnections()
        #expect(await long?.mayHaveBeenExecuted == true)
        await node.close()
        await server.stop()
    }

    @Test func `who waits for a connection to a server that is given up is told at once`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            arguments[0] == Array("HELLO".utf8) ? .silence : echo(arguments)
        }
        let node = RedisNode(port: server.port, configuration())
        async let first = node.failure("ECHO", "a")
        await server.received("HELLO")
        node.abandon()
        let failure = await first
        #expect(failure?.code == .unreachable && failure?.mayHaveBeenExecuted == false)
        #expect(server.connectionCount == 1 && node.isAvailable)
        // The connection is still being made, and serves who comes next.
        async let second = node.send("ECHO", "b")
        try await server.push("%0\r\n")
        let reply = try await second
        #expect(reply == bytes("b"))
        await node.close()
        await server.stop()
    }

    @Test func `a server that cannot be reached fails commands at once, and comes back by itself`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in echo(arguments) }
        await server.stopAccepting()
        let log = RecordedLog()
        let node = RedisNode(port: server.port, configuration(), log: log)
        #expect(await node.failure("ECHO", "a")?.code == .unreachable)
        #expect(!node.isAvailable)
        for _ in 0..<100 {
            let failure = await node.failure("ECHO", "a")
            #expect(failure?.code == .unreachable && failure?.message.contains("127.0.0.1:\(server.port)") == true)
        }
        try await server.startAccepting()
        #expect(await log.nextMessage() == "Redis server is unreachable")
        #expect(await log.nextMessage() == "Redis server is reachable again")
        #expect(node.isAvailable)
        #expect(try await node.send("ECHO", "a") == bytes("a"))
        // Once per change, and never for a command.
        #expect(log.lines.count == 2)
        #expect(
            log.lines.joined(separator: "\n").contains("redis.address")
                && log.lines.joined(separator: "\n").contains("unreachable"))
        await node.close()
        await server.stop()
    }

    @Test func `a server that does not greet in time is unreachable`() async throws {
        let server = try await ScriptedRedisServer.start { _, _ in .silence }
        // Long enough for a busy machine to accept in it.
        let node = RedisNode(port: server.port, configuration { $0.connectTimeout = .seconds(2) })
        let failure = await node.failure("ECHO", "a")
        #expect(failure?.code == .unreachable && failure?.message.contains("did not greet") == true)
        await node.close()
        await server.stop()
    }

    @Test func `a server that loads its data is waited for`() async throws {
        let isLoading = Mutex(true)
        let server = try await ScriptedRedisServer.start { _, arguments in
            arguments[0] == Array("PING".utf8) && isLoading.withLock { $0 } ? .error("LOADING wait") : echo(arguments)
        }
        let log = RecordedLog()
        let node = RedisNode(port: server.port, configuration(), log: log)
        let failure = await node.failure("ECHO", "a")
        #expect(failure?.code == .unreachable && failure?.message.contains("loading") == true)
        #expect(await log.nextMessage() == "Redis server is unreachable")
        isLoading.withLock { $0 = false }
        #expect(await log.nextMessage() == "Redis server is reachable again")
        #expect(try await node.send("ECHO", "a") == bytes("a"))
        await node.close()
        await server.stop()
    }

    @Test(arguments: ["+surplus\r\n", "?\r\n", "$-7\r\n"])
    func `a server that says what it must not is left, and found again`(surplus: String) async throws {
        let server = try await ScriptedRedisServer.start { number, arguments in
            arguments[0] == wait ? .text("+ok\r\n" + (number == 1 ? surplus : "")) : nil
        }
        let node = RedisNode(port: server.port, configuration())
        #expect(try await node.send("WAIT") == bytes("ok"))
        #expect(try await node.send("WAIT") == bytes("ok"))
        #expect(server.commands(named: "WAIT").map(\.connection) == [1, 2])
        await node.close()
        await server.stop()
    }

    @Test func `a reply that is none fails the commands in flight`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in arguments[0] == wait ? .text("?\r\n") : nil }
        let node = RedisNode(port: server.port, configuration())
        #expect(await node.failure("WAIT")?.code == .protocolViolation)
        await node.close()
        await server.stop()
    }

    @Test func `connections that break under load lose no caller and mix up no reply`() async throws {
        let count = Atomic<Int>(0)
        let server = try await ScriptedRedisServer.start { _, arguments in
            guard arguments[0] == Array("ECHO".utf8) else { return nil }
            return count.add(1, ordering: .relaxed).newValue % 50 == 0 ? .close : echo(arguments)
        }
        let node = RedisNode(port: server.port, configuration(connections: 4))
        let answered = try await withThrowingTaskGroup { tasks in
            for caller in 0..<50 {
                tasks.addTask { () -> Int in
                    var answered = 0
                    for number in 0..<40 {
                        do throws(RedisError) {
                            let text = "\(caller)-\(number)"
                            let reply = try await node.send("ECHO", text)
                            #expect(reply == bytes(text))
                            answered += 1
                        } catch {
                            #expect(error.code == .connectionLost)
                        }
                    }
                    return answered
                }
            }
            return try await tasks.reduce(0, +)
        }
        #expect(answered > 0 && answered < 2000)
        #expect(try await node.send("ECHO", "end") == bytes("end"))
        await node.close()
        await server.stop()
    }

    @Test func `a refused password is told as such, and is nowhere to be read`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            arguments[0] == Array("HELLO".utf8) ? .error("WRONGPASS invalid username-password pair") : nil
        }
        let log = RecordedLog()
        let settings = configuration {
            $0.username = "some-user"
            $0.password = "some-password"
        }
        let node = RedisNode(port: server.port, settings, log: log)
        for _ in 0..<2 {
            let failure = await node.failure("ECHO", "a")
            #expect(failure?.code == .refused && failure?.reply?.prefix == "WRONGPASS")
            #expect(failure?.message == "the server refused user name or password: check the URL's user and password")
        }
        #expect(server.commands(named: "HELLO").first?.text.contains("AUTH some-user some-password") == true)
        _ = await log.nextMessage()
        var dumped = ""
        dump(settings, to: &dumped)
        dump(node, to: &dumped)
        let shown = [
            log.lines.joined(separator: "\n"), dumped, "\(settings)", String(reflecting: settings),
            String(describing: settings),
        ]
        for text in shown { #expect(!text.contains("some-password") && !text.contains("some-user")) }
        await node.close()
        await server.stop()
    }

    @Test func `a server of version 2 is spoken to in version 2`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            switch String(decoding: arguments[0], as: UTF8.self) {
            case "HELLO": .error("ERR unknown command 'HELLO'")
            case "GET": .text("$-1\r\n")
            default: nil
            }
        }
        let node = RedisNode(
            port: server.port,
            configuration {
                $0.password = "p"
                $0.database = 3
            })
        #expect(try await node.send("GET", "k") == .null)
        #expect(
            server.commands.map(\.text) == [
                "HELLO 3 AUTH default p SETNAME semcached", "AUTH p", "CLIENT SETNAME semcached", "SELECT 3", "PING",
                "GET k",
            ])
        await node.close()
        await server.stop()
    }
}
