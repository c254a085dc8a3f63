// SPDX-License-Identifier: Apache-2.0

/// What a Feedback says of an answer.
package struct FeedbackRequest: Sendable, Equatable {
    package enum Verdict: Sendable, Hashable {
        case right
        case wrong
    }

    /// What was asked when the answer was given.
    package enum Question: Sendable, Equatable {
        /// - embedding: As of a Lookup.
        case prompt(Prompt, vary: [VaryPart], embedding: [Float]?)
        /// As the Lookup named itself.
        case lookup(LookupID)
    }

    package var cache: String
    /// Whose answer it is about.
    package var entry: EntryID
    package var question: Question
    package var verdict: Verdict

    package init(cache: String, entry: EntryID, question: Question, verdict: Verdict) {
        self.cache = cache
        self.entry = entry
        self.question = question
        self.verdict = verdict
    }
}

/// What a Feedback has done.
package struct FeedbackOutcome: Sendable, Equatable {
    /// The entry will not be served for that question any more.
    package let isBlocked: Bool
    /// The decision policy learns from it.
    package let isLearnt: Bool

    package init(isBlocked: Bool, isLearnt: Bool) {
        self.isBlocked = isBlocked
        self.isLearnt = isLearnt
    }
}

/// Names a Lookup that was answered by meaning. Opaque to callers; holds nothing of the prompt that can be read.
package struct LookupID: Sendable, Hashable {
    /// At most ``Limits/maximumLookupIDBytes``.
    package let bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }
}
