// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// A condition on ``IndexedAttributes``: what an index is asked for in place of a filter.
///
/// No index can express every filter, so it is asked for a superset: a sieve never drops an entry that its filter
/// takes. Whoever asks evaluates ``MetadataFilter/matches(_:)`` on what comes out. It is exact but for the order of
/// strings, for some ranges of numbers (``SieveTranslator``), and where it would be too large.
indirect enum Sieve: Sendable, Equatable {
    case always
    case never
    case token(String)
    /// The attribute is a number and compares so with a finite one. Only a part of a conjunction that is the whole
    /// sieve, or alone: in a vector set an expression that reads a missing field is false as a whole, whatever stands
    /// around it.
    case number(field: String, MetadataFilter.Comparison, Double)
    /// At least two, none of them constant or `all`.
    case all([Sieve])
    /// At least two, none of them constant or `any`.
    case any([Sieve])
    /// Not constant, not `not`.
    case not(Sieve)
}

extension Sieve {
    /// The narrowest one that takes all entries that the filter takes.
    ///
    /// - Parameter terms: At most so many tokens and comparisons; ``NumberForm/maximumTerms`` if `nil`.
    init(supersetOf filter: MetadataFilter, numbers: NumberForm, terms: Int? = nil) {
        let bounds = filter.translated(by: SieveTranslator(numbers: numbers))
        self = bounds.upper.withoutScatteredNumbers.widened(toTerms: terms ?? numbers.maximumTerms)
    }

    static func every(_ parts: [Sieve]) -> Sieve {
        var kept: [Sieve] = []
        for part in parts {
            switch part {
            case .always: continue
            case .never: return .never
            case .all(let parts): kept += parts
            default: kept.append(part)
            }
        }
        return kept.count > 1 ? .all(kept) : kept.first ?? .always
    }

    static func either(_ parts: [Sieve]) -> Sieve {
        var kept: [Sieve] = []
        for part in parts {
            switch part {
            case .never: continue
            case .always: return .always
            case .any(let parts): kept += parts
            default: kept.append(part)
            }
        }
        return kept.count > 1 ? .any(kept) : kept.first ?? .never
    }

    static prefix func ! (sieve: Sieve) -> Sieve {
        switch sieve {
        case .always: .never
        case .never: .always
        case .not(let operand): operand
        default: .not(sieve)
        }
    }

    /// Tokens and comparisons that an index has to look at.
    var terms: Int {
        switch self {
        case .always, .never: 0
        case .token, .number: 1
        case .not(let operand): operand.terms
        case .all(let parts), .any(let parts): parts.reduce(0) { $0 + $1.terms }
        }
    }
}

// What makes a sieve wider. A comparison stands below an even number of `not`, so that a wider one in its place is
// sound.
extension Sieve {
    /// Comparisons only where they may stand, in their place that the attribute is a number.
    private var withoutScatteredNumbers: Sieve {
        switch self {
        case .number: self
        case .all(let parts): .every(parts.map { if case .number = $0 { $0 } else { $0.withoutNumbers } })
        default: self.withoutNumbers
        }
    }

    private var withoutNumbers: Sieve {
        switch self {
        case .number(let field, _, _): .token(field)
        case .all(let parts): .every(parts.map(\.withoutNumbers))
        case .any(let parts): .either(parts.map(\.withoutNumbers))
        case .not(let operand): !operand.withoutNumbers
        case .always, .never, .token: self
        }
    }

    /// Without parts of conjunctions, the largest ones, until there are no more terms than that.
    private func widened(toTerms limit: Int) -> Sieve {
        if self.terms <= limit { return self }
        switch self {
        case .all(let parts):
            var (kept, left): ([Sieve], Int) = ([], limit)
            for part in parts.sorted(by: { $0.terms < $1.terms }) {
                let part = part.widened(toTerms: left)
                left -= part.terms
                kept.append(part)
            }
            return .every(kept)
        case .not(.any(let parts)): return Sieve.every(parts.map { !$0 }).widened(toTerms: limit)
        default: return .always
        }
    }
}
