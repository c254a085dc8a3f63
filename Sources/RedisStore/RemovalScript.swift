// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient

/// What ``StoreScripts/remove`` is told.
struct RemovalScript: Sendable {
    enum Mode: String, Sendable {
        case all
        case expired
        /// All, and the rest of the partition is to follow.
        case partition
        case dry
    }

    struct Outcome: Sendable {
        /// Of live entries.
        let count: Int
        /// At most ``Limits/maximumSampleIDs``.
        let sample: [EntryID]
        /// Those whose token is another.
        let changed: [EntryID]
        /// If others were told.
        let witnesses: Witnesses?
    }

    let mode: Mode
    /// Which epoch advances; none if empty.
    let epoch: [UInt8]
    /// The cache that entries must be of; any if empty.
    let cache: [UInt8]
    let home: PartitionKeys
    /// Of the partition, if it is known.
    let identity: Digest?
    /// What others are told, if they are.
    var message: ChangeMessage?
}

extension RedisVectorStore {
    /// - Parameter chosen: At most ``Limits/redisRemovalChunk`` ids, and the tokens that they must have; any if empty.
    func run(
        _ removal: RemovalScript, _ chosen: [(EntryID, [UInt8])], at now: Timestamp
    ) async throws(VectorStoreError) -> RemovalScript.Outcome {
        let home = removal.home
        let index = removal.identity.map { self.index.keys(of: chosen.map(\.0), in: home, identity: $0) } ?? []
        // What has expired may be removed at any time.
        let isFenced = removal.mode == .all || removal.mode == .partition
        let time = self.configuration.timeout
        let fence = isFenced ? try await self.directory.fence(of: home.tenant, in: time) : nil
        let change = RedisChange(
            script: self.scripts.remove, keys: home.tenant, others: home.declared + index, fence: fence, time: time,
            gate: nil)
        let reply = try await self.run(change) { command in
            command.append(now.milliseconds)
            command.append(removal.mode.rawValue)
            command.append(removal.epoch)
            command.append(removal.cache)
            command.append(home.name)
            command.append(Int64(Limits.maximumSampleIDs))
            command.append(fence ?? 0)
            command.append(removal.message?.encoded() ?? [])
            for (id, token) in chosen {
                command.append(id.bytes)
                command.append(token)
            }
        }
        let parts = try RESPReader.array(reply)
        guard parts.count == 4 else { throw RESPReader.unexpected }
        return RemovalScript.Outcome(
            count: try RESPReader.count(parts[0]), sample: try RESPReader.ids(parts[1]),
            changed: try RESPReader.ids(parts[2]), witnesses: try Witnesses(parts[3]))
    }
}
