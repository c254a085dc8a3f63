// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

@Suite(.timeLimit(.minutes(3))) struct CoherenceDeploymentTests {
    @Test func `in a cluster what one replica removes no other serves, before and after its slot has moved`()
        async throws
    {
        let cluster = try await RedisCluster.start()
        try await Replica.withReplicas(2, on: cluster.url) { replicas in
            let slot = Int(replicas[0].store.layout.keys(of: replicas[0].scope)[0].prefix.slot)
            for _ in 0..<3 {
                try await self.storeAndRemove(replicas)
                let owner = try await cluster.owner(ofSlot: slot)
                try await cluster.migrate(slot: slot, to: (owner + 1) % 3)
            }
            try await self.storeAndRemove(replicas)
        }
    }

    @Test func `what was removed does not come back with a primary that others replace`() async throws {
        let sentinels = try await RedisSentinels.start()
        try await Replica.withReplicas(2, on: sentinels.url) { replicas in
            for _ in 0..<2 {
                let id = try await self.storeAndWarm(replicas)
                async let removal: Void = self.untilDone { try await replicas[0].invalidate(.ids([id])) }
                _ = try await sentinels.failOver()
                try await removal
                for replica in replicas { #expect(try await replica.lookup("a question") == nil) }
            }
        }
    }

    private func storeAndRemove(_ replicas: [Replica]) async throws {
        let id = try await self.storeAndWarm(replicas)
        try await self.untilDone { try await replicas[1].invalidate(.ids([id])) }
        for replica in replicas { #expect(try await replica.lookup("a question") == nil) }
    }

    private func storeAndWarm(_ replicas: [Replica]) async throws -> EntryID {
        let id = try await self.untilDone { try await replicas[0].store("a question", "an answer") }
        for replica in replicas { try await replica.warm("a question") }
        return id
    }

    /// What fails because servers change is to be made again.
    private func untilDone<Value>(_ body: () async throws -> Value) async throws -> Value {
        while true {
            do {
                return try await body()
            } catch let error as CacheError where error.code == .unavailable {
                await LedgerLoad.pause()
            }
        }
    }
}
