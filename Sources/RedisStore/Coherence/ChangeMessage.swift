// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel

/// A replica, from its start to its end.
struct ReplicaID: Hashable, Sendable {
    private let id: EntryID

    /// One that nobody else has.
    init() { self.id = EntryID(high: .random(in: .min ... .max), low: .random(in: .min ... .max)) }

    /// Reads 16 bytes; anything else is `nil`.
    init?(bytes: some Collection<UInt8>) {
        guard let id = EntryID(bytes: bytes) else { return nil }
        self.id = id
    }

    var bytes: [UInt8] { self.id.bytes }
    /// 32 hexadecimal digits.
    var text: [UInt8] { self.id.text }
}

/// One change of a shard, of whichever replica.
struct ChangeID: Hashable, Sendable {
    /// Of what nobody waits to be heard: see ``StoreScripts/announcing``.
    static let none = Self(number: 0)

    let number: UInt64

    static func random() -> Self { Self(number: .random(in: 1 ... .max)) }
}

/// What replicas are told of a change.
///
///     offset  bytes
///          0      8  id of the change, big-endian; 0 if nobody waits
///          8     16  the replica that made it
///         24      1  s: stored, r: removed, e: a cache emptied, t: the tenant emptied, f: released
///         25         s: entry, first half of the partition, cache; r: cache, entries; e: cache; f: entry
struct ChangeMessage: Sendable, Hashable {
    let change: ChangeID
    /// `nil` if nobody waits.
    let sender: ReplicaID
    let news: StoreNews

    init(_ change: ChangeID, by sender: ReplicaID, _ news: StoreNews) {
        self.change = change
        self.sender = sender
        self.news = news
    }

    func encoded() -> [UInt8] {
        var bytes = self.change.number.bytes + self.sender.bytes
        switch self.news {
        case .stored(let id, let partition, let cache):
            bytes.append(UInt8(ascii: "s"))
            bytes += id.bytes + partition.bytes + cache.bytes
        case .removed(let ids, let cache):
            bytes.append(UInt8(ascii: "r"))
            bytes += cache.bytes
            for id in ids { bytes += id.bytes }
        case .emptied(let cache):
            bytes.append(UInt8(ascii: "e"))
            bytes += cache.bytes
        case .released(let id):
            bytes.append(UInt8(ascii: "f"))
            bytes += id.bytes
        case .emptiedTenant, .missed:
            bytes.append(UInt8(ascii: "t"))
        }
        return bytes
    }

    /// - Returns: `nil` for what no replica of this version tells.
    init?(_ bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        guard let number = UInt64(taking: &rest), let sender = ReplicaID(bytes: rest.prefix(16)) else { return nil }
        rest = rest.dropFirst(16)
        let kind = rest.popFirst()
        switch kind {
        case UInt8(ascii: "s"):
            guard rest.count == 64, let id = EntryID(bytes: rest.prefix(16)),
                let partition = EntryID(bytes: rest.dropFirst(16).prefix(16)),
                let cache = Digest(bytes: rest.dropFirst(32))
            else { return nil }
            self.news = .stored(id, partition: partition, cache: cache)
        case UInt8(ascii: "r"):
            guard let cache = Digest(bytes: rest.prefix(32)), (rest.count - 32).isMultiple(of: 16) else { return nil }
            rest = rest.dropFirst(32)
            var ids: [EntryID] = []
            while let id = EntryID(bytes: rest.prefix(16)) {
                ids.append(id)
                rest = rest.dropFirst(16)
            }
            self.news = .removed(ids, cache: cache)
        case UInt8(ascii: "e"):
            guard let cache = Digest(bytes: rest) else { return nil }
            self.news = .emptied(cache: cache)
        case UInt8(ascii: "f"):
            guard let id = EntryID(bytes: rest) else { return nil }
            self.news = .released(id)
        case UInt8(ascii: "t"):
            self.news = .emptiedTenant
        default:
            return nil
        }
        self.change = ChangeID(number: number)
        self.sender = sender
    }
}

/// That a replica has heard of a change: id of the change, then of the replica.
struct Acknowledgement: Sendable, Hashable {
    let change: ChangeID
    let replica: ReplicaID

    init(_ change: ChangeID, by replica: ReplicaID) {
        self.change = change
        self.replica = replica
    }

    func encoded() -> [UInt8] { self.change.number.bytes + self.replica.bytes }

    init?(_ bytes: some Collection<UInt8>) {
        var rest = Array(bytes)[...]
        guard let number = UInt64(taking: &rest), let replica = ReplicaID(bytes: rest) else { return nil }
        self.change = ChangeID(number: number)
        self.replica = replica
    }
}

extension UInt64 {
    var bytes: [UInt8] { withUnsafeBytes(of: self.bigEndian) { [UInt8]($0) } }

    fileprivate init?(taking bytes: inout ArraySlice<UInt8>) {
        guard bytes.count >= 8 else { return nil }
        self = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        bytes = bytes.dropFirst(8)
    }
}
