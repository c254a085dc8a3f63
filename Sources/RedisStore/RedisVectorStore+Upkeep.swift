// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Logging
import NIOCore
import RedisClient

extension RedisVectorStore {
    /// Writes down what was served, and removes what has expired, until the task is cancelled. One replica sweeps for all.
    package func run() async {
        var nextSweep = ContinuousClock.now + self.configuration.sweepInterval
        while !Task.isCancelled {
            do {
                try await Task.sleep(for: Limits.redisTouchInterval)
            } catch {
                break
            }
            await self.flushTouches()
            await self.removeStrays()
            if ContinuousClock.now >= nextSweep {
                nextSweep = ContinuousClock.now + self.configuration.sweepInterval
                await self.sweepInTurn()
            }
        }
        // This task is cancelled, and its commands would be; who cancelled it waits for it, and so for them.
        await Task { await self.flushTouches() }.value
    }

    /// Writes down which entries were served.
    package func flushTouches() async {
        let touches = self.touches.take()
        for (home, uses) in Dictionary(grouping: touches, by: \.use.partition) {
            do throws(VectorStoreError) {
                let declared = [home.tenant.versions, home.uses]
                _ = try await self.client.reply(to: self.scripts.touch, on: home.tenant, others: declared) { command in
                    command.append(home.name)
                    for (use, time) in uses {
                        command.append(use.id.bytes)
                        command.append(time.milliseconds)
                    }
                }
            } catch {
                // They only make entries look less valuable; lookups and stores say that Redis is not there.
                let metadata: Logger.Metadata = ["error.code": "\(error.code.rawValue)"]
                self.logger.debug("uses of entries could not be noted", metadata: metadata)
                return
            }
        }
    }

    /// Removes from the index what searches found there without an entry: a removal of a whole cache that ended half-way
    /// leaves some, and each takes a place among the nearest.
    func removeStrays() async {
        for (home, uses) in Dictionary(grouping: self.strays.take(), by: \.use.partition) {
            do throws(VectorStoreError) {
                let descriptor = try await self.descriptors(of: [home.name], in: home.tenant)[0]
                let removal = RemovalScript(
                    mode: .expired, epoch: [], cache: [], home: home, identity: descriptor?.identity)
                for (use, time) in uses { _ = try await self.run(removal, [(use.id, [])], at: time) }
            } catch {
                // The next search that finds them notes them again.
                return
            }
        }
    }

    /// Sweeps, if no other replica has within the interval.
    func sweepInTurn() async {
        do throws(VectorStoreError) {
            guard try await self.takesTurn() else { return }
            let count = try await self.sweep(at: self.clock())
            if count > 0 { self.logger.debug("expired entries removed", metadata: ["entries": "\(count)"]) }
        } catch {
            self.logger.warning(
                "expired entries could not be removed",
                metadata: ["error.code": "\(error.code.rawValue)", "reason": "\(error.message)"])
        }
    }

    /// Whether no other replica has swept within the interval.
    private func takesTurn() async throws(VectorStoreError) -> Bool {
        var command = RedisCommand("SET", on: RedisKey("semcache:sweeper"), isRepeatable: false)
        let interval = self.configuration.sweepInterval.wholeMilliseconds
        // A little less than the interval, so that the same replica may take the next turn.
        for argument in ["1", "NX", "PX", "\(max(1, interval - interval / 8))"] { command.append(argument) }
        if case .null = try await self.client.reply(to: command) { return false }
        return true
    }

    /// Removes what has expired of all tenants.
    ///
    /// - Returns: How many entries it removed.
    @discardableResult
    package func sweep(at now: Timestamp) async throws(VectorStoreError) -> Int {
        var removed = 0
        var failure: VectorStoreError?
        var cursor = "0"
        repeat {
            var command = RedisCommand("SSCAN", on: TenantRegister.tenants, isRepeatable: true)
            for argument in [cursor, "COUNT", "256"] { command.append(argument) }
            let page = try RESPReader.array(try await self.client.reply(to: command))
            guard page.count == 2 else { throw RESPReader.unexpected }
            cursor = String(buffer: try RESPReader.bytes(page[0]))
            for prefix in try RESPReader.array(page[1]) {
                let keys = TenantKeys(prefix: RedisKey(Array(try RESPReader.bytes(prefix).readableBytesView)))
                do throws(VectorStoreError) {
                    removed += try await self.sweep(keys, at: now)
                } catch {
                    // The others' turn comes all the same.
                    failure = error
                }
            }
        } while cursor != "0"
        if let failure { throw failure }
        return removed
    }

    /// Removes what has expired of a shard, in small steps between other changes.
    @discardableResult
    func sweep(_ keys: TenantKeys, at now: Timestamp) async throws(VectorStoreError) -> Int {
        var removed = 0
        while true {
            let names = try await self.members(of: keys.due, upTo: now, limit: Limits.redisPartitionPage)
            if names.isEmpty { return removed }
            let homes = names.map { PartitionKeys(Array($0.readableBytesView), in: keys) }
            let before = removed
            for (home, descriptor) in zip(homes, try await self.descriptors(of: homes.map(\.name), in: keys)) {
                removed += try await self.sweep(home, identity: descriptor?.identity, at: now)
            }
            // What stays due though nothing of it goes is for the next time.
            if removed == before { return removed }
        }
    }

    private func sweep(
        _ home: PartitionKeys, identity: Digest?, at now: Timestamp
    ) async throws(VectorStoreError) -> Int {
        var removed = 0
        while true {
            let ids = try await self.members(of: home.expiries, upTo: now, limit: Limits.redisRemovalChunk).map {
                member throws(VectorStoreError) in try RESPReader.id(.bytes(member))
            }
            // Also without any: when the next one expires is noted.
            let removal = RemovalScript(mode: .expired, epoch: [], cache: [], home: home, identity: identity)
            _ = try await self.run(removal, ids.map { ($0, []) }, at: now)
            removed += ids.count
            if ids.count < Limits.redisRemovalChunk { return removed }
        }
    }

    /// Reads members of a sorted set whose scores are times, up to a time; all of them if the limit is negative.
    func members(
        of key: RedisKey, upTo now: Timestamp, limit: Int
    ) async throws(VectorStoreError) -> [ByteBuffer] {
        var command = RedisCommand("ZRANGEBYSCORE", on: key, isRepeatable: true)
        for argument in ["-inf", "\(now.milliseconds)", "LIMIT", "0", "\(limit)"] { command.append(argument) }
        return try RESPReader.array(try await self.client.reply(to: command)).map { value throws(VectorStoreError) in
            try RESPReader.bytes(value)
        }
    }
}
