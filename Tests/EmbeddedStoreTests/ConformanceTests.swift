// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import EmbeddedStore
import StoreConformance
import TestSupport
import Testing

@Suite struct ConformanceTests {
    let folder: Folder

    init() throws { self.folder = try Folder() }

    func conformance() -> StoreConformance {
        let path = self.folder.file
        let open = { @Sendable in try openStore(path, configuration: .init(readerThreads: 3)) }
        return StoreConformance(
            name: "test", isExact: true, makeStore: { try open() },
            reopen: { store in
                await (store as? EmbeddedStore)?.close()
                return try open()
            },
            sweep: { store, now in
                // A second one removes what has become empty of entries.
                for _ in 0..<2 { _ = try await (store as? EmbeddedStore)?.sweep(at: now) }
            })
    }

    @Test(arguments: StoreConformance.all)
    func `the store does what every store must`(behaviour: StoreConformance.Behaviour) async throws {
        try await behaviour.run(self.conformance())
    }

    @Test(arguments: 2...8 as ClosedRange<UInt64>)
    func `any long sequence of operations leaves what a dictionary would hold`(seed: UInt64) async throws {
        try await self.conformance().behavesAsDictionary(seed: seed, rounds: 1500)
    }

    @Test(arguments: 2...6 as ClosedRange<UInt64>)
    func `a small tenant's entries go exactly in the order of their last use`(seed: UInt64) async throws {
        try await self.conformance().evictsInOrderOfUse(seed: seed, rounds: 1500)
    }

    @Test(arguments: 2...5 as ClosedRange<UInt64>)
    func `random searches find what looking at every vector finds`(seed: UInt64) async throws {
        try await self.conformance().nearestAsByBruteForce(seed: seed, count: 1500, searches: 200)
    }
}

/// The oracle does too.
@Suite struct MemoryVectorStoreTests {
    @Test(arguments: StoreConformance.all)
    func `the store in memory does what every store must`(behaviour: StoreConformance.Behaviour) async throws {
        try await behaviour.run(StoreConformance(name: "test", isExact: true, makeStore: { MemoryVectorStore() }))
    }
}
