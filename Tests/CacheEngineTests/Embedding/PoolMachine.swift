// SPDX-License-Identifier: Apache-2.0

import CacheModel

@testable import CacheEngine

typealias PoolMachine = EmbeddingPoolStateMachine<String>

extension PoolMachine {
    init(
        concurrency: Int = 1, queueLimit: Int = 1000, queueBytes: Int = 1 << 30, batchLimit: Int = 1,
        memoryBytes: Int = 0
    ) {
        self.init(
            Limit(
                concurrency: concurrency, queue: queueLimit, queueBytes: queueBytes, batch: batchLimit,
                memoryBytes: memoryBytes))
    }

    /// Asks for a text, by whose name the waiter goes.
    mutating func ask(
        _ text: String, _ tenant: String = "a", _ priority: EmbeddingPriority = .lookup, waiter: String? = nil,
        at now: ContinuousClock.Instant = PoolTime.start, within patience: Duration = .seconds(3600)
    ) -> EmbedAction {
        self.embed(
            Request(
                key: PoolKey.of(text, tenant), text: text, tenant: TenantID(tenant), priority: priority,
                deadline: now + patience),
            waiter: waiter ?? text, id: PoolKey.number(of: waiter ?? text), at: now)
    }

    /// Gives up for a text.
    mutating func giveUp(_ text: String, _ tenant: String = "a", waiter: String? = nil) -> String? {
        self.cancel(PoolKey.of(text, tenant), id: PoolKey.number(of: waiter ?? text))
    }

    /// Answers a batch with vectors that do not matter.
    mutating func succeed(
        _ batch: Batch, after duration: Duration = .zero, at now: ContinuousClock.Instant = PoolTime.start
    ) -> FinishAction {
        let vectors = batch.requests.map { _ in Embedding(unitLength: [1]) }
        return self.finish(batch, vectors.map { .success($0) }, took: duration, at: now)
    }
}

/// Time for machines, which have no clock.
enum PoolTime {
    static let start = ContinuousClock.now
}

enum PoolKey {
    static func of(_ text: String, _ tenant: String) -> Digest {
        var fingerprint = Fingerprint(.text)
        fingerprint.append(tenant)
        fingerprint.append(text)
        return fingerprint.finish()
    }

    static func number(of waiter: String) -> UInt64 { Self.of(waiter, "").words.0 }
}

extension PoolMachine.EmbedAction {
    var batch: PoolMachine.Batch? { if case .dispatch(let batch) = self { batch } else { nil } }
    var refusal: EmbedderError.Code? { if case .refuse(let error) = self { error.code } else { nil } }
    var waits: Bool { if case .wait = self { true } else { false } }
    var isReady: Bool { if case .ready = self { true } else { false } }
}
