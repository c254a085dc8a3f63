// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport
import Testing

/// How often a cache was changed.
extension StoreConformance {
    static let versionBehaviours = [
        Behaviour("a put moves the sequence of its tenant on, and no epoch") { try await $0.putMovesSequence() },
        Behaviour("a removal moves the epoch of what it is from, found something or not") {
            try await $0.removalMovesEpoch()
        },
        Behaviour("dry runs, eviction and expiry move no epoch", needsOnePlace: true) {
            try await $0.othersMoveNoEpoch()
        },
        Behaviour("versions outlive the tenant's removal and another opening of the store") {
            try await $0.versionsOutlive()
        },
        Behaviour("every caller sees the version move by what it did itself") { try await $0.versionsMoveForAll() },
    ]

    func putMovesSequence() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(50)
        var last = try await store.version(of: home.cache)
        let rival = try await store.version(of: self.cache(of: "rival"))
        for prompt in ["a", "b", "a"] {
            try await store.put(try entry(prompt, in: home), random.vector(), in: home)
            for cache in [self.cache("other"), home.cache] {
                let version = try await store.version(of: cache)
                #expect(version.sequence > last.sequence && version.epoch == last.epoch)
            }
            last = try await store.version(of: home.cache)
        }
        #expect(try await store.version(of: home.cache) == last)
        #expect(try await store.version(of: self.cache(of: "rival")) == rival)
    }

    func removalMovesEpoch() async throws {
        let (store, home, other) = (try await self.makeStore(), self.partition(), self.cache("other"))
        var random = SeededGenerator(51)
        let vector = random.vector()
        let id = try entry("a", in: home).id
        let rival = try await store.version(of: self.cache(of: "rival"))
        for isStored in [false, true] {
            let selectors: [RemovalSelector] = [
                .ids([id], in: home.cache), .ids([], in: home.cache), .entry(id, in: home),
                .radius(vector, similarity: 0.9, in: home), .filter(try MetadataFilter("exists(a)"), in: home.cache),
                .cache(home.cache), .tenant(self.tenant()),
            ]
            for selector in selectors {
                if isStored { try await store.put(try entry("a", in: home), vector, in: home) }
                let before = (try await store.version(of: home.cache), try await store.version(of: other))
                _ = try await store.remove(selector)
                let after = (try await store.version(of: home.cache), try await store.version(of: other))
                #expect(after.0.epoch > before.0.epoch && after.0.sequence > before.0.sequence)
                #expect(after.1.sequence > before.1.sequence)
                if case .tenant = selector.scope {
                    #expect(after.1.epoch > before.1.epoch)
                } else {
                    #expect(after.1.epoch == before.1.epoch)
                }
            }
        }
        #expect(try await store.version(of: self.cache(of: "rival")) == rival)
    }

    func othersMoveNoEpoch() async throws {
        let (store, home) = (try await self.makeStore(), self.partition())
        var random = SeededGenerator(52)
        let vector = random.vector()
        let quota = StoreQuota(entries: 2, bytes: nil)
        for position in 0..<5 {
            _ = try await store.put(
                try entry("q\(position)", in: home, created: Int64(position) * 1000, expires: 10_000),
                embedding: vector, in: home, quota: quota)
        }
        let before = try await store.version(of: home.cache)
        #expect(before.epoch == 0 && before.sequence >= 5)
        for selector in [RemovalSelector.cache(home.cache), .tenant(self.tenant())] {
            #expect(try await store.remove(selector, dryRun: true, at: ms(0)).count == 2)
            #expect(try await store.version(of: home.cache) == before)
        }
        try await self.sweep?(store, ms(10_000))
        #expect(try await store.version(of: home.cache).epoch == before.epoch)
    }

    func versionsOutlive() async throws {
        var store = try await self.makeStore()
        let home = self.partition()
        var random = SeededGenerator(53)
        try await store.put(try entry("a", in: home), random.vector(), in: home)
        _ = try await store.remove(.cache(home.cache))
        let before = try await store.version(of: home.cache)
        _ = try await store.remove(.tenant(self.tenant()))
        try await self.sweep?(store, ms(1 << 40))
        let after = try await store.version(of: home.cache)
        #expect(after.epoch > before.epoch && after.sequence > before.sequence)
        guard let reopen = self.reopen else { return }
        store = try await reopen(store)
        #expect(try await store.version(of: home.cache) == after)
        _ = try await store.remove(.cache(home.cache))
        let last = try await store.version(of: home.cache)
        #expect(last.epoch > after.epoch && last.sequence > after.sequence)
    }

    func versionsMoveForAll() async throws {
        let store = try await self.makeStore()
        let before = try await store.version(of: self.cache())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<40 {
                let home = self.partition(user: "\(caller % 5)")
                var random = SeededGenerator(UInt64(caller))
                let vector = random.vector()
                group.addTask {
                    let start = try await store.version(of: home.cache)
                    try await store.put(try entry("q\(caller)", in: home), vector, in: home)
                    let put = try await store.version(of: home.cache)
                    #expect(put.sequence > start.sequence && put.epoch >= start.epoch)
                    _ = try await store.remove(.entry(try entry("q\(caller)", in: home).id, in: home))
                    let removed = try await store.version(of: home.cache)
                    #expect(removed.sequence > put.sequence && removed.epoch > put.epoch)
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.version(of: self.cache()).epoch >= before.epoch + 40)
    }
}
