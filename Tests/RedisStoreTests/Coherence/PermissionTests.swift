// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Foundation
import TestSupport
import Testing

@testable import RedisStore

@Suite(.timeLimit(.minutes(1))) struct PermissionTests {
    /// The rules that `deploy/README.md` tells operators to set.
    private static func documentedRules() throws -> [String] {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../deploy/README.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let begin = try #require(text.range(of: "ACL SETUSER semcached on >PASSWORD "))
        let end = try #require(text[begin.upperBound...].range(of: "```"))
        return text[begin.upperBound..<end.lowerBound].split(whereSeparator: \.isWhitespace).map(String.init)
    }

    @Test func `the documented user may do all that replicas do, and nothing fails half-way`() async throws {
        let server = try await RedisServer.start()
        try await server.command(["ACL", "SETUSER", "semcached", "on", ">secret"] + Self.documentedRules())
        try await Replica.withReplicas(2, on: "redis://semcached:secret@127.0.0.1:\(server.port)") { replicas in
            for selection in CoherenceTests.Selection.allCases {
                let id = try await replicas[0].store("a question", "an answer", tags: ["doc"])
                try await replicas[1].store("a question", "another answer", tags: ["doc"])
                for replica in replicas { try await replica.warm("a question") }
                let token = try await self.lease(replicas[0])
                #expect(
                    try await replicas[0].store.extendLease(token, in: self.cache(replicas[0]), for: .seconds(9))
                        > .zero)
                #expect(try await replicas[1].store.releaseLease(token, in: self.cache(replicas[1])))
                try await replicas[1].invalidate(selection.selector(id))
                for replica in replicas { #expect(try await replica.lookup("a question") == nil, "\(selection)") }
            }
            try await self.decide(replicas[0])
            _ = try await replicas[0].store.sweep(at: Timestamp(milliseconds: .max / 2))
            await replicas[0].store.flushTouches()
        }
        #expect(try await server.command("ACL", "LOG").items.isEmpty)
    }

    private func cache(_ replica: Replica) -> CacheScope { CacheScope("c", of: replica.scope) }

    private func decide(_ replica: Replica) async throws {
        let cache = self.cache(replica)
        let home = Partition(of: cache, embedding: HashingEmbedder().identity, vary: [])
        let id = try await replica.store("a question", "an answer")
        let pair = BlockedPair(question: id, entry: id, cluster: AnswerCluster(high: 1, low: 1))
        try await replica.store.block(pair, in: home, by: .now + .seconds(9))
        #expect(try await replica.store.blocks(of: id, in: home) == [pair])
        #expect(try await replica.store.assign(pair.cluster, to: id, in: home))
        #expect(try await replica.store.append([[1]], to: cache) >= 1)
        #expect(try await replica.store.records(of: cache, after: 0).records == [[1]])
        #expect(try await replica.store.save(DecisionSnapshot(upTo: 1, bytes: []), of: cache))
        #expect(try await replica.store.snapshot(of: cache) != nil)
        try await replica.invalidate(.wholeTenant(confirmation: "acme"))
        #expect(try await replica.store.snapshot(of: cache) == nil)
    }

    private func lease(_ replica: Replica) async throws -> LeaseToken {
        let partition = Partition(
            of: self.cache(replica), embedding: HashingEmbedder().identity, vary: [])
        let id = partition.entryID(of: try CanonicalPrompt("something else"))
        let grant = try await replica.store.acquireLease(
            on: id, in: partition, for: .seconds(5), seen: nil, at: Timestamp(milliseconds: 0))
        guard case .granted(let token, _) = grant else { throw VectorStoreError.leaseIsOver }
        return token
    }
}
