// SPDX-License-Identifier: Apache-2.0

/// A bounded map that keeps what is used often, with a weight per value.
///
/// S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson: "FIFO queues are all you need for cache eviction", SOSP 2023). What is new
/// waits in a *small* queue of a tenth of the limit; what was used meanwhile moves on to the *main* queue, the rest goes
/// and leaves its hash in a *ghost* queue. What comes back while its ghost is there enters the main queue at once. There,
/// what has been used since it last came to the end goes round again. So what is asked for once passes through a tenth
/// of the memory and pushes out nothing that is in use.
///
/// A use only counts up to three in place: nothing moves and nothing is allocated. All else is O(1) too, amortised.
/// Departures from the paper: values have weights; one use in the small queue is enough to stay, as in later
/// implementations, for a value comes in only when it has been asked for; there are as many ghosts as values; and no
/// removal of one value takes more than ``mostMoves`` of others, for others wait for the lock.
package struct FrequencyCache<Key: Hashable, Value> {
    private struct Node {
        let key: Key
        /// `nil` if the node is free.
        var value: Value?
        var weight: Int
        /// Towards the end where values come in. Of a free node, the next free one.
        var newer = Self.none
        /// Towards the end where they leave.
        var older = Self.none
        /// Since it came in or last went round, at most ``mostUses``.
        var uses: UInt8 = 0
        var isMain: Bool

        static var none: UInt32 { .max }
    }

    private struct Queue {
        var newest = Node.none
        var oldest = Node.none
        var weight = 0
    }

    private static var mostUses: UInt8 { 3 }
    /// Uses in the small queue with which a value stays.
    private static var usesToStay: UInt8 { 1 }
    /// Values that are moved at most, rather than removed, until one is removed.
    package static var mostMoves: Int { 64 }
    /// Nodes that are kept though most of them are free.
    private static var fewestNodes: Int { 64 }

    private var nodes: [Node] = []
    private var positions = HashPositions()
    private var free = Node.none
    private var small = Queue()
    private var main = Queue()
    private var ghosts = GhostQueue()
    /// Values that went because others came.
    package private(set) var forgotten: UInt64 = 0
    private let limit: Int
    private let mainLimit: Int
    private let weigh: (Value) -> Int

    /// - Parameters:
    ///   - limit: Total weight at most.
    ///   - weigh: A value's weight, above 0.
    package init(limit: Int, weigh: @escaping (Value) -> Int) {
        self.limit = limit
        self.mainLimit = limit - limit / 10
        self.weigh = weigh
    }

    package var count: Int { self.positions.count }
    /// Places that memory is taken for, free ones too; at most four times ``count`` but for a few.
    var nodeCount: Int { self.nodes.count }
    package var weight: Int { self.small.weight + self.main.weight }

    /// Finds a value and counts that as a use of it.
    package mutating func value(for key: Key) -> Value? {
        guard let position = self.position(of: key, Self.hash(key)) else { return nil }
        if self.nodes[position].uses < Self.mostUses { self.nodes[position].uses += 1 }
        return self.nodes[position].value
    }

    /// Takes a value, in place of the key's former one if there is one, and removes others until there is room.
    ///
    /// One that is heavier than the limit is not taken; the former one goes all the same. To replace a value is a use.
    package mutating func insert(_ value: Value, for key: Key) {
        let weight = self.weigh(value)
        precondition(weight > 0, "a value that weighs nothing would have no bound")
        guard weight <= self.limit else {
            self.remove(key)
            return
        }
        let hash = Self.hash(key)
        if let position = self.position(of: key, hash) {
            // Out of its queue, so that it does not make room for itself.
            self.unlink(position)
            self.nodes[position].value = value
            self.nodes[position].weight = weight
            self.nodes[position].uses = min(self.nodes[position].uses + 1, Self.mostUses)
            self.makeRoom(for: weight)
            self.link(position, isMain: self.nodes[position].isMain)
        } else {
            self.makeRoom(for: weight)
            let isMain = self.ghosts.remove(hash)
            let position = self.take(Node(key: key, value: value, weight: weight, isMain: isMain))
            self.positions.insert(hash, UInt32(position))
            self.link(position, isMain: isMain)
        }
        self.compactIfSparse()
    }

    @discardableResult
    package mutating func remove(_ key: Key) -> Value? {
        let hash = Self.hash(key)
        guard let position = self.position(of: key, hash) else { return nil }
        defer { self.compactIfSparse() }
        return self.remove(position, hash)
    }

    /// O(values).
    package mutating func removeAll(where isUnwanted: (Value) -> Bool) {
        for position in self.nodes.indices {
            if let value = self.nodes[position].value, isUnwanted(value) {
                self.remove(position, Self.hash(self.nodes[position].key))
            }
        }
        self.compactIfSparse()
    }

    @inline(__always)
    private func position(of key: Key, _ hash: UInt64) -> Int? {
        self.positions.first(hash) { self.nodes[Int($0)].key == key }.map { Int($0) }
    }

    private static func hash(_ key: Key) -> UInt64 { UInt64(bitPattern: Int64(key.hashValue)) }

    // MARK: Eviction

    private mutating func makeRoom(for weight: Int) {
        var moves = Self.mostMoves
        while self.weight > self.limit - weight {
            let isMain = self.main.weight > self.mainLimit || self.small.oldest == Node.none
            let oldest = Int(isMain ? self.main.oldest : self.small.oldest)
            let uses = self.nodes[oldest].uses
            if moves > 0, uses >= (isMain ? 1 : Self.usesToStay) {
                self.unlink(oldest)
                self.nodes[oldest].uses = isMain ? uses - 1 : 0
                self.link(oldest, isMain: true)
                moves -= 1
            } else {
                let hash = Self.hash(self.nodes[oldest].key)
                self.remove(oldest, hash)
                self.forgotten += 1
                if !isMain { self.ghosts.insert(hash, limit: max(self.count, 1)) }
                moves = Self.mostMoves
            }
        }
    }

    // MARK: Nodes

    @discardableResult
    private mutating func remove(_ position: Int, _ hash: UInt64) -> Value? {
        self.positions.remove(hash, UInt32(position))
        self.unlink(position)
        let value = self.nodes[position].value
        self.nodes[position].value = nil
        self.nodes[position].newer = self.free
        self.free = UInt32(position)
        return value
    }

    private mutating func take(_ node: Node) -> Int {
        guard self.free != Node.none else {
            self.nodes.append(node)
            return self.nodes.count - 1
        }
        let position = Int(self.free)
        self.free = self.nodes[position].newer
        self.nodes[position] = node
        return position
    }

    /// Gives back the memory of free nodes when few heavy values have come for many light ones. O(values), after as many
    /// removals.
    private mutating func compactIfSparse() {
        guard self.nodes.count > Self.fewestNodes, self.count < self.nodes.count / 4 else { return }
        let before = self.nodes
        let oldest = [self.small.oldest, self.main.oldest]
        self.nodes = []
        self.nodes.reserveCapacity(2 * self.count)
        self.positions = HashPositions()
        self.free = Node.none
        self.small = Queue()
        self.main = Queue()
        for first in oldest {
            var next = first
            while next != Node.none {
                let node = before[Int(next)]
                next = node.newer
                let position = self.take(node)
                self.positions.insert(Self.hash(node.key), UInt32(position))
                self.link(position, isMain: node.isMain)
            }
        }
    }

    /// Puts a node where values come in.
    private mutating func link(_ position: Int, isMain: Bool) {
        self.nodes[position].isMain = isMain
        self.nodes[position].newer = Node.none
        let weight = self.nodes[position].weight
        let newest = isMain ? self.main.newest : self.small.newest
        self.nodes[position].older = newest
        if newest != Node.none { self.nodes[Int(newest)].newer = UInt32(position) }
        self.change(isMain) { queue in
            queue.newest = UInt32(position)
            if queue.oldest == Node.none { queue.oldest = UInt32(position) }
            queue.weight += weight
        }
    }

    private mutating func unlink(_ position: Int) {
        let (newer, older) = (self.nodes[position].newer, self.nodes[position].older)
        let weight = self.nodes[position].weight
        if newer != Node.none { self.nodes[Int(newer)].older = older }
        if older != Node.none { self.nodes[Int(older)].newer = newer }
        self.change(self.nodes[position].isMain) { queue in
            if newer == Node.none { queue.newest = older }
            if older == Node.none { queue.oldest = newer }
            queue.weight -= weight
        }
    }

    private mutating func change(_ isMain: Bool, _ body: (inout Queue) -> Void) {
        if isMain { body(&self.main) } else { body(&self.small) }
    }
}
