// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

private let secret = "hush-hush"

/// Servers that a store cannot be opened on, and what it says of them.
@Suite(.timeLimit(.minutes(2))) struct OpeningTests {
    private func open(_ url: String, kind: RedisIndexKind? = nil) async throws -> RedisVectorStore {
        let client = try makeClient(url, timeout: .seconds(5))
        do {
            let store = try await RedisVectorStore.open(
                client, options: RedisStoreOptions(kind: kind), logger: silent, clock: { Timestamp(milliseconds: 0) })
            await client.close()
            return store
        } catch {
            await client.close()
            throw error
        }
    }

    /// - Returns: What it says.
    private func refusal(_ url: String, kind: RedisIndexKind? = nil) async throws -> String {
        do {
            _ = try await self.open(url, kind: kind)
        } catch let error as VectorStoreError {
            #expect(error.code == .unavailable)
            #expect(!"\(error)".contains(secret))
            return error.message
        }
        Issue.record("it was opened")
        return ""
    }

    @Test func `a replica is refused with the way to its primary`() async throws {
        let primary = try await RedisServer.start()
        let replica = try await RedisServer.start(options: ["--replicaof", "127.0.0.1", "\(primary.port)"])
        let message = try await self.refusal(replica.url)
        #expect(message.contains("replica") && message.contains("redis+sentinel://"), "\(message)")
    }

    @Test func `a wrong password is refused, and none`() async throws {
        let server = try await RedisServer.start(password: "right")
        for user in [":\(secret)@", "nobody:\(secret)@", ""] {
            let message = try await self.refusal("redis://\(user)127.0.0.1:\(server.port)")
            #expect(message.contains("password"), "\(message)")
        }
        _ = try await self.open(server.url)
    }

    @Test func `a server without either kind of index is refused with one that has it`() async throws {
        let server = try await RedisServer.start(.seven, password: secret)
        for kind in [nil, RedisIndexKind.vectorSet, .search] {
            let message = try await self.refusal(server.url, kind: kind)
            #expect(message.contains("Redis 8") && message.contains("7.0"), "\(message)")
        }
        let newer = try await RedisServer.start(password: secret)
        let message = try await self.refusal(newer.url, kind: .search)
        #expect(message.contains("FT.SEARCH"), "\(message)")
    }

    @Test func `a user without permissions is told to ask for them`() async throws {
        let server = try await RedisServer.start()
        try await server.command("ACL", "SETUSER", "guest", "on", ">\(secret)", "~*", "+@connection")
        var message = try await self.refusal("redis://guest:\(secret)@127.0.0.1:\(server.port)")
        #expect(message.contains("permission"), "\(message)")
        // Reads, but neither scripts nor writes.
        try await server.command("ACL", "SETUSER", "guest", "+@read", "+info", "+command")
        message = try await self.refusal("redis://guest:\(secret)@127.0.0.1:\(server.port)")
        #expect(message.contains("permission"), "\(message)")
        // Other keys.
        try await server.command("ACL", "SETUSER", "guest", "resetkeys", "~other:*", "+@all")
        message = try await self.refusal("redis://guest:\(secret)@127.0.0.1:\(server.port)")
        #expect(message.contains("permission"), "\(message)")
        try await server.command("ACL", "SETUSER", "guest", "resetkeys", "~semcache*")
        _ = try await self.open("redis://guest:\(secret)@127.0.0.1:\(server.port)")
    }

    @Test func `a user who may not run scripts is refused stores with the reason`() async throws {
        let server = try await RedisServer.start()
        try await server.command("ACL", "SETUSER", "guest", "on", ">\(secret)", "~*", "+@all", "-@scripting")
        let load = try LedgerLoad("redis://guest:\(secret)@127.0.0.1:\(server.port)", owners: 1, questions: 1)
        try await load.run { await load.progress.next(20, .failedChange) }
        let messages = Set(load.takeFailures().map(\.error.message))
        #expect(messages.allSatisfy { $0.contains("permission") && !$0.contains(secret) }, "\(messages)")
        #expect(load.progress.count(of: .change) == 0 && load.progress.count(of: .failedRead) == 0)
        await load.close()
    }

    @Test func `a server that is not there is refused in time`() async throws {
        let server = try await RedisServer.start()
        try await server.stop()
        let start = ContinuousClock.now
        let message = try await self.refusal("redis://:\(secret)@127.0.0.1:\(server.port)")
        #expect(message.contains("127.0.0.1:\(server.port)"), "\(message)")
        #expect(ContinuousClock.now - start < .seconds(8))
    }
}
