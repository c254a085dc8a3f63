// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport

/// Services that share a Redis, behind haproxy, which a test harms.
final class ReplicaFleet {
    /// Where the services find their Redis.
    enum Redis {
        /// Each through a proxy of its own.
        case proxied(RedisServer)
        case url(String)
    }

    private struct Member {
        let ports: ServicePorts
        let url: String
        /// Between it and its Redis.
        let proxy: FaultyProxy?
        var service: RunningService
    }

    let tenants = [KeyedTenant("acme"), KeyedTenant("globex")]
    let balancer: LoadBalancer
    private var members: [Member] = []
    private let knownIDs: [String: ServiceHistoryClient.KnownIDs]

    /// Starts the services and waits until the balancer lets callers through.
    init(_ count: Int, on redis: Redis) async throws {
        var members: [Member] = []
        for _ in 0..<count {
            let ports = try ServicePorts.find()
            var proxy: FaultyProxy?
            let url: String
            switch redis {
            case .url(let given):
                url = given
            case .proxied(let server):
                let before = try await FaultyProxy.start(to: server.port)
                url = "redis://127.0.0.1:\(before.port)"
                proxy = before
            }
            let service = try await Self.service(ports, url, self.tenants)
            members.append(Member(ports: ports, url: url, proxy: proxy, service: service))
        }
        self.members = members
        self.knownIDs = Dictionary(uniqueKeysWithValues: self.tenants.map { ($0.name, .init()) })
        self.balancer = try await LoadBalancer(
            .haproxy, before: members.map(\.ports), credential: .apiKey(self.tenants[0].key))
    }

    var count: Int { self.members.count }

    /// Makes clients that reach the services through the balancer.
    var connect: @Sendable (_ tenant: String, _ client: Int) -> any HistoryClient {
        let (address, knownIDs) = (self.balancer.address, self.knownIDs)
        let keys = Dictionary(uniqueKeysWithValues: self.tenants.map { ($0.name, $0.key) })
        return { tenant, _ in
            ServiceHistoryClient(address, key: keys[tenant] ?? "", known: knownIDs[tenant] ?? .init())
        }
    }

    /// All that the services have logged since they were started last.
    var logged: String { self.members.map(\.service.logged).joined(separator: "\n") }

    private static func service(
        _ ports: ServicePorts, _ url: String, _ tenants: [KeyedTenant]
    ) async throws -> RunningService {
        // Further settings, such as one that breaks what is tested: the check must find it.
        let more = ProcessInfo.processInfo.environment["SEMCACHED_TEST_CHAOS_SETTINGS"] ?? ""
        return try await RunningService(
            port: ports.native,
            settings: ["grpc.port=\(ports.grpc)", "admin.port=\(ports.admin)"]
                + more.split(separator: ",").map(String.init),
            file: "tenants:\n" + tenants.map(\.settings).joined(), environment: ["SEMCACHED_STORE_URL": url])
    }

    // MARK: Faults

    /// Has a service stand still for so long (SIGSTOP), as one does whose machine does.
    func pause(_ index: Int, for time: Duration) async throws {
        self.members[index].service.send(SIGSTOP)
        try await Self.hold(time)
        self.members[index].service.send(SIGCONT)
    }

    /// Ends a service without a word and starts another on its ports.
    func killAndRestart(_ index: Int) async throws {
        _ = await self.members[index].service.stop(SIGKILL)
        let member = self.members[index]
        self.members[index].service = try await Self.service(member.ports, member.url, self.tenants)
    }

    /// Has the proxy between a service and its Redis misbehave for so long.
    func disturb(_ index: Int, _ conduct: FaultyProxy.Conduct, for time: Duration) async throws {
        try await self.members[index].proxy?.set(conduct)
        try await Self.hold(time)
        try await self.members[index].proxy?.set(.passes)
    }

    /// Ends all services as an operator does, and returns their exit statuses.
    func stop() async -> [Int32] {
        var statuses: [Int32] = []
        for member in self.members { statuses.append(await member.service.stop(SIGTERM)) }
        return statuses
    }

    /// A fault is defined by how long it lasts; there is nothing to wait for.
    static func hold(_ time: Duration) async throws { try await ContinuousClock().sleep(for: time) }
}
