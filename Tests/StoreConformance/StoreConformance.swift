// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import Testing

/// What every `VectorStore` must do, whatever it is made of: one function per behaviour, listed in ``all``.
///
/// Each behaviour asks for a store once and takes all names of tenants from ``name``, so behaviours may run at once and
/// on one server. Times are small numbers that are passed in, so nothing may sweep by a clock of its own meanwhile.
package struct StoreConformance: Sendable {
    package typealias Store = any VectorStore

    /// In the names of all tenants; another one for each use of the same database.
    let name: String
    /// Makes a store, or reaches one, without an entry of tenants whose name begins with ``name``.
    let makeStore: @Sendable () async throws -> Store
    /// Whether a miss that reaches the threshold is never called approximate. Matches are the nearest in any case, and the
    /// entry of such a miss too, both within the tolerance.
    let isExact: Bool
    /// By how much a similarity may be wrong.
    let tolerance: Float
    /// Closes a store and opens it again.
    let reopen: (@Sendable (Store) async throws -> Store)?
    /// Removes what has expired at a time.
    let sweep: (@Sendable (Store, Timestamp) async throws -> Void)?
    /// Waits until the store goes by all uses of entries so far.
    let flush: @Sendable (Store) async -> Void

    package init(
        name: String, isExact: Bool, tolerance: Float = 1e-6,
        makeStore: @escaping @Sendable () async throws -> Store,
        reopen: (@Sendable (Store) async throws -> Store)? = nil,
        sweep: (@Sendable (Store, Timestamp) async throws -> Void)? = nil,
        flush: @escaping @Sendable (Store) async -> Void = { _ in }
    ) {
        self.name = name
        self.makeStore = makeStore
        self.isExact = isExact
        self.tolerance = tolerance
        self.reopen = reopen
        self.sweep = sweep
        self.flush = flush
    }

    /// A behaviour, named as a sentence, so that one parametrised test runs them all and a failure says which it is.
    package struct Behaviour: Sendable, CustomTestStringConvertible {
        package let name: String
        package let run: @Sendable (StoreConformance) async throws -> Void
        /// Whether it goes by what a tenant has as a whole, or by a partition's first vector: a store that spreads entries
        /// over shards, each with its part of the quota, does not behave so to the last entry.
        package let needsOnePlace: Bool

        init(
            _ name: String, needsOnePlace: Bool = false,
            _ run: @escaping @Sendable (StoreConformance) async throws -> Void
        ) {
            self.name = name
            self.needsOnePlace = needsOnePlace
            self.run = run
        }

        package var testDescription: String { self.name }
    }

    package static let all: [Behaviour] =
        Self.entryBehaviours + Self.nearestBehaviours + Self.removalBehaviours + Self.versionBehaviours
        + Self.scanBehaviours + Self.quotaBehaviours + Self.concurrencyBehaviours + Self.sequenceBehaviours
        + Self.vectorBehaviours + Self.leaseBehaviours + Self.decisionBehaviours + Self.blockBehaviours
}
