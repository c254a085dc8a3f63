// SPDX-License-Identifier: Apache-2.0

/// A real Redis Cluster of primaries without replicas, which share the slots evenly.
package final class RedisCluster: Sendable {
    package static let slots = 16_384
    package let nodes: [RedisServer]
    private let ids: [String]

    /// Starts the nodes and waits until each of them knows all slots.
    ///
    /// - Parameter tls: Spoken by each of them on a port of its own, and among each other.
    package static func start(
        _ version: RedisVersion = .eight, primaries: Int = 3, options: [String] = [], tls: RedisServer.TLS? = nil
    ) async throws -> RedisCluster {
        var nodes: [RedisServer] = []
        for _ in 0..<primaries {
            // Otherwise it is the port plus 10,000, which may be taken or be no port at all.
            let busPort = try freePort()
            nodes.append(
                try await RedisServer.start(
                    version,
                    options: ["--cluster-enabled", "yes", "--cluster-port", "\(busPort)"]
                        + ["--cluster-node-timeout", "2000"] + (tls == nil ? [] : ["--tls-cluster", "yes"]) + options,
                    tls: tls))
        }
        let started = nodes
        return try await onOwnThread { try RedisCluster(started) }
    }

    private init(_ nodes: [RedisServer]) throws {
        self.nodes = nodes
        for (index, node) in nodes.enumerated() {
            let (first, next) = (index * Self.slots / nodes.count, (index + 1) * Self.slots / nodes.count)
            try node.ask(["CLUSTER", "ADDSLOTSRANGE", "\(first)", "\(next - 1)"])
            try node.ask(["CLUSTER", "SET-CONFIG-EPOCH", "\(index + 1)"])
            let busPort = try node.ask(["CONFIG", "GET", "cluster-port"]).items.last?.description ?? ""
            let port = node.tlsPort == 0 ? node.port : node.tlsPort
            try nodes[0].ask(["CLUSTER", "MEET", "127.0.0.1", "\(port)", busPort])
        }
        self.ids = try nodes.map { try $0.ask(["CLUSTER", "MYID"]).description }
        try self.waitUntilWhole()
    }

    /// `redis+cluster://` with all nodes.
    package var url: String { "redis+cluster://" + self.nodes.map(\.address).joined(separator: ",") }

    /// Waits until every node that runs says that the cluster is well and knows all others.
    package func waitUntilWell() async throws { try await onOwnThread { try self.waitUntilWhole() } }

    private func waitUntilWhole() throws {
        let running = self.nodes.filter(\.isRunning)
        try waitUntil("the cluster is well", within: 60) { () -> Void? in
            for node in running {
                let info = try node.ask(["CLUSTER", "INFO"])
                guard info.line("cluster_state") == "ok", info.line("cluster_slots_ok") == "\(Self.slots)",
                    info.line("cluster_known_nodes") == "\(self.nodes.count)"
                else { return nil }
            }
            return ()
        }
    }

    package func slot(of key: String) async throws -> Int {
        try await self.nodes[0].command("CLUSTER", "KEYSLOT", key).integer ?? -1
    }

    /// The index of the node that has the slot, as the first node that runs sees it.
    package func owner(ofSlot slot: Int) async throws -> Int {
        try await onOwnThread { try self.findOwner(slot) }
    }

    private func findOwner(_ slot: Int) throws -> Int {
        guard let witness = self.nodes.first(where: \.isRunning) else {
            throw RedisTrouble(description: "no node runs")
        }
        for range in try witness.ask(["CLUSTER", "SLOTS"]).items {
            guard let first = range.items[0].integer, let last = range.items[1].integer, first...last ~= slot,
                let owner = self.nodes.firstIndex(where: { $0.port == range.items[2].items[1].integer })
            else { continue }
            return owner
        }
        throw RedisTrouble(description: "nobody has the slot \(slot)")
    }

    // MARK: Migration

    /// Moves a slot with all of its keys to another node.
    package func migrate(slot: Int, to target: Int) async throws {
        let source = try await self.beginMigration(slot: slot, to: target)
        try await self.moveKeys(slot: slot, from: source, to: target)
        try await self.endMigration(slot: slot, from: source, to: target)
    }

    /// From now on the source answers ASK for keys that it has not, and TRYAGAIN for several of which it has some.
    ///
    /// - Returns: The source.
    @discardableResult
    package func beginMigration(slot: Int, to target: Int) async throws -> Int {
        try await onOwnThread {
            let source = try self.findOwner(slot)
            try self.nodes[target].ask(["CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", self.ids[source]])
            try self.nodes[source].ask(["CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", self.ids[target]])
            return source
        }
    }

    /// Moves keys of a slot in migration.
    ///
    /// - Parameter limit: How many at most; all if `nil`.
    package func moveKeys(slot: Int, from source: Int, to target: Int, limit: Int? = nil) async throws {
        try await onOwnThread {
            var left = limit ?? .max
            while left > 0 {
                let count = "\(min(left, 100))"
                let keys = try self.nodes[source].ask(["CLUSTER", "GETKEYSINSLOT", "\(slot)", count]).items
                guard !keys.isEmpty else { return }
                try self.nodes[source].ask(
                    ["MIGRATE", "127.0.0.1", "\(self.nodes[target].port)", "", "0", "5000", "KEYS"]
                        + keys.map(\.description))
                left -= keys.count
            }
        }
    }

    /// Makes the target the owner and waits until every node knows; those that ask the others are told MOVED.
    package func endMigration(slot: Int, from source: Int, to target: Int) async throws {
        try await onOwnThread {
            // The target first: it must be the owner before the source stops to be.
            let others = self.nodes.indices.filter { $0 != target && $0 != source }
            for index in [target, source] + others where self.nodes[index].isRunning {
                try self.nodes[index].ask(["CLUSTER", "SETSLOT", "\(slot)", "NODE", self.ids[target]])
            }
        }
    }
}
