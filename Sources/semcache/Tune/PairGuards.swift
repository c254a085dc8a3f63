// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions

/// The guards of the service, as they are asked for pairs of texts.
struct PairGuards {
    private var wordings: [String: Wording] = [:]

    /// Whether one of them says that the answer to a stored question is wrong for the one asked.
    mutating func refuse(_ pair: QuestionPair) throws -> Bool {
        let (asked, stored) = (try self.wording(of: pair.asked), try self.wording(of: pair.stored))
        return refusal(between: asked, and: stored, by: .all) != nil
    }

    private mutating func wording(of text: String) throws -> Wording {
        if let known = self.wordings[text] { return known }
        // Read with the pair, so that it is one.
        let wording = Wording(try CanonicalPrompt(text))
        self.wordings[text] = wording
        return wording
    }
}
