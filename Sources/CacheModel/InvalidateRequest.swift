// SPDX-License-Identifier: Apache-2.0

/// What an Invalidate asks.
package struct InvalidateRequest: Sendable, Equatable {
    package enum Selector: Sendable, Equatable {
        /// Entries of this cache; ids of others are not found.
        case ids([EntryID])
        case exactPrompt(CanonicalPrompt, vary: [VaryPart])
        /// Every entry of the partition whose prompt is at least this similar.
        case semanticRadius(CanonicalPrompt, vary: [VaryPart], similarity: Float, embedding: [Float]?)
        case wholeCache
    }

    package var cache: String
    package var selector: Selector
    /// Counts and samples, removes nothing.
    package var isDryRun: Bool

    package init(cache: String, selector: Selector, isDryRun: Bool = false) {
        self.cache = cache
        self.selector = selector
        self.isDryRun = isDryRun
    }
}

/// What an Invalidate removed, or would remove.
package struct InvalidateOutcome: Sendable, Equatable {
    package let count: Int
    /// At most ``Limits/maximumSampleIDs``.
    package let sample: [EntryID]
    package let isDryRun: Bool

    package init(count: Int, sample: [EntryID], isDryRun: Bool) {
        self.count = count
        self.sample = sample
        self.isDryRun = isDryRun
    }
}
