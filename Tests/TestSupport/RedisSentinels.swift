// SPDX-License-Identifier: Apache-2.0

/// A real primary with replicas, watched by three sentinels that notice its end within seconds: not sooner, or they
/// would take one that a busy machine keeps waiting for dead.
package final class RedisSentinels: Sendable {
    package static let name = "cache"
    /// Data servers; which of them is the primary changes.
    package let servers: [RedisServer]
    package let sentinels: [RedisServer]
    private let password: String?

    /// Starts all and waits until the replicas follow and the sentinels know each other and the replicas.
    ///
    /// - Parameter options: Of the data servers.
    package static func start(
        _ version: RedisVersion = .eight, replicas: Int = 2, options: [String] = [], password: String? = nil
    ) async throws -> RedisSentinels {
        // A replica would wait five seconds for others before its first copy.
        let common = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"] + options
        let primary = try await RedisServer.start(version, options: common, password: password)
        var servers = [primary]
        for _ in 0..<replicas {
            let options = common + ["--replicaof", "127.0.0.1", "\(primary.port)"]
            servers.append(try await RedisServer.start(version, options: options, password: password))
        }
        let settings = """
            sentinel monitor \(Self.name) 127.0.0.1 \(primary.port) 2
            sentinel down-after-milliseconds \(Self.name) 2000
            sentinel failover-timeout \(Self.name) 5000
            \(password.map { "sentinel auth-pass \(Self.name) \($0)" } ?? "")

            """
        var sentinels: [RedisServer] = []
        for _ in 0..<3 { sentinels.append(try await RedisServer.start(version, sentinel: { _ in settings })) }
        let all = RedisSentinels(servers: servers, sentinels: sentinels, password: password)
        try await onOwnThread { try all.waitUntilWhole() }
        return all
    }

    private init(servers: [RedisServer], sentinels: [RedisServer], password: String?) {
        self.password = password
        self.servers = servers
        self.sentinels = sentinels
    }

    /// `redis+sentinel://` with all sentinels, and the password if there is one.
    package var url: String {
        "redis+sentinel://" + (self.password.map { ":\($0)@" } ?? "")
            + self.sentinels.map(\.address).joined(separator: ",") + "/" + Self.name
    }

    private func waitUntilWhole() throws {
        try waitUntil("the sentinels know everybody", within: 60) { () -> Void? in
            for sentinel in self.sentinels {
                let state = try sentinel.ask(["SENTINEL", "MASTER", Self.name])
                guard state.field("flags") == .text("master"),
                    state.field("num-slaves") == .text("\(self.servers.count - 1)"),
                    state.field("num-other-sentinels") == .text("\(self.sentinels.count - 1)")
                else { return nil }
                // A sentinel that has not read a replica's INFO yet would not choose it.
                for replica in try sentinel.ask(["SENTINEL", "REPLICAS", Self.name]).items
                where replica.field("master-link-status") != .text("ok") { return nil }
            }
            return ()
        }
    }

    /// The index of the server that the sentinels name, if it says of itself that it is the primary.
    package func primary() async throws -> Int? { try await onOwnThread { try self.findPrimary() } }

    /// - Parameter old: Not asked: it may be paused.
    private func findPrimary(otherThan old: Int? = nil) throws -> Int? {
        guard let sentinel = self.sentinels.first(where: \.isRunning) else {
            throw RedisTrouble(description: "no sentinel runs")
        }
        let address = try sentinel.ask(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self.name]).items
        guard let port = address.last?.integer,
            let index = self.servers.firstIndex(where: { $0.port == port && $0.isRunning }), index != old,
            try self.servers[index].ask(["ROLE"]).items.first == .text("master")
        else { return nil }
        return index
    }

    /// Has the sentinels make another server the primary while the old one still runs, and waits for it.
    ///
    /// - Returns: The new primary.
    @discardableResult
    package func failOver() async throws -> Int {
        try await onOwnThread {
            let old = try waitUntil("there is a primary", within: 60) { try self.findPrimary() }
            try waitUntil("the sentinel has a good replica", within: 60) {
                // NOGOODSLAVE, or INPROG while an earlier failover is not quite done.
                (try? self.sentinels[0].ask(["SENTINEL", "FAILOVER", Self.name])).map { _ in () }
            }
            return try self.waitForPrimary(otherThan: old)
        }
    }

    /// Waits until the sentinels have replaced a primary that was killed, stopped or paused.
    ///
    /// - Returns: The new primary.
    @discardableResult
    package func waitForFailover(from old: Int) async throws -> Int {
        try await onOwnThread { try self.waitForPrimary(otherThan: old) }
    }

    private func waitForPrimary(otherThan old: Int) throws -> Int {
        try waitUntil("there is another primary", within: 60) { try self.findPrimary(otherThan: old) }
    }
}
