// SPDX-License-Identifier: Apache-2.0

/// Limits of what a store keeps of decisions, of each cache.
extension Limits {
    /// Neighbours of one search: what a decision looks at.
    package static let maximumNeighbours = 32
    /// Records in a cache's log; older ones go. With the largest, 2 MiB a cache.
    package static let maximumDecisionRecords = 4096
    /// Of one record.
    package static let maximumDecisionRecordBytes = 512
    /// Records that one read of the log brings.
    package static let maximumDecisionRecordPage = 1024
    /// Of what was learnt from the records.
    package static let maximumDecisionSnapshotBytes = 65_536
    /// Answers that are blocked for one question. One that has as many is taken for one that no entry answers, so a store
    /// keeps no more, and none of them goes.
    package static let maximumBlocksPerQuestion = 16
    /// Questions of a cache for which an answer is blocked. With all their blocks some 60 MiB.
    package static let maximumBlockedQuestions = 100_000
}
