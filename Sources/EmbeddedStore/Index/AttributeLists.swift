// SPDX-License-Identifier: Apache-2.0
import CacheModel

/// The attributes of a partition's entries: each distinct list once, under a number.
///
/// Many entries have the same attributes, so a number costs an entry four bytes and a filter is evaluated once a list.
/// Lists are kept as text, which is the most compact form; a filter reads it when it needs it.
final class AttributeLists {
    /// Of entries without attributes.
    static let none: UInt32 = 0

    private struct List {
        /// Empty if the number is free.
        var text: [UInt8]
        var entries: Int
    }

    /// Number n is at n − 1.
    private var lists: [List] = []
    private var free: [UInt32] = []
    private var table = SlotTable()
    private var textBytes = 0

    /// Counts one more entry with a list.
    ///
    /// - Parameter text: By ``AttributesText/canonical(_:)``.
    /// - Returns: The list's number.
    func add(_ text: [UInt8]) -> UInt32 {
        if text.isEmpty { return Self.none }
        let hash = Self.hash(text)
        if let known = self.table.slot(hash: hash, matching: { self.lists[Int($0)].text == text }) {
            self.lists[Int(known)].entries += 1
            return known + 1
        }
        let list = List(text: text, entries: 1)
        let slot = self.free.popLast() ?? UInt32(self.lists.count)
        if slot == self.lists.count { self.lists.append(list) } else { self.lists[Int(slot)] = list }
        self.textBytes += Self.bytes(of: text)
        self.table.insert(slot, hash: hash) { Self.hash(self.lists[Int($0)].text) }
        return slot + 1
    }

    /// Counts one entry less; the last one takes the list with it.
    func remove(_ number: UInt32) {
        if number == Self.none { return }
        let slot = Int(number - 1)
        self.lists[slot].entries -= 1
        guard self.lists[slot].entries == 0 else { return }
        let text = self.lists[slot].text
        self.table.remove(number - 1, hash: Self.hash(text)) { Self.hash(self.lists[Int($0)].text) }
        self.lists[slot].text = []
        self.textBytes -= Self.bytes(of: text)
        self.free.append(number - 1)
        if self.table.count == 0 { self.removeAll() }
    }

    func removeAll() {
        self.lists = []
        self.free = []
        self.table = SlotTable()
        self.textBytes = 0
    }

    /// The attributes, in the order of their names.
    func attributes(_ number: UInt32) -> [Attribute] {
        if number == Self.none { return [] }
        do {
            return try AttributesText.decode(self.lists[Int(number - 1)].text)
        } catch {
            preconditionFailure("a list of attributes is not as it was written")
        }
    }

    /// Distinct lists that entries have.
    var count: Int { self.table.count }

    var bytes: Int {
        if self.lists.isEmpty { return 0 }
        return self.textBytes + self.lists.capacity * MemoryLayout<List>.stride + self.free.capacity * 4
            + self.table.bytes
    }

    // Seeded by the process, so that nobody can choose attributes that collide.
    private static func hash(_ text: [UInt8]) -> UInt {
        var hasher = Hasher()
        text.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt(bitPattern: hasher.finalize())
    }

    /// An array's header and its elements, as the allocator rounds them.
    private static func bytes(of text: [UInt8]) -> Int { (text.count + 32 + 8 + 15) / 16 * 16 }
}

/// A filter's verdicts on lists of attributes, each asked for at most once.
struct ListFilter {
    private let filter: MetadataFilter
    private let lists: AttributeLists
    private var verdicts: [UInt32: Bool] = [:]

    /// For as long as the lists do not change.
    init(_ filter: MetadataFilter, lists: AttributeLists) {
        self.filter = filter
        self.lists = lists
    }

    mutating func takes(_ number: UInt32) -> Bool {
        if let known = self.verdicts[number] { return known }
        let verdict = self.filter.matches(self.lists.attributes(number))
        self.verdicts[number] = verdict
        return verdict
    }
}
