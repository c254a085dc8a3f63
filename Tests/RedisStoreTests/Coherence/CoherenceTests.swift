// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

@Suite(.timeLimit(.minutes(2))) struct CoherenceTests {
    enum Selection: CaseIterable {
        case ids, prompt, filter, tags, radius, cache, tenant

        func selector(_ id: EntryID) throws -> InvalidateRequest.Selector {
            switch self {
            case .ids: .ids([id])
            case .prompt: .exactPrompt(.text(try CanonicalPrompt("a question")), vary: [])
            case .filter: .filter(try MetadataFilter("tags contains \"doc\""))
            case .tags: .tags(["doc"])
            case .radius:
                .semanticRadius(.text(try CanonicalPrompt("a question")), vary: [], similarity: 0.99, embedding: nil)
            case .cache: .wholeCache
            case .tenant: .wholeTenant(confirmation: "acme")
            }
        }
    }

    @Test(arguments: [1, 3]) func `what one replica removes no other serves once it has returned`(shards: Int)
        async throws
    {
        try await Replica.withReplicas(3, on: try await freshDatabase(), shards: shards) { replicas in
            for selection in Selection.allCases {
                let id = try await replicas[0].store("a question", "an answer", tags: ["doc"])
                for replica in replicas { try await replica.warm("a question") }
                try await replicas[1].invalidate(selection.selector(id))
                for replica in replicas {
                    #expect(try await replica.lookup("a question") == nil, "\(selection)")
                }
            }
        }
    }

    @Test func `an answer that replaces another is the only one from when it is stored`() async throws {
        try await Replica.withReplicas(2, on: try await freshDatabase()) { replicas in
            for number in 0..<20 {
                try await replicas[number % 2].store("a question", "\(number)")
                for replica in replicas { #expect(try await replica.text("a question") == "\(number)") }
                for replica in replicas { try await replica.warm("a question") }
            }
        }
    }

    @Test func `what was answered by meaning goes with the entry that answered`() async throws {
        try await Replica.withReplicas(2, on: try await freshDatabase()) { replicas in
            let question = "how do I change the password of my account on the site"
            let id = try await replicas[0].store(question, "so")
            try await replicas[1].warm(question + " please")
            #expect(try await replicas[1].lookup(question + " please")?.kind == .semantic)
            try await replicas[0].invalidate(.ids([id]))
            #expect(try await replicas[1].lookup(question + " please") == nil)
        }
    }

    @Test func `one that does not answer is waited for as long as its lease may last, and once`() async throws {
        try await Replica.withReplicas(1, on: try await freshDatabase()) { replicas in
            let replica = replicas[0]
            let id = try await replica.store("a question", "an answer")
            try await replica.warm("a question")
            let keys = replica.store.layout.keys(of: replica.scope)[0]
            let ghost = ReplicaID()
            var command = RedisCommandFixture.hset(keys.register)
            command.append(ghost.bytes)
            command.append(7)
            _ = try await replica.client.send(command)
            let start = ContinuousClock.now
            try await replica.invalidate(.ids([id]))
            #expect(ContinuousClock.now - start >= Replica.times.lease)
            let register = try await replica.client.send(RedisCommandFixture.hkeys(keys.register))
            #expect(try !RESPReader.array(register).contains { try RESPReader.bytes($0) == .init(bytes: ghost.bytes) })
        }
    }

    @Test func `a replica that loses its listener serves nothing from memory until it has it again`() async throws {
        let server = try await RedisServer.start()
        try await Replica.withReplicas(2, on: server.url) { replicas in
            let id = try await replicas[0].store("a question", "an answer")
            try await replicas[1].warm("a question")
            for _ in 0..<5 {
                try await server.command("CLIENT", "KILL", "TYPE", "pubsub")
                try await replicas[1].warm("a question")
            }
            try await replicas[0].invalidate(.ids([id]))
            #expect(try await replicas[1].lookup("a question") == nil)
        }
    }

    @Test func `a replica that hears nothing of Redis serves from memory no longer than its lease`() async throws {
        let server = try await RedisServer.start()
        try await Replica.withReplicas(1, on: server.url) { replicas in
            let lease = try #require(replicas[0].lease)
            try await replicas[0].store("a question", "an answer")
            try await replicas[0].warm("a question")
            server.pause()
            try await eventually { !lease.permits }
            server.resume()
            try await replicas[0].warm("a question")
        }
    }

    @Test func `a removal that no replica of Redis confirms is an error, and nothing is served from memory then`()
        async throws
    {
        let server = try await RedisServer.start()
        let follower = try await RedisServer.start(options: ["--replicaof", "127.0.0.1 \(server.port)"])
        try await eventually {
            try await server.command("INFO", "replication").line("slave0")?.contains("state=online") == true
        }
        try await Replica.withReplicas(2, on: server.url) { replicas in
            let id = try await replicas[0].store("a question", "an answer")
            for replica in replicas { try await replica.warm("a question") }
            follower.pause()
            let lease = try #require(replicas[1].lease)
            try await eventually { !lease.permits }
            let error = await #expect(throws: CacheError.self) { try await replicas[0].invalidate(.ids([id])) }
            #expect(error?.code == .unavailable)
            follower.resume()
            // It confirms again when it has caught up.
            try await eventually { (try? await replicas[0].invalidate(.ids([id]))) != nil }
            for replica in replicas { #expect(try await replica.lookup("a question") == nil) }
        }
    }

    @Test func `a server that was started again waits for the leases of its former life`() async throws {
        let server = try await RedisServer.start()
        try await Replica.withReplicas(2, on: server.url) { replicas in
            try await replicas[0].store("a question", "an answer")
            for replica in replicas { try await replica.warm("a question") }
            try await server.restart()
            // Nobody is in its register yet.
            let start = ContinuousClock.now
            let witnesses = try await self.witnesses(of: replicas[0])
            let end = witnesses.heardAt + (Replica.times.lease - witnesses.eraAge)
            try await replicas[0].invalidate(.wholeCache)
            // Ages are in whole milliseconds, and by the server's clock; the reply took its time.
            #expect(ContinuousClock.now >= end - .milliseconds(50))
            #expect(witnesses.eraAge <= ContinuousClock.now - start + .seconds(1))
            for replica in replicas { #expect(try await replica.lookup("a question") == nil) }
        }
    }

    /// As the next change would have them.
    private func witnesses(of replica: Replica) async throws -> Witnesses {
        let keys = replica.store.layout.keys(of: replica.scope)[0]
        let removal = RemovalScript(
            mode: .all, epoch: [], cache: [], home: PartitionKeys([], in: keys), identity: nil,
            message: ChangeMessage(.none, by: ReplicaID(), .missed))
        return try #require(try await replica.store.run(removal, [], at: Timestamp(milliseconds: 0)).witnesses)
    }

    @Test func `who stops is waited for by nobody`() async throws {
        let url = try await freshDatabase()
        try await Replica.withReplicas(1, on: url) { replicas in
            let id = try await replicas[0].store("a question", "an answer")
            try await Replica.withReplicas(1, on: url) { try await $0[0].warm("a question") }
            let keys = replicas[0].store.layout.keys(of: replicas[0].scope)[0]
            let register = try await replicas[0].client.send(RedisCommandFixture.hkeys(keys.register))
            let names = try RESPReader.array(register).map { try RESPReader.bytes($0) }
            #expect(names.count { $0.readableBytes == 16 } == 1)
            try await replicas[0].invalidate(.ids([id]))
        }
    }
}
