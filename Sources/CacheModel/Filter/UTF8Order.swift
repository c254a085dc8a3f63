// SPDX-License-Identifier: Apache-2.0

// The order and identity of names and strings in filters. `<` and `==` of strings are up to canonical equivalence,
// which no store shares.
extension String {
    func hasSameBytes(as other: String) -> Bool {
        self.utf8.count == other.utf8.count && self.utf8.elementsEqual(other.utf8)
    }

    func precedesInBytes(_ other: String) -> Bool { self.utf8.lexicographicallyPrecedes(other.utf8) }
}

extension [String] {
    func sortedByBytesWithoutDuplicates() -> [String] {
        self.sorted { $0.precedesInBytes($1) }.withoutNeighbours { $0.hasSameBytes(as: $1) }
    }

    /// Binary search in strings that are sorted by bytes.
    func hasSortedBytes(_ wanted: String) -> Bool {
        var (low, high) = (0, self.count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].precedesInBytes(wanted) { low = middle + 1 } else { high = middle }
        }
        return low < self.count && self[low].hasSameBytes(as: wanted)
    }
}

extension Array {
    /// The elements without those that are the same as the one before.
    func withoutNeighbours(_ areSame: (Element, Element) -> Bool) -> [Element] {
        self.reduce(into: []) { distinct, element in
            if let last = distinct.last, areSame(last, element) { return }
            distinct.append(element)
        }
    }
}
