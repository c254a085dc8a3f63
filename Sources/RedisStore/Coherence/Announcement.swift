// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import NIOCore
import RedisClient

/// Who must have heard of a change before it counts as known everywhere, as the script said that made it.
struct Witnesses: Sendable {
    /// How long the server has been known to be the primary.
    let eraAge: Duration
    /// Replicas of the server, in the sense of Redis, that must have it.
    let followers: Int
    /// Which life of which server, as which primary.
    let era: ByteBuffer
    /// The replicas that may answer from memory, with the count of their renewals.
    let register: [ReplicaID: ByteBuffer]
    /// By our clock, when the change was known to have been made.
    let heardAt = ContinuousClock.now

    /// - Returns: `nil` where the script had nothing to tell.
    init?(_ reply: RESPValue) throws(VectorStoreError) {
        let parts = try RESPReader.array(reply)
        if parts.isEmpty { return nil }
        guard parts.count == 4 else { throw RESPReader.unexpected }
        self.eraAge = .milliseconds(min(max(0, try RESPReader.integer(parts[0])), 1 << 48))
        self.followers = try RESPReader.count(parts[1])
        self.era = try RESPReader.bytes(parts[2])
        let fields = try RESPReader.array(parts[3])
        guard fields.count.isMultiple(of: 2) else { throw RESPReader.unexpected }
        var register: [ReplicaID: ByteBuffer] = [:]
        for position in stride(from: 0, to: fields.count, by: 2) {
            // Others than replicas have names of other lengths.
            let name = try RESPReader.bytes(fields[position])
            guard let replica = ReplicaID(bytes: name.readableBytesView) else { continue }
            register[replica] = try RESPReader.bytes(fields[position + 1])
        }
        self.register = register
    }
}

/// A change that others have been told of.
struct Announcement: Sendable {
    let change: ChangeID
    let keys: TenantKeys
    let witnesses: Witnesses
    /// Whether it made nothing false that was stored.
    let isAddition: Bool

    init(_ change: ChangeID, in keys: TenantKeys, _ witnesses: Witnesses, isAddition: Bool = false) {
        self.isAddition = isAddition
        self.change = change
        self.keys = keys
        self.witnesses = witnesses
    }
}
