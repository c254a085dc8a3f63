// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Which entries to remove.
public enum InvalidationTarget: Sendable, Hashable {
    /// By id; ids of other caches are not found. 1…10,000 of them.
    case entries([CacheEntryID])
    /// The entry of this very prompt.
    case prompt(String, vary: [String: String] = [:])
    /// The entry of this very chat.
    case chat([CacheChatMessage], vary: [String: String] = [:])
    /// Every entry whose prompt is at least this similar; −1…1.
    case similar(to: String, similarity: Float, vary: [String: String] = [:])
    /// Every entry of the same context whose question is at least this similar to the chat's; −1…1.
    case similarChat(to: [CacheChatMessage], similarity: Float, vary: [String: String] = [:])
    /// Every entry whose attributes the filter takes, whatever its vary parts. An empty filter is an error.
    case filter(String)
    /// Every entry with at least one of these tags, whatever its vary parts. 1…256 of them.
    case tags([String])
    /// Every entry of the cache.
    case wholeCache
    /// Every entry of every cache of the tenant, whose name confirms that it is meant.
    case wholeTenant(confirming: String)
}

extension InvalidationTarget {
    func selector() throws(CacheClientError) -> InvalidateRequest.Selector {
        switch self {
        case .entries(let ids):
            .ids(ids.map { $0.id })
        case .prompt(let prompt, let vary):
            .exactPrompt(try .make(prompt), vary: VaryPart.parts(vary))
        case .chat(let messages, let vary):
            .exactPrompt(try .make(messages), vary: VaryPart.parts(vary))
        case .similar(let prompt, let similarity, let vary):
            .semanticRadius(
                try .make(prompt), vary: VaryPart.parts(vary), similarity: similarity, embedding: nil)
        case .similarChat(let messages, let similarity, let vary):
            .semanticRadius(
                try .make(messages), vary: VaryPart.parts(vary), similarity: similarity, embedding: nil)
        case .filter(let text):
            .filter(try .make(text))
        case .tags(let tags):
            .tags(tags)
        case .wholeCache:
            .wholeCache
        case .wholeTenant(let confirmation):
            .wholeTenant(confirmation: confirmation)
        }
    }
}
