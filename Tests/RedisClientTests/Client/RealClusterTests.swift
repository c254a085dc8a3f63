// SPDX-License-Identifier: Apache-2.0

import NIOCore
import RedisClient
import TestSupport
import Testing

/// Against three real servers.
@Suite(.timeLimit(.minutes(3))) struct RealClusterTests {
    @Test func `each key is at the server of its slot`() async throws {
        let cluster = try await RedisCluster.start()
        let url = "redis+cluster://\(cluster.nodes[2].address)"
        try await withClient(url) { client throws in
            let writes = (0..<300).map { command("SET", "key-\($0)", "\($0)") }
            for result in await client.send(writes) { #expect(try result.get().text == "OK") }
            let reads = (0..<300).map { command("GET", "key-\($0)") }
            for (number, result) in await client.send(reads).enumerated() {
                #expect(try result.get().text == "\(number)")
            }
            var sizes: [Int64] = []
            for reply in try await client.sendToPrimaries(command("DBSIZE")) {
                guard case .integer(let size) = reply else { continue }
                sizes.append(size)
            }
            #expect(sizes.count == 3 && sizes.allSatisfy { $0 > 50 })
            #expect(sizes.reduce(0, +) == 300)
        }
    }

    @Test func `a script is loaded by each server when it is needed, again after it has lost it`() async throws {
        let cluster = try await RedisCluster.start()
        let script = RedisScript("return redis.call('INCRBY', KEYS[1], ARGV[1])", isRepeatable: false)
        try await withClient(cluster.url) { client throws in
            for round in 1...3 {
                for number in 0..<30 {
                    let reply = try await client.run(script, key: RedisKey("n\(number)")) { $0.append(2) }
                    #expect(reply == .integer(Int64(2 * round)))
                }
                if round == 2 { for node in cluster.nodes { try await node.command("SCRIPT", "FLUSH") } }
            }
        }
    }

    /// Each writer counts in keys of its own; `INCR` is sent as one that must not be repeated: a count that is off by
    /// one would show that it was executed twice or lost.
    @Test func `a slot moves to and fro under load without losing or doubling a write`() async throws {
        let cluster = try await RedisCluster.start()
        let tag = "{moving}"
        let slot = Int(RedisKey(tag).slot)
        let isOver = Shared(false)
        try await withClient(cluster.url) { client throws in
            let counts = try await withThrowingTaskGroup(of: (String, Int64).self) { tasks in
                for writer in 0..<8 {
                    tasks.addTask {
                        var count: Int64 = 0
                        let key = "\(tag)\(writer)"
                        while !isOver.now {
                            count += 1
                            let reply = try await client.send(command("INCR", key, isRepeatable: false))
                            #expect(reply == .integer(count))
                        }
                        return (key, count)
                    }
                }
                let home = try await cluster.owner(ofSlot: slot)
                for target in [(home + 1) % 3, (home + 2) % 3, home, (home + 1) % 3] {
                    let source = try await cluster.beginMigration(slot: slot, to: target)
                    // Some keys here, some there.
                    try await cluster.moveKeys(slot: slot, from: source, to: target, limit: 4)
                    for writer in 0..<8 { _ = try await client.send(command("GET", "\(tag)\(writer)")) }
                    try await cluster.moveKeys(slot: slot, from: source, to: target)
                    try await cluster.endMigration(slot: slot, from: source, to: target)
                }
                isOver.change { $0 = true }
                var counts: [String: Int64] = [:]
                for try await (key, count) in tasks { counts[key] = count }
                return counts
            }
            #expect(counts.count == 8)
            for (key, count) in counts {
                #expect(count > 0)
                #expect(try await client.send(command("GET", key)).text == "\(count)")
            }
        }
    }

    @Test func `several keys of a slot that is being moved are waited for until they are together`() async throws {
        let cluster = try await RedisCluster.start()
        let tag = "{moving}"
        let slot = Int(RedisKey(tag).slot)
        let script = RedisScript("return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}", isRepeatable: true)
        try await withClient(cluster.url) { client throws in
            for name in ["a", "b"] { _ = try await client.send(command("SET", tag + name, name)) }
            let target = (try await cluster.owner(ofSlot: slot) + 1) % 3
            let source = try await cluster.beginMigration(slot: slot, to: target)
            try await cluster.moveKeys(slot: slot, from: source, to: target, limit: 1)
            let before = try await cluster.nodes[source].command("INFO", "errorstats").description
            #expect(!before.contains("TRYAGAIN"))
            async let reply = client.run(script, key: RedisKey(tag + "a"), others: [RedisKey(tag + "b")]) { _ in }
            // Until a server has refused it, so that it does not come too late to be refused.
            while try await !cluster.nodes.asyncContains({
                try await $0.command("INFO", "errorstats").description.contains("TRYAGAIN")
            }) {}
            try await cluster.moveKeys(slot: slot, from: source, to: target)
            try await cluster.endMigration(slot: slot, from: source, to: target)
            guard case .array(let values) = try await reply else {
                Issue.record("no array")
                return
            }
            #expect(values.map(\.text) == ["a", "b"])
        }
    }
}

extension [RedisServer] {
    fileprivate func asyncContains(_ isWanted: (RedisServer) async throws -> Bool) async throws -> Bool {
        for server in self where try await isWanted(server) { return true }
        return false
    }
}
