// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient

/// Reads what `FT.SEARCH … RETURN 1 d` replies, in either protocol.
enum SearchReply {
    /// The nearest first: a server sends them in any order.
    ///
    /// - Throws: ``VectorStoreError``, with `.unavailable` if the server says that there is more than it had time for.
    static func hits(_ reply: RESPValue) throws(VectorStoreError) -> [IndexHit] {
        var hits: [IndexHit] = []
        if case .map = reply {
            if case .array(let warnings)? = reply.field("warning"), !warnings.isEmpty {
                throw VectorStoreError(.unavailable, "Redis had no time to search all of the index")
            }
            for row in try RESPReader.array(reply.field("results") ?? .null) {
                guard let key = row.field("id") else { throw RESPReader.unexpected }
                hits += try Self.hit(key, row.field("extra_attributes"))
            }
        } else {
            // The total, then keys and fields in turn.
            let parts = try RESPReader.array(reply)
            guard parts.count % 2 == 1 else { throw RESPReader.unexpected }
            for position in stride(from: 1, to: parts.count, by: 2) {
                hits += try Self.hit(parts[position], parts[position + 1])
            }
        }
        return hits.sorted { $0.similarity > $1.similarity }
    }

    /// - Returns: None for a document that went while the search ran: a key without fields, or whose distance is not a
    ///   number.
    private static func hit(_ key: RESPValue, _ fields: RESPValue?) throws(VectorStoreError) -> [IndexHit] {
        let bytes = try RESPReader.bytes(key).readableBytesView
        guard let id = EntryID(text: bytes.suffix(EntryID.textBytes)) else { throw RESPReader.unexpected }
        guard let distance = fields?.field("d")?.text.flatMap(Double.init), distance.isFinite else { return [] }
        // Rounding makes it a little less than 0 at times.
        return [IndexHit(id: id, similarity: Float(min(1, max(-1, 1 - distance))))]
    }
}

extension RESPValue {
    /// What follows a name, in a map or in an array of names and values in turn.
    func field(_ name: String) -> RESPValue? {
        let elements: [RESPValue]
        switch self {
        case .map(let pairs): elements = pairs
        case .array(let pairs): elements = pairs
        default: return nil
        }
        return stride(from: 0, to: elements.count - 1, by: 2).first { elements[$0].text == name }
            .map { elements[$0 + 1] }
    }

    /// Of a string that is UTF-8.
    var text: String? {
        guard case .bytes(let bytes) = self else { return nil }
        return String(validating: bytes.readableBytesView, as: UTF8.self)
    }

    /// Of an integer, or of a string that says one.
    var number: Int64? {
        switch self {
        case .integer(let number): number
        case .double(let number): Int64(exactly: number)
        case .bytes: self.text.flatMap { Int64($0) }
        default: nil
        }
    }
}
