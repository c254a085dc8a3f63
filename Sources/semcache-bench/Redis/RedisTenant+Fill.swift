// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient
import RedisStore

extension RedisTenant {
    /// What putting entries took.
    struct Fill {
        static let depth = 16

        let count: Int
        let seconds: Double
        let latencies: Latencies

        func report(_ what: String, asJSON: Bool) throws {
            var table = Table(
                "puts into the store, \(Self.depth) in flight: \(what)",
                columns: ["puts", "puts/s", "p50 µs", "p99 µs"])
            table.add(
                Double(self.count).grouped, (Double(self.count) / self.seconds).grouped,
                self.latencies.p50.microseconds, self.latencies.p99.microseconds)
            try table.print(asJSON: asJSON)
        }
    }

    /// Puts entries, each made when it is its turn.
    func fill(_ count: Int, _ make: @escaping @Sendable (Int) -> (CacheEntry, Embedding)) throws -> Fill {
        let partition = self.partition
        let start = Machine.now
        let puts = try self.time(count, depth: Fill.depth) { store, number in
            let (entry, embedding) = make(number)
            _ = try await store.put(entry, embedding: embedding, in: partition, quota: .unlimited)
        }
        let seconds = Double(Machine.now - start) / 1e9
        var latencies = Latencies()
        for put in puts { latencies.record(put.time) }
        return Fill(count: count, seconds: seconds, latencies: latencies)
    }
}

/// The keys of a tenant's only partition, as the server has them.
struct PartitionInRedis {
    private let prefix: [UInt8]
    private let name: [UInt8]

    /// - Throws: ``BenchError`` if the partition is not there.
    init(of tenant: RedisTenant) throws {
        let words = tenant.partition.key.words
        self.name = EntryID(high: words.0, low: words.1).text
        var command = RedisCommand("KEYS", isRepeatable: true)
        command.append(
            Array("semcache:\(TenantKeys.layoutVersion):{*}:v:".utf8) + self.name)
        guard case .array(let keys) = try tenant.reply(to: command), keys.count == 1, case .bytes(let key) = keys[0]
        else { throw BenchError("the partition's vectors are not where they should be") }
        self.prefix = Array(key.readableBytesView.dropLast(self.name.count + 2))
    }

    /// Of the hash of the tenant's entries.
    var entries: [UInt8] { self.prefix + Array("h".utf8) }
    var vectors: [UInt8] { self.key("v") }

    /// - Parameter kind: `v`, `x`, `i`, `u` or `q`.
    func key(_ kind: String) -> [UInt8] { self.prefix + Array("\(kind):".utf8) + self.name }
}
