// SPDX-License-Identifier: Apache-2.0

package import CCacheProto
package import CacheModel

extension FeedbackRequest {
    /// Checks and copies a request.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field and the limit.
    package init(_ feedback: borrowing Semcached__V1__FeedbackRequest) throws(CacheError) {
        guard let entry = EntryID(text: feedback.entry_id.bytes) else {
            throw .invalidArgument("entry_id", "is not 32 lower-case hexadecimal digits")
        }
        let verdict: Verdict
        switch feedback.verdict {
        case SEMCACHED__V1__VERDICT__VERDICT_RIGHT: verdict = .right
        case SEMCACHED__V1__VERDICT__VERDICT_WRONG: verdict = .wrong
        case SEMCACHED__V1__VERDICT__VERDICT_UNSPECIFIED:
            throw .invalidArgument("verdict", "is missing: VERDICT_RIGHT or VERDICT_WRONG")
        default: throw .invalidArgument("verdict", "is unknown: it must be VERDICT_RIGHT or VERDICT_WRONG")
        }
        self.init(
            cache: try cacheName(feedback.cache), entry: entry, question: try Question(feedback), verdict: verdict)
    }
}

extension FeedbackRequest.Question {
    /// Reads what was asked from the one of three fields that is there.
    fileprivate init(_ feedback: borrowing Semcached__V1__FeedbackRequest) throws(CacheError) {
        // Added, since what is borrowed cannot be captured by `||`.
        let promptParts = feedback.prompt.len + feedback.n_messages
        guard feedback.lookup_id.len > 0 else {
            guard promptParts > 0 else {
                throw .invalidArgument("prompt", "is missing: give one of prompt, messages and lookup_id")
            }
            self = .prompt(
                try Prompt(feedback.prompt, feedback.messages, feedback.n_messages),
                vary: try varyParts(feedback.vary, feedback.n_vary), embedding: try vector(feedback.embedding))
            return
        }
        guard promptParts == 0, feedback.n_vary == 0, feedback.embedding == nil else {
            throw .invalidArgument(
                "lookup_id", "is given besides prompt, messages, vary or embedding, which it stands for")
        }
        guard feedback.lookup_id.len <= Limits.maximumLookupIDBytes else {
            throw .tooLong("lookup_id", feedback.lookup_id.len, limit: Limits.maximumLookupIDBytes)
        }
        self = .lookup(LookupID(bytes: [UInt8](feedback.lookup_id.bytes)))
    }
}

extension FeedbackOutcome {
    init(_ packed: Semcached__V1__FeedbackResponse) {
        self.init(isBlocked: packed.blocked != 0, isLearnt: packed.learnt != 0)
    }
}

extension MessageBuilder {
    func feedback(_ feedback: FeedbackRequest) -> UnsafeMutablePointer<Semcached__V1__FeedbackRequest> {
        let packed = self.make(semcached__v1__feedback_request__init)
        packed.pointee.cache = self.bytes(feedback.cache)
        packed.pointee.entry_id = self.bytes(feedback.entry.text)
        packed.pointee.verdict =
            switch feedback.verdict {
            case .right: SEMCACHED__V1__VERDICT__VERDICT_RIGHT
            case .wrong: SEMCACHED__V1__VERDICT__VERDICT_WRONG
            }
        switch feedback.question {
        case .prompt(let prompt, let vary, let embedding):
            (packed.pointee.prompt, packed.pointee.n_messages, packed.pointee.messages) = self.prompt(prompt)
            (packed.pointee.n_vary, packed.pointee.vary) = self.vary(vary)
            packed.pointee.embedding = self.embedding(embedding)
        case .lookup(let lookup):
            packed.pointee.lookup_id = self.bytes(lookup.bytes)
        }
        return packed
    }

    func feedback(_ outcome: FeedbackOutcome) -> UnsafeMutablePointer<Semcached__V1__FeedbackResponse> {
        let packed = self.make(semcached__v1__feedback_response__init)
        packed.pointee.blocked = outcome.isBlocked ? 1 : 0
        packed.pointee.learnt = outcome.isLearnt ? 1 : 0
        return packed
    }
}
