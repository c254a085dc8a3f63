// SPDX-License-Identifier: Apache-2.0

import CacheModel
import DequeModule

/// Keys of texts that wait, of tenants that take turns.
///
/// Each tenant has a line of its own, and one key of each tenant is taken before a second of any. So a tenant waits for at
/// most one text of every other, however many they have sent.
struct FairQueue {
    private struct Line {
        var places = Deque<Place>()
        var bytes = 0
    }

    private struct Place {
        let key: Digest
        let bytes: Int
    }

    /// None is empty.
    private var lines: [TenantID: Line] = [:]
    /// Tenants that have a line, the one whose turn it is first.
    private var turns = Deque<TenantID>()
    /// Of all tenants.
    private(set) var count = 0
    /// Of their texts.
    private(set) var bytes = 0

    mutating func append(_ key: Digest, bytes: Int, of tenant: TenantID) {
        if self.lines[tenant] == nil { self.turns.append(tenant) }
        self.lines[tenant, default: Line()].places.append(Place(key: key, bytes: bytes))
        self.lines[tenant]!.bytes += bytes
        self.count += 1
        self.bytes += bytes
    }

    /// Takes the first key of the tenant whose turn it is, and gives the turn to the next.
    mutating func popFirst() -> Digest? {
        guard let tenant = self.turns.popFirst(), let place = self.lines[tenant]!.places.popFirst() else { return nil }
        self.left(place, of: tenant)
        if self.lines[tenant] != nil { self.turns.append(tenant) }
        return place.key
    }

    /// Takes a key out of its line, wherever it is.
    ///
    /// - Returns: The bytes of its text; `nil` if it is not in the queue.
    @discardableResult
    mutating func remove(_ key: Digest, of tenant: TenantID) -> Int? {
        guard let position = self.lines[tenant]?.places.firstIndex(where: { $0.key == key }) else { return nil }
        let place = self.lines[tenant]!.places.remove(at: position)
        self.left(place, of: tenant)
        if self.lines[tenant] == nil { self.turns.removeAll { $0 == tenant } }
        return place.bytes
    }

    /// Whether one more text may wait. Whoever floods the queue is refused before the others are: those that have texts in
    /// it share all but an eighth of the room, and that is kept for those that have none.
    ///
    /// - Parameters:
    ///   - room: Texts that may be in this queue.
    ///   - byteRoom: Bytes that they may have.
    func takes(bytes: Int, of tenant: TenantID, room: Int, byteRoom: Int) -> Bool {
        guard let own = self.lines[tenant] else { return self.count < room && self.bytes + bytes <= byteRoom }
        let (shared, sharedBytes) = (room - room / 8, byteRoom - byteRoom / 8)
        let tenants = self.lines.count
        return self.count < shared && own.places.count < max(1, shared / tenants)
            && self.bytes + bytes <= sharedBytes && own.bytes + bytes <= sharedBytes / tenants
    }

    /// Counts the texts that are taken before one more of a tenant, up to a limit: to count on would help nobody.
    func ahead(of tenant: TenantID, upTo limit: Int) -> Int {
        let own = self.lines[tenant]?.places.count ?? 0
        // Each of the others has at most as many turns before it as the tenant needs.
        var ahead = own
        for (other, line) in self.lines where other != tenant {
            if ahead >= limit { break }
            ahead += min(line.places.count, own + 1)
        }
        return min(ahead, limit)
    }

    private mutating func left(_ place: Place, of tenant: TenantID) {
        self.count -= 1
        self.bytes -= place.bytes
        self.lines[tenant]!.bytes -= place.bytes
        if self.lines[tenant]!.places.isEmpty { self.lines[tenant] = nil }
    }
}
