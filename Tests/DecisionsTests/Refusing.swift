// SPDX-License-Identifier: Apache-2.0

import CacheModel

@testable import Decisions

/// The guard that keeps two prompts apart, both ways round alike.
func guardBetween(_ asked: String, _ stored: String, by guards: GuardSet = .all) throws -> Guard? {
    let (one, two) = (Wording(try CanonicalPrompt(asked)), Wording(try CanonicalPrompt(stored)))
    let refused = refusal(between: one, and: two, by: guards)
    guard refused == refusal(between: two, and: one, by: guards) else { throw Asymmetry() }
    return refused
}

struct Asymmetry: Error {}
