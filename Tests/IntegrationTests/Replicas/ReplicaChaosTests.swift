// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import TestSupport
import Testing

/// Three real services behind a real haproxy on a real Redis, harmed in turns while clients look up, store and remove.
///
/// `SEMCACHED_TEST_CHAOS_SECONDS` makes each of them as long as one likes.
@Suite(.serialized, .timeLimit(.minutes(15))) struct ReplicaChaosTests {
    private static let questions = [
        HistoryLoad.Question("How do I reset my password?", "I forgot my password, how can I reset it?"),
        HistoryLoad.Question(
            "How do I enable two-factor authentication?", "How do I set up two-factor authentication?"),
        HistoryLoad.Question("How can I talk to a human agent?", "How can I speak to a real human agent?"),
        HistoryLoad.Question("Do you ship internationally?", "Do you offer international shipping?"),
    ]
    private static let clients = 16
    private static let durable = ["--appendonly", "yes", "--appendfsync", "always"]
    /// Longer than a replica may answer from its memory without having asked.
    private static let longerThanLease = Duration.milliseconds(4_200)

    private enum Fault: CaseIterable {
        case pause
        case hang
        case kill
        case cut
        case delay
        case restartRedis
        case pauseRedis
    }

    private static var longRun: Duration? {
        ProcessInfo.processInfo.environment["SEMCACHED_TEST_CHAOS_SECONDS"].flatMap { Int($0) }.map { .seconds($0) }
    }

    /// What was done to whom, with the times of a history.
    private final class Diary {
        private let recorder: HistoryRecorder
        private(set) var lines: [String] = []

        init(_ recorder: HistoryRecorder) { self.recorder = recorder }

        func note(_ event: String) { self.lines.append("\(self.recorder.now / 1_000) us: \(event)") }
    }

    /// Runs the load while faults happen, at least once and until the time is over, and judges what it saw.
    private func judge(
        _ fleet: ReplicaFleet, _ what: String,
        _ suffer: (_ round: Int, _ diary: Diary) async throws -> Void
    ) async throws {
        let load = HistoryLoad(Self.questions)
        let (connect, tenants) = (fleet.connect, fleet.tenants.map(\.name))
        async let calls: Void = load.run(clients: Self.clients, of: tenants, seed: 1, connect: connect)
        let diary = Diary(load.recorder)
        let start = ContinuousClock.now
        var round = 0
        do {
            // The first changes of a tenant wait until its register is known to be whole.
            try await ReplicaFleet.hold(.seconds(4))
            repeat {
                try await suffer(round, diary)
                // What comes back after a fault must be right as well.
                try await ReplicaFleet.hold(.milliseconds(500))
                round += 1
            } while ContinuousClock.now - start < Self.longRun ?? .zero
        } catch {
            load.stop()
            await calls
            throw error
        }
        load.stop()
        await calls

        let (history, figures) = (load.recorder.history, load.recorder.figures)
        let violations = HistoryChecker(history).violations()
        let counts = Dictionary(grouping: violations, by: \.kind).mapValues(\.count)
        print(
            "\(what): \(history.operations.count) operations in \(ContinuousClock.now - start), \(round) rounds: "
                + "\(figures); violations: \(counts)")
        #expect(figures.hits > 300 && figures.stores > 50 && figures.invalidations > 20, "\(figures)")
        // One of each removal or Store that came to nothing.
        var seen: Set<[Int?]> = []
        let distinct = violations.filter { seen.insert([$0.store, $0.change]).inserted }
        let found = distinct.prefix(40).map { Self.words($0, history) } + diary.lines
        #expect(violations.isEmpty, "\(counts)\n\(found.joined(separator: "\n"))")
    }

    /// What happened, in the order in which it began.
    private static func words(_ violation: HistoryChecker.Violation, _ history: CacheHistory) -> String {
        let operations = [violation.store, violation.change, violation.lookup].compactMap { $0 }
            .map { history.operations[$0] }.sorted { $0.start < $1.start }
        let words = operations.map { operation in
            let times = "\(operation.start / 1_000)...\(operation.end.map { "\($0 / 1_000)" } ?? "") us"
            return switch operation.action {
            case .lookup(let answer): "\(operation.tenant) is answered \(answer ?? "nothing") at \(times)"
            case .store(let value, let prompt, let tags): "\(value) is stored for \(prompt) \(tags) at \(times)"
            case .invalidate(let target): "\(target) is removed at \(times)"
            }
        }
        return "\(violation.kind): \(words.joined(separator: "; "))"
    }

    @Test func `no replica answers what was removed, whatever happens to it and to its Redis`() async throws {
        let redis = try await RedisServer.start(options: Self.durable)
        let fleet = try await ReplicaFleet(3, on: .proxied(redis))
        var generator = SeededGenerator(2)
        var faults: [Fault] = []
        try await self.judge(fleet, "faults of replicas and of what is between") { round, diary in
            if faults.isEmpty { faults = round == 0 ? Fault.allCases : Fault.allCases.shuffled(using: &generator) }
            // A short run has one of each of those that last, a long one all that fit.
            let count = Self.longRun == nil ? faults.count : 1
            for fault in faults.prefix(count) {
                let index = generator.int(0...fleet.count - 1)
                diary.note("\(fault) of \(index) begins")
                try await Self.suffer(fault, fleet, redis, index)
                diary.note("\(fault) has ended")
            }
            faults.removeFirst(count)
        }
        let logged = fleet.logged
        for question in Self.questions { #expect(!logged.contains(question.prompt)) }
    }

    private static func suffer(_ fault: Fault, _ fleet: ReplicaFleet, _ redis: RedisServer, _ index: Int) async throws {
        switch fault {
        case .pause: try await fleet.pause(index, for: Self.longerThanLease)
        case .hang: try await fleet.disturb(index, .hangs, for: .seconds(4))
        case .kill: try await fleet.killAndRestart(index)
        case .cut: try await fleet.disturb(index, .cuts, for: .seconds(1))
        case .delay: try await fleet.disturb(index, .delays(.milliseconds(200)), for: .seconds(1))
        case .restartRedis:
            try await redis.kill()
            try await redis.restart()
        case .pauseRedis:
            redis.pause()
            try await ReplicaFleet.hold(.seconds(1))
            redis.resume()
        }
    }

    /// As deploy/README.md advises: a primary that its replicas have left takes no more changes.
    private static let bounded = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"]

    @Test(arguments: [true, false])
    func `a primary of Redis that dies takes nothing along that was acknowledged`(isBounded: Bool) async throws {
        let sentinels = try await RedisSentinels.start(options: isBounded ? Self.bounded : [])
        let fleet = try await ReplicaFleet(3, on: .url(sentinels.url))
        try await self.judge(fleet, "primary killed, bounded: \(isBounded)") { _, diary in
            let old = try #require(try await sentinels.primary())
            diary.note("\(sentinels.servers[old].address) is killed")
            try await sentinels.servers[old].kill()
            let new = try await sentinels.waitForFailover(from: old)
            diary.note("\(sentinels.servers[new].address) is the primary")
            try await ReplicaFleet.hold(.seconds(2))
            // An empty primary would be another fault, and no service can mend it.
            try await sentinels.servers[old].restart(following: sentinels.servers[new])
            diary.note("\(sentinels.servers[old].address) is back")
            try await ReplicaFleet.hold(.seconds(2))
        }
    }

    @Test func `a primary of Redis that is replaced while it runs acknowledges no removal that is lost`() async throws {
        let sentinels = try await RedisSentinels.start(options: Self.bounded)
        let fleet = try await ReplicaFleet(3, on: .url(sentinels.url))
        try await self.judge(fleet, "failover asked for") { _, diary in
            diary.note("a failover is asked for")
            let new = try await sentinels.failOver()
            diary.note("\(sentinels.servers[new].address) is the primary")
            // Changes wait for leases of the one before.
            try await ReplicaFleet.hold(.seconds(4))
        }
    }

    @Test func `all replicas stop as they should after having been in use together`() async throws {
        let redis = try await RedisServer.start()
        let fleet = try await ReplicaFleet(3, on: .proxied(redis))
        try await self.judge(fleet, "no fault") { _, _ in try await ReplicaFleet.hold(.seconds(1)) }
        #expect(await fleet.stop() == [0, 0, 0])
    }
}
