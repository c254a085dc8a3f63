// SPDX-License-Identifier: Apache-2.0

/// Limits of what is read and played by `eval` and `tune`.
enum EvalLimits {
    /// Of all files of a stream: they are kept in memory.
    static let maximumQuestions = 1_000_000
    /// More than a prompt may have, and some answers; bytes.
    static let maximumLineBytes = 256 << 10
    static let maximumOrders = 100
    static let maximumCallsInFlight = 1024
    /// Pairs of questions: a vector of each text is kept.
    static let maximumPairs = 200_000
    /// Labelled decisions that `tune` reads of a cache, more than a service keeps.
    static let maximumLabels = 100_000
    /// Texts in an Embed.
    static let textsOfEmbed = 64
    /// Embeds under way at once.
    static let embedsInFlight = 4
}
