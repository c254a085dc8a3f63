// SPDX-License-Identifier: Apache-2.0

/// What an Invalidate asks.
package struct InvalidateRequest: Sendable, Equatable {
    package enum Selector: Sendable, Equatable {
        /// Entries of this cache; ids of others are not found.
        case ids([EntryID])
        case exactPrompt(Prompt, vary: [VaryPart])
        /// Every entry of the partition whose prompt is at least this similar.
        case semanticRadius(Prompt, vary: [VaryPart], similarity: Float, embedding: [Float]?)
        /// Every entry of the cache whose attributes the filter takes, whatever its vary parts.
        case filter(MetadataFilter)
        /// Every entry of the cache with at least one of these tags; not empty.
        case tags([String])
        case wholeCache
        /// Every entry of every cache of the tenant, whose name confirms that it is meant.
        case wholeTenant(confirmation: String)
    }

    /// Empty for the whole tenant.
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
