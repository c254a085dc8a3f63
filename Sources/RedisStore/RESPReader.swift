// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient

/// Takes replies apart. What no server of ours replies is an error, never a trap.
enum RESPReader {
    static let unexpected = VectorStoreError(.corrupt, "Redis replied something else than was asked")

    static func integer(_ value: RESPValue) throws(VectorStoreError) -> Int64 {
        switch value {
        case .integer(let number): return number
        case .bytes(let text):
            guard let number = Int64(String(buffer: text)) else { throw Self.unexpected }
            return number
        default: throw Self.unexpected
        }
    }

    /// A number of entries or bytes: not negative, and no sum of a few overflows.
    static func count(_ value: RESPValue) throws(VectorStoreError) -> Int {
        let number = try Self.integer(value)
        guard (0...1 << 48).contains(number) else { throw Self.unexpected }
        return Int(number)
    }

    static func array(_ value: RESPValue) throws(VectorStoreError) -> [RESPValue] {
        switch value {
        case .array(let elements), .map(let elements): return elements
        case .null: return []
        default: throw Self.unexpected
        }
    }

    static func bytes(_ value: RESPValue) throws(VectorStoreError) -> ByteBuffer {
        guard case .bytes(let bytes) = value else { throw Self.unexpected }
        return bytes
    }

    static func bytesIfAny(_ value: RESPValue) throws(VectorStoreError) -> ByteBuffer? {
        if case .null = value { return nil }
        return try Self.bytes(value)
    }

    static func id(_ value: RESPValue) throws(VectorStoreError) -> EntryID {
        guard let id = EntryID(bytes: try Self.bytes(value).readableBytesView) else { throw Self.unexpected }
        return id
    }

    static func ids(_ value: RESPValue) throws(VectorStoreError) -> [EntryID] {
        try Self.array(value).map { element throws(VectorStoreError) in try Self.id(element) }
    }

    static func double(_ value: RESPValue) throws(VectorStoreError) -> Double {
        switch value {
        case .double(let number): return number
        case .integer(let number): return Double(number)
        case .bytes(let text):
            guard let number = Double(String(buffer: text)) else { throw Self.unexpected }
            return number
        default: throw Self.unexpected
        }
    }

    /// Elements and scores in turn, as `VSIM … WITHSCORES` replies in either protocol.
    static func hits(_ value: RESPValue) throws(VectorStoreError) -> [IndexHit] {
        let elements = try Self.array(value)
        guard elements.count.isMultiple(of: 2) else { throw Self.unexpected }
        var hits: [IndexHit] = []
        hits.reserveCapacity(elements.count / 2)
        for position in stride(from: 0, to: elements.count, by: 2) {
            // Its score is 0…1: (1 + cosine) / 2.
            let score = try Self.double(elements[position + 1])
            guard score.isFinite else { continue }
            hits.append(
                IndexHit(id: try Self.id(elements[position]), similarity: Float(min(1, max(-1, 2 * score - 1)))))
        }
        return hits.sorted { $0.similarity > $1.similarity }
    }
}

extension RedisClient {
    func reply(to command: RedisCommand) async throws(VectorStoreError) -> RESPValue {
        do throws(RedisError) {
            return try await self.send(command)
        } catch {
            throw VectorStoreError(error)
        }
    }

    /// One result for each, in order.
    func replies(to commands: [RedisCommand]) async -> [Result<RESPValue, VectorStoreError>] {
        await self.send(commands).map { $0.mapError { VectorStoreError($0) } }
    }

    /// - Parameter others: What the script changes besides the hash of entries.
    func reply(
        to script: RedisScript, on keys: TenantKeys, others: [RedisKey], _ append: (inout RedisCommand) -> Void
    ) async throws(VectorStoreError) -> RESPValue {
        do throws(RedisError) {
            return try await self.run(script, key: keys.entries, others: others, append: append)
        } catch {
            throw VectorStoreError(error)
        }
    }
}

extension RedisClient {
    /// Reads members of a sorted set whose scores are all the same; from the beginning and to the end if `nil`.
    func members(
        of key: RedisKey, from low: [UInt8]?, through high: [UInt8]?, limit: Int
    ) async throws(VectorStoreError) -> [ByteBuffer] {
        var command = RedisCommand("ZRANGEBYLEX", on: key, isRepeatable: true)
        command.append(low ?? [UInt8(ascii: "-")])
        command.append(high ?? [UInt8(ascii: "+")])
        command.append("LIMIT")
        command.append("0")
        command.append(Int64(limit))
        return try RESPReader.array(try await self.reply(to: command)).map { value throws(VectorStoreError) in
            try RESPReader.bytes(value)
        }
    }

    /// Reads ids of a partition in one shard, in order.
    func ids(
        after id: EntryID?, in home: PartitionKeys, limit: Int
    ) async throws(VectorStoreError) -> [EntryID] {
        let members = try await self.members(
            of: home.order, from: id.map { [UInt8(ascii: "(")] + $0.bytes }, through: nil, limit: limit)
        return try members.map { member throws(VectorStoreError) in try RESPReader.id(.bytes(member)) }
    }
}

extension RedisCommand {
    /// A command whose first argument is a key.
    init(_ name: String, on key: RedisKey, isRepeatable: Bool, capacity: Int = 192) {
        self.init(name, route: .key(slot: key.slot), isRepeatable: isRepeatable, capacity: capacity)
        self.append(key.bytes)
    }
}

extension VectorStoreError {
    init(_ error: RedisError) {
        switch error.code {
        case .overloaded: self.init(.overloaded, "Redis: \(error.message)")
        case .protocolViolation: self.init(.unavailable, "Redis: \(error.message)")
        case .refused where error.reply?.prefix == "ABORTED": self = .leaseIsOver
        case .refused where error.reply?.prefix == "LATE":
            self.init(.unavailable, "Redis came to the change only after its time was over")
        case .refused where error.reply?.text.contains("dimension mismatch") == true:
            self.init(.corrupt, "the vector has another number of dimensions than its partition's")
        case .refused where error.reply?.text.contains("quantization mismatch") == true:
            self.init(.corrupt, "the vectors in Redis are quantised otherwise than store.quantization says")
        case .unreachable, .connectionLost, .timedOut, .refused, .closed, .cancelled, .misconfigured:
            self.init(.unavailable, "Redis: \(error.message)")
        }
    }
}
