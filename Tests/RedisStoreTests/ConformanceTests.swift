// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import RedisClient
import StoreConformance
import TestSupport
import Testing

@testable import RedisStore

@Suite(.serialized) struct ConformanceTests {
    @Test(arguments: StoreConformance.all)
    func `redis-vectorset behaves as every store`(behaviour: StoreConformance.Behaviour) async throws {
        try await behaviour.run(Self.conformance(shards: 1))
    }

    @Test(arguments: StoreConformance.all.filter { !$0.needsOnePlace })
    func `redis-vectorset over three shards behaves as every store`(
        behaviour: StoreConformance.Behaviour
    ) async throws {
        try await behaviour.run(Self.conformance(shards: 3))
    }

    @Test(arguments: [VectorQuantization.q8, .bin], StoreConformance.all)
    func `quantised vectors behave as every store, within their precision`(
        quantization: VectorQuantization, behaviour: StoreConformance.Behaviour
    ) async throws {
        try await behaviour.run(Self.conformance(quantization, tolerance: 0.02))
    }

    private static func conformance(
        _ quantization: VectorQuantization = .none, tolerance: Float = 1e-6, shards: Int = 1
    ) async throws -> StoreConformance {
        let client = try makeClient(try await freshDatabase())
        let open = { @Sendable in makeVectorSetStore(client, quantization: quantization, shards: shards) }
        return StoreConformance(
            name: "test", isExact: false, tolerance: tolerance, makeStore: { open() }, reopen: { _ in open() },
            sweep: { store, now in try await (store as? RedisVectorStore)?.sweep(at: now) },
            flush: { store in await (store as? RedisVectorStore)?.flushTouches() })
    }
}
