// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// What the engine counts and keeps, of all tenants: for whoever operates the service.
package struct EngineFigures: Sendable {
    /// Of one tenant, or of several together.
    package struct Tenant: Sendable {
        package let name: String
        package let isDeclared: Bool
        package internal(set) var statistics = TenantStatistics()
        /// Those that did something, and those that have entries if `hasSizes`; by name.
        package internal(set) var caches: [CacheStatistics] = []
        /// Of all of its caches, those without counters of their own too.
        package internal(set) var sum = CacheStatistics(cache: "")
        package internal(set) var callsInFlight = 0
        /// Tokens that hits saved.
        package internal(set) var tokensSaved: UInt64 = 0
        /// In the callers' unit.
        package internal(set) var costSaved = 0.0
        /// Whether entries and bytes are known; if not, they are 0.
        package internal(set) var hasSizes = false
    }

    /// Those that were asked for, by name.
    package internal(set) var tenants: [Tenant] = []
    /// All others together, without sizes.
    package internal(set) var others = Tenant(name: "other", isDeclared: false)
    /// How many the others are.
    package internal(set) var othersCount = 0
    /// But for the connections, which the engine does not know.
    package var process = ServiceStatistics()
    /// Answers that went from memory because others came.
    package internal(set) var forgottenByMemory: UInt64 = 0
    /// Texts that wait for the embedder.
    package internal(set) var embeddingQueueLength = 0
    /// Whether the store told all sizes that it was asked for; `nil` if it was asked for none.
    package internal(set) var isStoreAnswering: Bool?

    /// Of an engine that did nothing.
    package init() {}
}
