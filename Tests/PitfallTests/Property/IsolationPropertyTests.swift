// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import EmbeddedStore
import TestSupport
import Testing

/// Tenants that do random things at the same time, on one engine with one file and one memory, each against a model of
/// separate maps that knows of no other tenant. The service is closed and opened again in between.
@Suite(.timeLimit(.minutes(10))) struct IsolationPropertyTests {
    private static let lives = 4
    private static let rounds = 25
    /// Of each tenant in each round; the clock stands still meanwhile.
    private static let steps = 20

    @Test(arguments: [20_261_121] as [UInt64])
    func `100,000 random operations by 50 tenants are answered as by separate maps`(seed: UInt64) async throws {
        let folder = try Folder()
        let clock = ManualClock()
        var random = SeededGenerator(seed)
        var directory = TenantDirectory(undeclared: TenantPolicy(template: Self.policy))
        var runs = adversarialNames.enumerated().map { position, name in
            TenantRun(name, floor: position.isMultiple(of: 2) ? -1 : 0.6, seed: seed + UInt64(position))
        }
        for run in runs {
            directory.declare(
                run.scope.tenant, TenantPolicy(similarityFloor: run.model.floor, template: Self.policy))
        }
        for life in 0..<Self.lives {
            let store = try EmbeddedStore(path: folder.file, logger: silent)
            // Memory that is too small for all, so that it forgets.
            let engine = CacheEngine(
                store: store, pool: EmbeddingPool(embedder: HashingEmbedder()), memory: MemoryTier(limit: 8 << 20),
                directory: directory, logger: silent, clock: clock.read, random: { 0.5 })
            let prompts = Vocabulary.prompts[50 * life..<50 * life + 90]
            for position in runs.indices { runs[position].restart(prompts: prompts) }
            for round in 0..<Self.rounds {
                do {
                    // Memory takes nothing that was read while others wrote.
                    runs = try await Self.round(runs, engine, isQuiet: random.chance(0.3))
                } catch {
                    Issue.record("seed \(seed), life \(life), round \(round): \(error)")
                    return await store.close()
                }
                clock.advance(by: .milliseconds(random.int(0...10_000)))
                if random.chance(0.1) { _ = try await store.sweep(at: clock.now) }
            }
            for run in runs { try await run.compareSizes(engine) }
            await store.close()
        }
        let hits = runs.reduce(into: [Tier: Int]()) { $0.merge($1.hits, uniquingKeysWith: +) }
        #expect(runs.reduce(0) { $0 + $1.operations } == 100_000)
        #expect((hits[.l1] ?? 0) > 2000 && (hits[.store] ?? 0) > 10_000, "hits: \(hits)")
        let ids = runs.flatMap(\.ids)
        #expect(Set(ids).count == ids.count, "two tenants have an entry id in common")
    }

    private static let policy = CachePolicy(
        similarityThreshold: TenantModel.defaultThreshold, similarityFloor: -1, timeToLive: TenantModel.timeToLive,
        maximumTimeToLive: TenantModel.maximumTimeToLive, timeToLiveJitter: 0,
        prompt: PromptPolicy(maximumMessages: Vocabulary.maximumMessages))

    /// Lets all tenants take some steps, all at the same time.
    private static func round(
        _ runs: [TenantRun], _ engine: CacheEngine, isQuiet: Bool
    ) async throws -> [TenantRun] {
        try await withThrowingTaskGroup(of: (Int, TenantRun).self) { group in
            for (position, run) in runs.enumerated() {
                let strangers = Array(runs[(position + 1) % runs.count].ids.suffix(50))
                group.addTask {
                    var run = run
                    for _ in 0..<Self.steps {
                        try await run.step(engine, strangers: strangers, isQuiet: isQuiet)
                    }
                    return (position, run)
                }
            }
            var moved = runs
            for try await (position, run) in group { moved[position] = run }
            return moved
        }
    }
}
