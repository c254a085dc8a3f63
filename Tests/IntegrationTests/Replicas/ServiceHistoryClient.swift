// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Synchronization
import TestSupport

/// A tenant's connection to a service, or to what balances services.
final class ServiceHistoryClient: HistoryClient {
    /// A Lookup whose answer is that nobody could look.
    struct Degraded: Error {}

    /// The entries of a tenant by prompt, as far as somebody has stored them.
    final class KnownIDs: Sendable {
        private let ids = Mutex<[String: CacheEntryID]>([:])

        subscript(_ prompt: String) -> CacheEntryID? {
            get { self.ids.withLock { $0[prompt] } }
            set { self.ids.withLock { $0[prompt] = newValue } }
        }
    }

    private static let cache = "default"
    private let client: CacheClient
    private let known: KnownIDs

    init(_ address: ServerAddress, key: String, known: KnownIDs) {
        var configuration = ClientConfiguration(address)
        configuration.credential = .apiKey(key)
        // Longer than any fault: a removal waits for a replica that does not answer.
        configuration.timeout = .seconds(8)
        configuration.connectTimeout = .seconds(3)
        configuration.waitsForConnection = true
        configuration.retriesLostCalls = false
        configuration.maximumBackoff = .milliseconds(200)
        self.client = CacheClient(configuration)
        self.known = known
    }

    func lookup(_ prompt: String) async throws -> HistoryAnswer? {
        switch try await self.client.lookup(prompt, in: Self.cache) {
        case .hit(let hit):
            return HistoryAnswer(value: hit.best.text ?? "", isFromMemory: hit.tier == .l1)
        case .miss(let miss):
            if case .degraded = miss.reason { throw Degraded() }
            return nil
        case .bypass:
            return nil
        }
    }

    func store(_ value: String, for prompt: String, tags: [String]) async throws {
        let receipt = try await self.client.store(value, for: prompt, in: Self.cache, tags: tags)
        self.known[prompt] = receipt.entryID
    }

    func invalidate(_ target: CacheHistory.Target, byID: Bool) async throws {
        let named: InvalidationTarget =
            switch target {
            case .prompts(let prompts):
                if byID, let id = self.known[prompts[0]] { .entries([id]) } else { .prompt(prompts[0]) }
            case .tag(let tag): .tags([tag])
            case .everything: .wholeCache
            }
        _ = try await self.client.invalidate(named, in: Self.cache)
    }

    func close() async { await self.client.close() }
}
