// SPDX-License-Identifier: Apache-2.0

/// A bounded map that forgets what was not used lately.
///
/// Two generations: a use moves a value to the young one; when the young one is half of the limit, the old one goes and
/// the young one becomes old. So a value stays for at least half a limit's worth of others, every operation is O(1), and
/// there is no list to keep.
package struct GenerationalCache<Key: Hashable, Value> {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]
    private var youngWeight = 0
    private var oldWeight = 0
    /// Values that went because others came.
    package private(set) var forgotten: UInt64 = 0
    private let limit: Int
    private let weigh: (Value) -> Int

    /// - Parameters:
    ///   - limit: Total weight at most, up to one value over.
    ///   - weigh: A value's weight, always the same for the same value.
    package init(limit: Int, weigh: @escaping (Value) -> Int) {
        self.limit = limit
        self.weigh = weigh
    }

    package var count: Int { self.young.count + self.old.count }
    package var weight: Int { self.youngWeight + self.oldWeight }

    package mutating func value(for key: Key) -> Value? {
        if let value = self.young[key] { return value }
        guard let value = self.old.removeValue(forKey: key) else { return nil }
        self.oldWeight -= self.weigh(value)
        self.insertYoung(value, for: key)
        return value
    }

    package mutating func insert(_ value: Value, for key: Key) {
        self.remove(key)
        self.insertYoung(value, for: key)
    }

    @discardableResult
    package mutating func remove(_ key: Key) -> Value? {
        if let value = self.young.removeValue(forKey: key) {
            self.youngWeight -= self.weigh(value)
            return value
        }
        guard let value = self.old.removeValue(forKey: key) else { return nil }
        self.oldWeight -= self.weigh(value)
        return value
    }

    /// O(values).
    package mutating func removeAll(where isUnwanted: (Value) -> Bool) {
        for (key, value) in self.young where isUnwanted(value) { self.remove(key) }
        for (key, value) in self.old where isUnwanted(value) { self.remove(key) }
    }

    private mutating func insertYoung(_ value: Value, for key: Key) {
        let weight = self.weigh(value)
        if self.youngWeight + weight > self.limit / 2 {
            self.forgotten += UInt64(self.old.count)
            self.old = self.young
            self.oldWeight = self.youngWeight
            self.young = [:]
            self.youngWeight = 0
        }
        self.young[key] = value
        self.youngWeight += weight
    }
}
