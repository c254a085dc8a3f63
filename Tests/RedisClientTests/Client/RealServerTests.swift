// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import TestSupport
import Testing

/// Against a single real server that saves each write before it acknowledges it.
@Suite(.timeLimit(.minutes(3))) struct RealServerTests {
    enum Fault: CaseIterable {
        case kill
        case pause
        case loseConnections
    }

    @Test(arguments: Fault.allCases)
    func `a server that fails under load loses no acknowledged write, and is used again when it is back`(fault: Fault)
        async throws
    {
        let server = try await RedisServer.start(options: ["--appendonly", "yes", "--appendfsync", "always"])
        // Only a server that does not answer has to be given up soon; one that writes to its disk may take its time.
        let time = Duration.seconds(fault == .loseConnections ? 20 : 1)
        try await withClient(server.url, timeout: time, connectTimeout: time) { client throws in
            let writers = Writers()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for writer in 0..<Writers.count { tasks.addTask { await writers.run(writer, client) } }
                defer { writers.isOver.change { $0 = true } }
                try await writers.advance(client)
                switch fault {
                case .kill:
                    try await server.kill()
                    while client.isAvailable { _ = await client.failure(command("PING")) }
                    #expect(await client.failure(command("PING")) != nil)
                    try await server.restart()
                case .pause:
                    server.pause()
                    #expect(await client.failure(command("PING")) != nil)
                    server.resume()
                case .loseConnections:
                    for _ in 0..<10 {
                        try await server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                        try await writers.advance(client)
                    }
                }
                try await writers.advance(client)
                writers.isOver.change { $0 = true }
                try await tasks.waitForAll()
            }
            // What may be repeated does not notice the loss of a connection.
            if fault == .loseConnections { #expect(writers.failures.now.isEmpty) }
            for (writer, acknowledged) in writers.acknowledged.now.enumerated() {
                #expect(try await writers.numbers(writer, client).isSuperset(of: acknowledged))
            }
        }
    }
}
