// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// `number`, `unit` and `roles` are language-neutral, `negation` knows seven languages, the others English.
extension Guard {
    fileprivate func refuses(_ comparison: Comparison) -> Bool {
        switch self {
        case .number: NumberGuard.refuses(comparison)
        case .unit: UnitGuard.refuses(comparison)
        case .negation: NegationGuard.refuses(comparison)
        case .antonym: AntonymGuard.refuses(comparison)
        case .direction: DirectionGuard.refuses(comparison)
        case .wordSwap: WordSwapGuard.refuses(comparison)
        case .roles: RolesGuard.refuses(comparison)
        case .questionType: QuestionTypeGuard.refuses(comparison)
        }
    }
}

/// Guards that are switched on.
package struct GuardSet: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package init(_ one: Guard) {
        rawValue = 1 << UInt8(Guard.allCases.firstIndex(of: one) ?? 0)
    }

    package init(_ some: Set<Guard>) { self.init(some.map { GuardSet($0) }) }

    package static let all = GuardSet(Guard.allCases.map { GuardSet($0) })
    package static let none: GuardSet = []

    /// Those that are in the set, in the order in which they are asked.
    package var members: [Guard] { Guard.allCases.filter { contains(GuardSet($0)) } }
}

/// The first guard that refuses to take one prompt for the other. Symmetrical. Less work than ``examination(of:and:by:)``.
///
/// Of texts that are longer than what is read of them nothing but the same text passes: `wordSwap` says so, or another
/// guard that is switched on.
package func refusal(between asked: Wording, and stored: Wording, by guards: GuardSet) -> Guard? {
    guard !guards.isEmpty else { return nil }
    return refusal(Comparison(asked, stored), by: guards)
}

/// The lexical features and the refusal of two prompts, from one comparison.
package func examination(
    of asked: Wording, and stored: Wording, by guards: GuardSet
) -> (likeness: Likeness, refusal: Guard?) {
    let comparison = Comparison(asked, stored)
    return (Likeness(comparison), refusal(comparison, by: guards))
}

func refusal(_ comparison: Comparison, by guards: GuardSet) -> Guard? {
    if comparison.isUnread { return GuardSet(.wordSwap).isSubset(of: guards) ? .wordSwap : guards.members.first }
    for (bit, one) in Guard.allCases.enumerated() where guards.rawValue & 1 << UInt8(bit) != 0 {
        if one.refuses(comparison) { return one }
    }
    return nil
}
