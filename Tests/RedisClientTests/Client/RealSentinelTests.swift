// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import TestSupport
import Testing

/// Against a real primary with replicas and sentinels.
@Suite(.timeLimit(.minutes(3))) struct RealSentinelTests {
    /// How the primary ends.
    enum End: CaseIterable {
        /// Another takes over while it runs.
        case handover
        case kill
        case pause
    }

    /// Each writer adds ever higher numbers to a set. Those that had reached the replicas must be there afterwards;
    /// what the old primary acknowledged and did not pass on is the server's own loss.
    @Test(arguments: End.allCases)
    func `a failover under load loses no more than Redis does, and stops nobody`(end: End) async throws {
        let servers = try await RedisSentinels.start(password: "hunter2")
        try await withClient(servers.url, timeout: .seconds(20), patience: .seconds(20), connectTimeout: .seconds(1)) {
            client throws in
            let writers = Writers()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for writer in 0..<Writers.count { tasks.addTask { await writers.run(writer, client) } }
                defer { writers.isOver.change { $0 = true } }
                let old = try #require(try await servers.primary())
                let oldAddress = RedisAddress(host: "127.0.0.1", port: servers.servers[old].port)
                try await writers.advance(client)
                let mark = writers.acknowledged.now
                try await Self.waitForReplicas(servers, of: old)
                switch end {
                case .handover: try await servers.failOver()
                case .kill:
                    try await servers.servers[old].kill()
                    try await servers.waitForFailover(from: old)
                case .pause:
                    servers.servers[old].pause()
                    try await servers.waitForFailover(from: old)
                }
                while try await client.primaries() == [oldAddress] { _ = try await client.send(command("PING")) }
                try await writers.advance(client)
                writers.isOver.change { $0 = true }
                try await tasks.waitForAll()
                #expect(writers.failures.now.isEmpty)
                for (writer, acknowledged) in writers.acknowledged.now.enumerated() {
                    let numbers = try await writers.numbers(writer, client)
                    #expect(numbers.isSuperset(of: mark[writer]))
                    // The last ones were written when the failover was over.
                    #expect(numbers.isSuperset(of: acknowledged.suffix(10)))
                }
            }
            servers.servers.forEach { $0.resume() }
        }
    }

    /// Until what the primary has written by now has come to the replicas.
    private static func waitForReplicas(_ servers: RedisSentinels, of primary: Int) async throws {
        func offset(_ server: RedisServer) async throws -> Int {
            try await server.command("INFO", "replication").line("master_repl_offset").flatMap { Int($0) } ?? 0
        }
        let written = try await offset(servers.servers[primary])
        for server in servers.servers {
            while try await offset(server) < written { try Task.checkCancellation() }
        }
    }
}
