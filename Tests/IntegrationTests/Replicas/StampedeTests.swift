// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import Synchronization
import TestSupport
import Testing

/// Many clients of three real services behind haproxy ask what nobody has answered yet.
@Suite(.serialized, .timeLimit(.minutes(3))) struct StampedeTests {
    private static let clients = 200

    /// What the clients of one question did.
    private final class Scene: Sendable {
        private let state = Mutex((asked: 0, leases: 0))

        var asked: Int { self.state.withLock { $0.asked } }
        var leases: Int { self.state.withLock { $0.leases } }
        func countAsked() { self.state.withLock { $0.asked += 1 } }
        func countLease() { self.state.withLock { $0.leases += 1 } }
    }

    private static func clients(of fleet: ReplicaFleet, _ count: Int = Self.clients) async throws -> [CacheClient] {
        var configuration = ClientConfiguration(fleet.balancer.address)
        configuration.credential = .apiKey(fleet.tenants[0].key)
        configuration.timeout = .seconds(30)
        let clients = (0..<count).map { _ in CacheClient(configuration) }
        // They are connected before they all ask at once.
        try await withThrowingDiscardingTaskGroup { group in
            for client in clients { group.addTask { _ = try await client.ping() } }
        }
        return clients
    }

    /// Asks with the wish to wait, and makes the answer if it is this client's turn.
    private static func ask(
        _ client: CacheClient, _ question: String, _ scene: Scene, untilAsked count: Int
    ) async throws -> String? {
        scene.countAsked()
        switch try await client.lookup(question, lease: .acquire(for: .seconds(20)), waits: .untilTimeout) {
        case .hit(let hit):
            return hit.best.text
        case .miss(let miss):
            let lease = try #require(miss.lease, "\(miss)")
            scene.countLease()
            // All others are on their way, and have time to arrive.
            while scene.asked < count { try await ReplicaFleet.hold(.milliseconds(5)) }
            try await ReplicaFleet.hold(.milliseconds(300))
            _ = try await client.store("the answer to \(question)", for: question, lease: lease)
            return "the answer to \(question)"
        case .bypass:
            return nil
        }
    }

    @Test func `of all clients that ask a new question one makes the answer, and all get it`() async throws {
        let redis = try await RedisServer.start()
        let fleet = try await ReplicaFleet(3, on: .url(redis.url))
        let clients = try await Self.clients(of: fleet)
        for question in [
            "How high is Mont Blanc?", "Who wrote the Moonlight Sonata?", "When does the sun rise in Oslo?",
        ] {
            let scene = Scene()
            let answers = try await withThrowingTaskGroup(of: String?.self) { group in
                for client in clients {
                    group.addTask { try await Self.ask(client, question, scene, untilAsked: clients.count) }
                }
                return try await group.reduce(into: [String: Int]()) { $0[$1 ?? "nothing", default: 0] += 1 }
            }
            #expect(scene.leases == 1)
            #expect(answers == ["the answer to \(question)": clients.count])
        }
        for client in clients { await client.close() }
    }

    @Test func `clients that do not wait are told that another makes the answer`() async throws {
        let redis = try await RedisServer.start()
        let fleet = try await ReplicaFleet(3, on: .url(redis.url))
        let clients = try await Self.clients(of: fleet)
        let misses = try await withThrowingTaskGroup(of: CacheAnswer.self) { group in
            for client in clients {
                group.addTask { try await client.lookup("How high is Mont Blanc?", lease: .acquire()) }
            }
            return try await group.reduce(into: [CacheMiss]()) { misses, answer in
                if case .miss(let miss) = answer { misses.append(miss) }
            }
        }
        #expect(misses.count == clients.count)
        #expect(misses.count { $0.lease != nil } == 1)
        let others = misses.filter { $0.fillUnderWay == nil && $0.lease == nil }
        #expect(misses.count { $0.fillUnderWay != nil } == clients.count - 1, "\(others.prefix(3))")
        for client in clients { await client.close() }
    }

    @Test func `when the one who makes the answer is gone, another one does within the time of the lease`() async throws
    {
        let redis = try await RedisServer.start()
        let fleet = try await ReplicaFleet(3, on: .url(redis.url))
        let question = "How high is Mont Blanc?"
        let holder = try await Self.clients(of: fleet, 1)[0]
        let time = Duration.seconds(2)
        let start = ContinuousClock.now
        let first = try await holder.lookup(question, lease: .acquire(for: time))
        guard case .miss(let miss) = first else {
            Issue.record("\(first)")
            return
        }
        #expect(miss.lease != nil)
        let clients = try await Self.clients(of: fleet, 50)
        // As one that is killed: the lease does not end with its connection.
        await holder.close()
        let scene = Scene()
        let answers = try await withThrowingTaskGroup(of: String?.self) { group in
            for client in clients {
                group.addTask { try await Self.ask(client, question, scene, untilAsked: clients.count) }
            }
            return try await group.reduce(into: [String: Int]()) { $0[$1 ?? "nothing", default: 0] += 1 }
        }
        let elapsed = ContinuousClock.now - start
        #expect(scene.leases == 1)
        #expect(answers == ["the answer to \(question)": clients.count])
        // Besides the lease: what the next one takes, and what a busy machine does.
        #expect(elapsed >= time && elapsed < time + .seconds(3), "\(elapsed)")
        for client in clients { await client.close() }
    }

    @Test func `one that gives up is followed at once, also at another service`() async throws {
        let redis = try await RedisServer.start()
        let fleet = try await ReplicaFleet(3, on: .url(redis.url))
        let question = "How high is Mont Blanc?"
        let holder = try await Self.clients(of: fleet, 1)[0]
        guard case .miss(let miss) = try await holder.lookup(question, lease: .acquire(for: .seconds(60))),
            let lease = miss.lease
        else {
            Issue.record("the first one gets no lease")
            return
        }
        let clients = try await Self.clients(of: fleet, 30)
        let scene = Scene()
        let answers = try await withThrowingTaskGroup(of: String?.self) { group in
            for client in clients {
                group.addTask { try await Self.ask(client, question, scene, untilAsked: clients.count) }
            }
            while scene.asked < clients.count { try await ReplicaFleet.hold(.milliseconds(5)) }
            try await ReplicaFleet.hold(.milliseconds(300))
            #expect(scene.leases == 0)
            #expect(try await holder.release(lease))
            return try await group.reduce(into: [String: Int]()) { $0[$1 ?? "nothing", default: 0] += 1 }
        }
        #expect(scene.leases == 1)
        #expect(answers == ["the answer to \(question)": clients.count])
        await holder.close()
        for client in clients { await client.close() }
    }
}
