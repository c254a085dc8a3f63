// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Synchronization
import TestSupport

/// A client of an engine in this process.
final class EngineHistoryClient: HistoryClient {
    private static let cache = "c"
    private static let patience = Duration.seconds(10)
    private let engine: CacheEngine
    private let scope: TenantScope

    init(_ engine: CacheEngine, tenant: String) {
        self.engine = engine
        self.scope = TenantScope(authenticated: TenantID(tenant))
    }

    func lookup(_ prompt: String) async throws -> HistoryAnswer? {
        let outcome = try await self.engine.lookup(
            LookupRequest(cache: Self.cache, prompt: .text(CanonicalPrompt(prompt))), scope: self.scope,
            by: .now + Self.patience)
        switch outcome {
        case .hit(let hit):
            return HistoryAnswer(
                value: String(decoding: hit.matches[0].entry.response, as: UTF8.self), isFromMemory: hit.tier == .l1)
        case .miss(let miss):
            if case .degraded(let why) = miss.reason { throw CacheError(.unavailable, "degraded: \(why)") }
            return nil
        case .bypass:
            return nil
        }
    }

    func store(_ value: String, for prompt: String, tags: [String]) async throws {
        _ = try await self.engine.store(
            StoreRequest(
                cache: Self.cache, prompt: .text(CanonicalPrompt(prompt)), response: Array(value.utf8),
                attributes: [Attribute(name: Attribute.tagsName, value: .strings(tags))]),
            scope: self.scope, by: .now + Self.patience)
    }

    func invalidate(_ target: CacheHistory.Target, byID: Bool) async throws {
        let selector: InvalidateRequest.Selector =
            switch target {
            case .prompts(let prompts) where byID: .ids(try prompts.map { try self.id(of: $0) })
            case .prompts(let prompts): .exactPrompt(.text(try CanonicalPrompt(prompts[0])), vary: [])
            case .tag(let tag): .tags([tag])
            case .everything: .wholeCache
            }
        _ = try await self.engine.invalidate(
            InvalidateRequest(cache: Self.cache, selector: selector), scope: self.scope, by: .now + Self.patience)
    }

    func close() async {}

    private func id(of prompt: String) throws -> EntryID {
        let route = try self.engine.route(cache: Self.cache, vary: [], scope: self.scope)
        return route.partition.entryID(of: try CanonicalPrompt(prompt))
    }
}
