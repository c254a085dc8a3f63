// SPDX-License-Identifier: Apache-2.0

/// Of what decides whether a candidate answers.
extension Limits {
    /// Wrong answers per Lookup: below, nothing could be learnt in a lifetime; above, nobody would want it.
    package static let errorBudget = 0.0005...0.2
    /// Wrong answers per semantic hit.
    package static let wrongHitShare = 0.001...0.5
    /// Of a ``LookupID``: a handful of digests and numbers.
    package static let maximumLookupIDBytes = 512
    /// Candidates that a store is asked for, whatever must be found.
    package static let candidates = 6
    /// Of those that have one answer, or any: candidates whose words are compared, however many were found.
    package static let comparedCandidates = 8
    /// Caches whose labels are held in memory, up to a megabyte each; others are read again from the store.
    package static let maximumDeciders = 256
    /// Labels that are told to the store at once.
    package static let labelBatch = 16
    /// After which fewer are told.
    package static let labelDelay = Duration.seconds(1)
    /// Labels that wait for a store that takes none.
    package static let maximumPendingLabels = 512
    /// In which a store must have taken labels or what was learnt from them: the call that brought them waits for it.
    package static let labelTime = Duration.seconds(2)
    /// Between two looks for what other replicas have learnt.
    package static let labelRefresh = Duration.milliseconds(500)
    /// Caches of one answer to Stats with ``DecisionStatistics``: each takes up to 600 bytes of the frame.
    package static let maximumDecisionsInStats = 1_000
    /// In ``DecisionStatistics/refusals``: the guards, and a few more.
    package static let maximumRefusalReasons = 32
    package static let maximumRefusalReasonBytes = 64
}
