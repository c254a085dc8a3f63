// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CoreMetrics
import Logging
import RedisClient
import TestSupport
import Testing
import Tracing

@testable import RedisStore

/// Engines over one Redis whose memories know nothing of each other: what a build without coherence does. The check by
/// which the real ones are judged must find what is wrong with them.
@Suite(.serialized, .timeLimit(.minutes(2))) struct UncoordinatedReplicasTests {
    private static let questions = (0..<4).map { number in
        let words = (0..<9).map { "word\(number)x\($0)" }.joined(separator: " ")
        return HistoryLoad.Question("\(words) at last", "\(words) at length")
    }
    private static let tenants = ["acme", "globex"]

    private static func engine(_ store: RedisVectorStore, memory: Int) -> CacheEngine {
        CacheEngine(
            store: store,
            pool: EmbeddingPool(
                embedder: HashingEmbedder(), metrics: NOOPMetricsHandler.instance, tracer: NoOpTracer()),
            memory: MemoryTier(limit: memory),
            directory: TenantDirectory(undeclared: TenantPolicy(template: CachePolicy(timeToLiveJitter: 0))),
            logger: silent, clock: { Self.wallClock }, metrics: NOOPMetricsHandler.instance, tracer: NoOpTracer())
    }

    /// Stands still: nothing is to expire.
    private static let wallClock = Timestamp(milliseconds: 1_700_000_000_000)

    /// - Parameter memory: Bytes of each engine's; 0 for none.
    private func violations(
        memory: Int
    ) async throws -> (kinds: [HistoryChecker.Violation.Kind: Int], figures: HistoryRecorder.Figures) {
        let database = try await freshDatabase()
        let clients = try (0..<3).map { _ in try makeClient(database) }
        let engines = clients.map { Self.engine(makeVectorSetStore($0), memory: memory) }
        let load = HistoryLoad(Self.questions)
        async let calls: Void = load.run(clients: 16, of: Self.tenants, seed: 1) { tenant, client in
            EngineHistoryClient(engines[client % engines.count], tenant: tenant)
        }
        let deadline = ContinuousClock.now + .seconds(60)
        while load.recorder.figures.invalidations < 300, ContinuousClock.now < deadline {
            try await ContinuousClock().sleep(for: .milliseconds(10))
        }
        load.stop()
        await calls
        for client in clients { await client.close() }
        let violations = HistoryChecker(load.recorder.history).violations()
        return (Dictionary(grouping: violations, by: \.kind).mapValues(\.count), load.recorder.figures)
    }

    @Test func `memories that are not told of changes are caught`() async throws {
        let (kinds, figures) = try await self.violations(memory: 64 << 20)
        #expect(figures.invalidations >= 300 && figures.hitsFromMemory > 1_000, "\(figures)")
        #expect(kinds[.stale, default: 0] > 10, "\(kinds), \(figures)")
        #expect(kinds[.overwritten, default: 0] > 10, "\(kinds), \(figures)")
        #expect(kinds[.foreign] == nil && kinds[.neverStored] == nil, "\(kinds)")
    }

    @Test func `engines without memories give no wrong answer`() async throws {
        let (kinds, figures) = try await self.violations(memory: 0)
        #expect(figures.invalidations >= 300 && figures.hits > 1_000 && figures.hitsFromMemory == 0, "\(figures)")
        #expect(kinds == [:], "\(kinds), \(figures)")
    }
}
