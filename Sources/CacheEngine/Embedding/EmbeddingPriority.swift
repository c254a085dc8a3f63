// SPDX-License-Identifier: Apache-2.0

/// Whose texts go first.
package enum EmbeddingPriority: Sendable, Hashable, CaseIterable {
    /// Somebody waits for an answer: Lookups, and the search for what a removal by similarity takes.
    case lookup
    /// What can wait a little: Stores, and so imports.
    case store
}
