// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What a Lookup found.
package struct HistoryAnswer: Sendable {
    package let value: String
    package let isFromMemory: Bool

    package init(value: String, isFromMemory: Bool) {
        self.value = value
        self.isFromMemory = isFromMemory
    }
}

/// A cache, as a client of a ``HistoryLoad`` sees it. Each call is made once: one that is made again after its answer was
/// lost would be two, of which the first may yet come to pass.
package protocol HistoryClient: Sendable {
    /// - Returns: `nil` for a miss.
    /// - Throws: Whatever kept it from looking.
    func lookup(_ prompt: String) async throws -> HistoryAnswer?
    func store(_ value: String, for prompt: String, tags: [String]) async throws
    /// - Parameter byID: Names entries by their ids, where they are known.
    func invalidate(_ target: CacheHistory.Target, byID: Bool) async throws
    func close() async
}

/// Clients that look up, store and remove a few entries, each as fast as it can, until they are stopped.
package struct HistoryLoad: Sendable {
    /// A prompt, and another that means the same: an answer to the one is found for the other.
    package struct Question: Sendable {
        package let prompt: String
        package let paraphrase: String

        package init(_ prompt: String, _ paraphrase: String) {
            self.prompt = prompt
            self.paraphrase = paraphrase
        }
    }

    package struct Mix: Sendable {
        /// Of all calls; Lookups are the rest.
        package var stores: Double
        package var invalidations: Double
        /// Of the Lookups, by paraphrase.
        package var paraphrases: Double

        package init(stores: Double = 0.12, invalidations: Double = 0.06, paraphrases: Double = 0.3) {
            self.stores = stores
            self.invalidations = invalidations
            self.paraphrases = paraphrases
        }
    }

    private static let tags = ["red", "green"]
    /// After so many calls a client connects anew, so that a service that came back is asked again.
    private static let callsOfConnection = 200

    private final class Stop: Sendable {
        let flag = Atomic(false)
        let lastValue = Atomic(0)
    }

    package let recorder = HistoryRecorder()
    private let questions: [Question]
    private let mix: Mix
    private let stopped = Stop()

    package init(_ questions: [Question], mix: Mix = Mix()) {
        self.questions = questions
        self.mix = mix
    }

    /// No call begins after this.
    package func stop() { self.stopped.flag.store(true, ordering: .relaxed) }

    /// Calls until ``stop()``, and until what is under way is done.
    ///
    /// - Parameters:
    ///   - count: Of clients at the same time, which the tenants share.
    ///   - connect: Makes a client of a tenant.
    package func run(
        clients count: Int, of tenants: [String], seed: UInt64,
        connect: @escaping @Sendable (_ tenant: String, _ client: Int) -> any HistoryClient
    ) async {
        await withDiscardingTaskGroup { group in
            for number in 0..<count {
                group.addTask {
                    let tenant = tenants[number % tenants.count]
                    var generator = SeededGenerator(seed &+ UInt64(number))
                    while !self.isStopped {
                        let client = connect(tenant, number)
                        await self.call(client, tenant, &generator)
                        await client.close()
                    }
                }
            }
        }
    }

    private var isStopped: Bool { self.stopped.flag.load(ordering: .relaxed) }

    private func call(_ client: any HistoryClient, _ tenant: String, _ generator: inout SeededGenerator) async {
        for _ in 0..<Self.callsOfConnection where !self.isStopped {
            let question = generator.pick(self.questions)
            let choice = Double.random(in: 0..<1, using: &generator)
            do {
                if choice < self.mix.stores {
                    try await self.store(question.prompt, client, tenant, &generator)
                } else if choice < self.mix.stores + self.mix.invalidations {
                    try await self.invalidate(question.prompt, client, tenant, &generator)
                } else {
                    let isParaphrase = generator.chance(self.mix.paraphrases)
                    let start = self.recorder.now
                    let answer = try await client.lookup(isParaphrase ? question.paraphrase : question.prompt)
                    self.recorder.record(tenant, answer: answer, start: start)
                }
            } catch {
                self.recorder.countFailure(error)
                // A cache that refuses at once would be asked in a tight loop.
                try? await ContinuousClock().sleep(for: .milliseconds(5))
            }
        }
    }

    private func store(
        _ prompt: String, _ client: any HistoryClient, _ tenant: String, _ generator: inout SeededGenerator
    ) async throws {
        let number = self.stopped.lastValue.add(1, ordering: .relaxed).newValue
        let (value, tags) = ("\(tenant)/\(number)", [generator.pick(Self.tags)])
        let action = CacheHistory.Action.store(value: value, prompt: prompt, tags: tags)
        try await self.change(tenant, action) { try await client.store(value, for: prompt, tags: tags) }
    }

    private func invalidate(
        _ prompt: String, _ client: any HistoryClient, _ tenant: String, _ generator: inout SeededGenerator
    ) async throws {
        let byID = generator.chance(0.5)
        let choice = Double.random(in: 0..<1, using: &generator)
        let target: CacheHistory.Target =
            if choice < 0.6 { .prompts([prompt]) } else if choice < 0.9 { .tag(generator.pick(Self.tags)) } else {
                .everything
            }
        try await self.change(tenant, .invalidate(target)) { try await client.invalidate(target, byID: byID) }
    }

    /// Also takes down a change that fails: it may have happened.
    private func change(
        _ tenant: String, _ action: CacheHistory.Action, _ make: () async throws -> Void
    ) async throws {
        let start = self.recorder.now
        do {
            try await make()
        } catch {
            self.recorder.record(tenant, action, start: start, isAcknowledged: false)
            throw error
        }
        self.recorder.record(tenant, action, start: start, isAcknowledged: true)
    }
}
