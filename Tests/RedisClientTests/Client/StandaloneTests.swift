// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct StandaloneTests {
    @Test(arguments: [
        "LOADING Redis is loading the dataset in memory", "BUSY Redis is busy", "NOREPLICAS Not enough good replicas",
        "READONLY You can't write against a read only replica.", "MASTERDOWN Link with MASTER is down",
        "TRYAGAIN Multiple keys request", "CLUSTERDOWN Hash slot not served",
    ])
    func `a refusal that passes is waited for`(text: String) async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.error(text), .error(text), .bulk("v")))
        try await withClient("redis://\(server.address)", patience: .seconds(20)) { client throws in
            #expect(try await client.send(command("GET", "k", isRepeatable: false)).text == "v")
        }
        #expect(server.commands(named: "GET").count == 3)
        await server.stop()
    }

    @Test func `a single server that stays a replica is not waited for until the deadline`() async throws {
        let server = try await ScriptedRedisServer.start("SET", Answers(.error("READONLY You can't write")))
        try await withClient("redis://\(server.address)", timeout: .seconds(600)) { client throws in
            let error = await client.failure(command("SET", "k", "v"))
            #expect(error?.code == .refused)
            #expect(error?.message.contains("replica") == true)
        }
        await server.stop()
    }

    @Test(arguments: [
        ("MISCONF Redis is configured to save RDB", "disk"), ("OOM command not allowed", "maxmemory"),
        ("NOPERM this user has no permissions to run the 'get' command", "grant"),
        ("ERR syntax error hunter2", "refused"),
        ("WRONGTYPE Operation against a key", "WRONGTYPE"), ("MOVED 1 127.0.0.1:1", "redis+cluster://"),
    ])
    func `a refusal that stays is thrown at once`(text: String, hint: String) async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.error(text)))
        try await withClient("redis://\(server.address)") { client throws in
            let error = await client.failure(command("GET", "hunter2"))
            #expect(error?.code == .refused)
            #expect(error?.message.contains(hint) == true)
            #expect(error.map { "\($0)".contains("hunter2") } == false)
            #expect(error?.reply?.text == text)
        }
        #expect(server.commands(named: "GET").count == 1)
        await server.stop()
    }

    @Test func `a command that may be repeated survives the loss of its connection`() async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.close, .bytesThenClose([]), .bulk("v")))
        try await withClient("redis://\(server.address)", patience: .seconds(20)) { client throws in
            #expect(try await client.send(command("GET", "k")).text == "v")
        }
        #expect(server.commands(named: "GET").count == 3)
        await server.stop()
    }

    @Test func `a command that may not be repeated is sent once`() async throws {
        let server = try await ScriptedRedisServer.start("INCR", Answers(.close, .text(":2\r\n")))
        try await withClient("redis://\(server.address)", patience: .seconds(20)) { client throws in
            #expect(await client.failure(command("INCR", "k", isRepeatable: false))?.code == .connectionLost)
            // The next one finds a new connection.
            #expect(try await client.send(command("INCR", "k", isRepeatable: false)) == .integer(2))
        }
        #expect(server.commands(named: "INCR").count == 2)
        await server.stop()
    }

    @Test(arguments: [false, true])
    func `a silent server costs no more than the command's time`(isRepeatable: Bool) async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.silence))
        try await withClient("redis://\(server.address)") { client throws in
            // The time is for the silence, not for connecting on a busy machine.
            _ = try await client.send(command("PING"))
            let silent = command("GET", "k", isRepeatable: isRepeatable, timeout: .seconds(2))
            #expect(await client.failure(silent)?.code == .timedOut)
        }
        await server.stop()
    }

    @Test func `a server that is not there fails commands long before their deadline`() async throws {
        let server = try await ScriptedRedisServer.start()
        await server.stop()
        try await withClient("redis://\(server.address)", timeout: .seconds(600)) { client throws in
            for _ in 0..<20 { #expect(await client.failure(command("GET", "k"))?.code == .unreachable) }
            #expect(!client.isAvailable)
        }
    }

    @Test func `a server that comes back is used again without being asked to`() async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.bulk("v")))
        await server.stopAccepting()
        try await withClient("redis://\(server.address)", timeout: .seconds(600)) { client throws in
            #expect(await client.failure(command("GET", "k"))?.code == .unreachable)
            try await server.startAccepting()
            while !client.isAvailable { await Task.yield() }
            #expect(try await client.send(command("GET", "k")).text == "v")
        }
        await server.stop()
    }

    @Test func `a wrong password is told apart from a server that is down`() async throws {
        let server = try await ScriptedRedisServer.start(
            "HELLO", Answers(.error("WRONGPASS invalid username-password")))
        try await withClient("redis://u:hunter2@\(server.address)") { client throws in
            let error = await client.failure(command("GET", "k"))
            #expect(error?.code == .refused)
            #expect(error?.message.contains("password") == true)
            #expect(error?.message.contains("hunter2") == false)
        }
        await server.stop()
    }

    @Test func `a script goes by its digest, and with its source where that is unknown`() async throws {
        let script = RedisScript("return ARGV[1]", isRepeatable: true)
        let server = try await ScriptedRedisServer.start { _, arguments in
            switch arguments.first.map({ String(decoding: $0, as: UTF8.self) }) {
            case "EVALSHA": .error("NOSCRIPT No matching script. Please use EVAL.")
            case "EVAL": .bulk("v")
            default: nil
            }
        }
        try await withClient("redis://\(server.address)") { client throws in
            let reply = try await client.run(script, key: RedisKey("{t}a"), others: [RedisKey("{t}b")]) {
                $0.append("x")
                $0.append(7)
            }
            #expect(reply.text == "v")
        }
        let sent = server.commands.filter { $0.name.hasPrefix("EVAL") }.map(\.text)
        #expect(sent == ["EVALSHA \(script.sha1) 2 {t}a {t}b x 7", "EVAL return ARGV[1] 2 {t}a {t}b x 7"])
        await server.stop()
    }

    @Test func `a script that fails is not run again`() async throws {
        let server = try await ScriptedRedisServer.start("EVALSHA", Answers(.error("ERR user_script:1: hunter2")))
        try await withClient("redis://\(server.address)") { client throws in
            do throws(RedisError) {
                _ = try await client.run(RedisScript("x", isRepeatable: true), key: RedisKey("k")) { _ in }
                Issue.record("it succeeded")
            } catch {
                #expect(error.code == .refused)
                #expect(!"\(error)".contains("hunter2"))
            }
        }
        #expect(server.commands(named: "EVALSHA").count == 1)
        #expect(server.commands(named: "EVAL").isEmpty)
        await server.stop()
    }

    @Test func `many commands have a result each, in their order`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            guard arguments.first == Array("GET".utf8) else { return nil }
            return arguments[1] == Array("7".utf8)
                ? .error("WRONGTYPE") : .bulk(String(decoding: arguments[1], as: UTF8.self))
        }
        try await withClient("redis://\(server.address)") { client throws in
            let results = await client.send((0..<100).map { command("GET", "\($0)") })
            for (place, result) in results.enumerated() {
                switch result {
                case .success(let value): #expect(value.text == "\(place)")
                case .failure(let error): #expect(place == 7 && error.code == .refused)
                }
            }
            #expect(results.count == 100)
            #expect(await client.send([]).isEmpty)
            #expect(try await client.sendToPrimaries(command("GET", "p")).map(\.text) == ["p"])
            #expect(try await client.primaries() == [RedisAddress(host: "127.0.0.1", port: server.port)])
        }
        await server.stop()
    }

    @Test func `a task that is cancelled does not wait for better times`() async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.error("TRYAGAIN")))
        try await withClient("redis://\(server.address)", timeout: .seconds(600)) { client throws in
            let code = await withTaskGroup { tasks in
                tasks.addTask { await client.failure(command("GET", "k"))?.code }
                await server.received("GET", count: 3)
                tasks.cancelAll()
                return await tasks.next() ?? nil
            }
            #expect(code == .cancelled)
        }
        await server.stop()
    }

    @Test func `reads that succeed do not make a refusal of writes look new`() async throws {
        let server = try await ScriptedRedisServer.start { _, arguments in
            switch arguments.first.map({ String(decoding: $0, as: UTF8.self) }) {
            case "SET": .error("NOREPLICAS Not enough good replicas")
            case "GET": .bulk("v")
            default: nil
            }
        }
        try await withClient("redis://\(server.address)", timeout: .seconds(600), patience: .milliseconds(100)) {
            client throws in
            #expect(await client.failure(command("SET", "k", "v"))?.reply?.prefix == "NOREPLICAS")
            let waited = server.commands(named: "SET").count
            for _ in 0..<3 {
                #expect(try await client.send(command("GET", "k")).text == "v")
                #expect(await client.failure(command("SET", "k", "v"))?.reply?.prefix == "NOREPLICAS")
            }
            #expect(waited > 1 && server.commands(named: "SET").count == waited + 3)
        }
        await server.stop()
    }

    @Test func `a single server's name is looked up anew when it leads to a replica`() async throws {
        let server = try await ScriptedRedisServer.start { connection, arguments in
            guard arguments.first == Array("SET".utf8) else { return nil }
            return connection == 1 ? .error("READONLY You can't write") : .text("+OK\r\n")
        }
        try await withClient("redis://\(server.address)", patience: .seconds(20)) { client throws in
            #expect(try await client.send(command("SET", "k", "v", isRepeatable: false)).text == "OK")
        }
        #expect(server.connectionCount == 2)
        await server.stop()
    }

    @Test(arguments: ["WRONGTYPE no", "LATE no"])
    func `what was perhaps executed stays so, whatever comes of a later attempt`(text: String) async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.close, .error(text), .error(text)))
        try await withClient("redis://\(server.address)", patience: .seconds(20)) { client throws in
            let first = await client.failure(command("GET", "k"))
            #expect(first?.code == .refused && first?.mayHaveBeenExecuted == true)
            let second = await client.failure(command("GET", "k"))
            #expect(second?.code == .refused && second?.mayHaveBeenExecuted == false)
        }
        await server.stop()
    }

    @Test func `a script that was perhaps run stays so, though a server does not know it later`() async throws {
        let digest = Answers(.close, .error("NOSCRIPT No matching script."))
        let server = try await ScriptedRedisServer.start { _, arguments in
            switch arguments.first.map({ String(decoding: $0, as: UTF8.self) }) {
            case "EVALSHA": digest.next()
            case "EVAL": .error("LATE no")
            default: nil
            }
        }
        try await withClient("redis://\(server.address)", patience: .seconds(20)) { client throws in
            for expected in [true, false] {
                do throws(RedisError) {
                    _ = try await client.run(RedisScript("x", isRepeatable: true), key: RedisKey("k")) { _ in }
                    Issue.record("it succeeded")
                } catch {
                    #expect(error.reply?.prefix == "LATE")
                    #expect(error.mayHaveBeenExecuted == expected)
                }
            }
        }
        await server.stop()
    }

    @Test func `a command that was perhaps executed, and is cancelled while it waits, says so`() async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.close, .error("TRYAGAIN")))
        try await withClient("redis://\(server.address)", timeout: .seconds(600)) { client throws in
            let error = await withTaskGroup { tasks in
                tasks.addTask { await client.failure(command("GET", "k")) }
                await server.received("GET", count: 3)
                tasks.cancelAll()
                return await tasks.next() ?? nil
            }
            #expect(error?.code == .cancelled && error?.mayHaveBeenExecuted == true)
        }
        await server.stop()
    }

    @Test func `after closing nothing is sent`() async throws {
        let server = try await ScriptedRedisServer.start("GET", Answers(.bulk("v")))
        try await withClient("redis://\(server.address)") { client throws in
            #expect(try await client.send(command("GET", "k")).text == "v")
            await client.close()
            #expect(await client.failure(command("GET", "k"))?.code == .closed)
            #expect(!client.isAvailable)
        }
        #expect(server.commands(named: "GET").count == 1)
        await server.stop()
    }
}
