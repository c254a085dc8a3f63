// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import RedisStore

/// Failovers and slots that move, under load.
@Suite(.serialized, .timeLimit(.minutes(3))) struct DeploymentFaultTests {
    /// How a primary is replaced.
    enum End: CaseIterable { case told, killed, paused }

    // Replication is asynchronous: what the old primary acknowledged shortly before may be lost. What must not be lost is
    // told by WAIT: at some point callers stop, the replicas confirm that they have everything, and from there on only
    // items that were changed again may be found as they were before, and never older than at that point.
    @Test(arguments: End.allCases)
    func `after a failover nothing is lost but what the servers had not copied`(end: End) async throws {
        let sentinels = try await RedisSentinels.start()
        let load = try LedgerLoad(sentinels.url)
        let first = try #require(try await sentinels.primary())
        try await load.run { await load.progress.next(300, .change) }
        #expect(try await sentinels.servers[first].command("WAIT", "2", "10000") == .integer(2))
        load.ledger.settle(try await load.versions())
        load.ledger.allow(.changes)
        let primary = Mutex(first)
        // Half of the callers go on: the items of the others are as they were.
        try await load.run(owners: 0..<3) {
            await load.progress.next(100, .change)
            switch end {
            case .told:
                let next = try await sentinels.failOver()
                primary.withLock { $0 = next }
            case .killed:
                try await sentinels.servers[first].kill()
                let next = try await sentinels.waitForFailover(from: first)
                primary.withLock { $0 = next }
            case .paused:
                sentinels.servers[first].pause()
                let next = try await sentinels.waitForFailover(from: first)
                primary.withLock { $0 = next }
                // It takes itself for the primary until it is told.
                sentinels.servers[first].resume()
            }
            // Until a client knows, it goes to the old one, which takes everything until it is told itself: all lost.
            let address = sentinels.servers[primary.withLock { $0 }].address
            let start = ContinuousClock.now
            for client in load.clients {
                while try await client.primaries().map({ "\($0)" }) != [address] { await LedgerLoad.pause() }
            }
            // Later than that the sentinels tell the old one.
            #expect(ContinuousClock.now - start < .seconds(8))
            try await expectRecovery(of: load)
            await load.progress.next(200, .change)
        }
        try await load.inspect { _ in sentinels.servers[primary.withLock { $0 }] }
        load.ledger.settle(try await load.versions())
        load.ledger.allow(.nothing)
        try await load.run { await load.progress.next(300, .change) }
        try await load.inspect { _ in sentinels.servers[primary.withLock { $0 }] }
        await load.close()
    }

    @Test(arguments: [1, 3])
    func `a cluster that moves slots gives no wrong answer and loses nothing`(shards: Int) async throws {
        let cluster = try await RedisCluster.start()
        let load = try LedgerLoad(cluster.url, owners: 8, questions: 4, shards: shards)
        let keys = load.tenants.flatMap { load.stores[0].layout.keys(of: $0) }.prefix(4)
        try await load.run {
            await load.progress.next(200, .change)
            for keys in keys {
                let slot = Int(keys.entries.slot)
                let target = (try await cluster.owner(ofSlot: slot) + 1) % cluster.nodes.count
                let source = try await cluster.beginMigration(slot: slot, to: target)
                await load.progress.next(20, .read)
                // Between two keys: some are here, some there.
                for _ in 0..<4 {
                    try await cluster.moveKeys(slot: slot, from: source, to: target, limit: 3)
                    await load.progress.next(40, .read)
                }
                try await cluster.moveKeys(slot: slot, from: source, to: target)
                await load.progress.next(40, .change)
                try await cluster.endMigration(slot: slot, from: source, to: target)
                try await expectRecovery(of: load)
            }
            await load.progress.next(200, .change)
        }
        // The only reason for a change to fail, but for a machine that is busy.
        let others = Set(load.takeFailures().map(\.error.message))
            .filter { !$0.contains("slot is being moved") && !$0.contains("in time") }
        #expect(others == [])
        try await load.inspect { key in
            cluster.nodes[try await cluster.owner(ofSlot: try await cluster.slot(of: key))]
        }
        await load.close()
    }
}
