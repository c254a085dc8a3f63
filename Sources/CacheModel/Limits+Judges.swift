// SPDX-License-Identifier: Apache-2.0

extension Limits {
    // MARK: Judges

    /// Bytes of a question that a judge is shown; a longer one is not judged.
    package static let judgedTextBytes = 4 << 10
    /// Tokens that a judge may reply with: one word and what a tokenizer makes of it.
    package static let judgeReplyTokens = 4
    /// Opinions that a judge remembers, and for how long.
    package static let judgedPairs = 10_000
    package static let judgedPairTime = Duration.seconds(3600)
    /// Callers that wait for the same opinion; of more it has none.
    package static let judgeWaiters = 256
    /// Tokens of one opinion that are believed.
    package static let judgeTokens = 1 << 20
}
