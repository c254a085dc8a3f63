// SPDX-License-Identifier: Apache-2.0

import CacheEngine

/// A value that says what it weighs.
struct Weighed: Equatable {
    let number: Int
    let weight: Int
}

/// What ``FrequencyCache`` is to do, with arrays from the oldest to the newest.
struct NaiveFrequencyCache {
    private struct Entry {
        let key: Int
        var value: Weighed
        var uses = 0
    }

    private let limit: Int
    private var small: [Entry] = []
    private var main: [Entry] = []
    /// `nil` has come back.
    private var ghosts: [Int?] = []
    private(set) var forgotten: UInt64 = 0

    init(limit: Int) { self.limit = limit }

    var count: Int { self.small.count + self.main.count }
    var weight: Int { (self.small + self.main).reduce(0) { $0 + $1.value.weight } }

    mutating func value(for key: Int) -> Weighed? {
        for index in self.small.indices where self.small[index].key == key {
            self.small[index].uses = min(3, self.small[index].uses + 1)
            return self.small[index].value
        }
        for index in self.main.indices where self.main[index].key == key {
            self.main[index].uses = min(3, self.main[index].uses + 1)
            return self.main[index].value
        }
        return nil
    }

    mutating func insert(_ value: Weighed, for key: Int) {
        guard value.weight <= self.limit else {
            self.remove(key)
            return
        }
        let wasMain = self.main.contains { $0.key == key }
        if let former = (self.small + self.main).first(where: { $0.key == key }) {
            self.remove(key)
            self.makeRoom(for: value.weight, count: 1)
            let entry = Entry(key: key, value: value, uses: min(3, former.uses + 1))
            if wasMain { self.main.append(entry) } else { self.small.append(entry) }
        } else {
            self.makeRoom(for: value.weight, count: 0)
            if let ghost = self.ghosts.firstIndex(of: key) {
                self.ghosts[ghost] = nil
                self.main.append(Entry(key: key, value: value))
            } else {
                self.small.append(Entry(key: key, value: value))
            }
        }
    }

    @discardableResult
    mutating func remove(_ key: Int) -> Weighed? {
        let value = (self.small + self.main).first { $0.key == key }?.value
        self.small.removeAll { $0.key == key }
        self.main.removeAll { $0.key == key }
        return value
    }

    mutating func removeAll(where isUnwanted: (Weighed) -> Bool) {
        self.small.removeAll { isUnwanted($0.value) }
        self.main.removeAll { isUnwanted($0.value) }
    }

    /// - Parameter count: Values that are kept beside those in the queues.
    private mutating func makeRoom(for weight: Int, count: Int) {
        var moves = FrequencyCache<Int, Weighed>.mostMoves
        while self.weight + weight > self.limit {
            let mainWeight = self.main.reduce(0) { $0 + $1.value.weight }
            if mainWeight > self.limit - self.limit / 10 || self.small.isEmpty {
                var entry = self.main.removeFirst()
                if moves > 0, entry.uses > 0 {
                    entry.uses -= 1
                    self.main.append(entry)
                    moves -= 1
                    continue
                }
            } else {
                var entry = self.small.removeFirst()
                if moves > 0, entry.uses > 0 {
                    entry.uses = 0
                    self.main.append(entry)
                    moves -= 1
                    continue
                }
                self.ghosts.append(entry.key)
                while self.ghosts.count > max(1, self.count + count) { self.ghosts.removeFirst() }
            }
            self.forgotten += 1
            moves = FrequencyCache<Int, Weighed>.mostMoves
        }
    }
}
