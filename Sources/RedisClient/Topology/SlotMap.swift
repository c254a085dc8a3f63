// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Which primary of a cluster serves which slot.
struct SlotMap: Sendable, Equatable {
    private static let unserved = UInt16.max

    /// In the order in which the cluster named them.
    private(set) var primaries: [RedisAddress] = []
    /// Asked for the map when no primary answers.
    private(set) var replicas: [RedisAddress] = []
    /// For each slot the place of its server among the primaries.
    private var owners = [UInt16](repeating: Self.unserved, count: RedisSlot.count)

    /// Reads a reply to `CLUSTER SLOTS`.
    ///
    /// - Parameter asked: The server that replied; where it names no host it means its own.
    /// - Throws: `.protocolViolation` for what no cluster says, `.unreachable` if no slot is served.
    init(_ reply: RESPValue, from asked: RedisAddress) throws(RedisError) {
        guard case .array(let ranges) = reply, ranges.count <= RedisSlot.count else { throw Self.malformed }
        var places: [RedisAddress: UInt16] = [:]
        var replicas: Set<RedisAddress> = []
        var length: Int64 = 0
        for range in ranges {
            guard case .array(let fields) = range, fields.count >= 3,
                fields.count <= 2 + RedisLimits.maximumServersOfSlot,
                case .integer(let first) = fields[0], case .integer(let last) = fields[1],
                0 <= first, first <= last, last < RedisSlot.count
            else { throw Self.malformed }
            length += last - first + 1
            guard length <= RedisSlot.count else { throw Self.malformed }
            guard let primary = try Self.address(fields[2], asked) else { continue }
            if places[primary] == nil {
                guard self.primaries.count < RedisLimits.maximumServers else { throw Self.malformed }
                places[primary] = UInt16(self.primaries.count)
                self.primaries.append(primary)
            }
            let place = places[primary] ?? Self.unserved
            for slot in Int(first)...Int(last) { self.owners[slot] = place }
            for field in fields[3...] {
                guard let replica = try Self.address(field, asked), replicas.count < RedisLimits.maximumServers,
                    replicas.insert(replica).inserted
                else { continue }
                self.replicas.append(replica)
            }
        }
        guard !self.primaries.isEmpty else {
            throw RedisError(.unreachable, "the cluster serves no slot: its servers do not know each other (yet)")
        }
    }

    /// Returns the place of the slot's server in ``primaries``.
    func owner(of slot: UInt16) -> Int? {
        guard slot < self.owners.count, self.owners[Int(slot)] != Self.unserved else { return nil }
        return Int(self.owners[Int(slot)])
    }

    /// Notes that a server was said to serve a slot; it is appended to ``primaries`` if it is not among them.
    ///
    /// One that is beyond the limit on servers is not noted.
    mutating func assign(_ slot: UInt16, to address: RedisAddress) {
        guard slot < self.owners.count else { return }
        if let place = self.primaries.firstIndex(of: address) {
            self.owners[Int(slot)] = UInt16(place)
        } else if self.primaries.count < RedisLimits.maximumServers {
            self.owners[Int(slot)] = UInt16(self.primaries.count)
            self.primaries.append(address)
        }
    }

    /// Host, port, id and, from Redis 7 on, more names by which it could be called.
    ///
    /// - Returns: `nil` if the server does not know under which name others reach it, or on which port.
    private static func address(_ field: RESPValue, _ asked: RedisAddress) throws(RedisError) -> RedisAddress? {
        guard case .array(let parts) = field, parts.count >= 2, case .integer(let port) = parts[1] else {
            throw self.malformed
        }
        let host: String
        switch parts[0] {
        case .null: host = ""
        case .bytes(let text): host = String(buffer: text)
        default: throw self.malformed
        }
        if host == "?" || port == 0 { return nil }
        guard let address = RedisAddress(announced: host, port: port, by: asked) else { throw self.malformed }
        return address
    }

    private static let malformed = RedisError(.protocolViolation, "the server's reply to CLUSTER SLOTS makes no sense")
}
