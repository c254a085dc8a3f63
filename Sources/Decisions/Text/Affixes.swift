// SPDX-License-Identifier: Apache-2.0

/// Opposites that beginnings and endings make: legal and illegal, hypotension and hypertension, payer and payee.
enum Affixes {
    typealias Letters = UnsafeBufferPointer<UInt8>

    /// Bytes that are left beside the affix.
    private static let shortestRest = 3

    static func areOpposite(_ one: Letters, _ two: Letters) -> Bool {
        guard one.count > shortestRest, two.count > shortestRest else { return false }
        let isRestSame = (
            last: one.suffix(shortestRest).elementsEqual(two.suffix(shortestRest)),
            first: one.prefix(shortestRest).elementsEqual(two.prefix(shortestRest))
        )
        guard isRestSame.last || isRestSame.first else { return false }
        if isRestSame.last, isNegated(one, two) { return true }
        for row in Opposites.prefixes
        where isRestSame.last
            && differ(one, two, row, { $0.starts(with: $1) }, { Letters(rebasing: $0[$1...]) })
        {
            return true
        }
        for row in Opposites.endings
        where isRestSame.first
            && differ(
                one, two, row, { $0.suffix($1.count).elementsEqual($1) }, { Letters(rebasing: $0[..<($0.count - $1)]) })
        {
            return true
        }
        return false
    }

    /// Whether they have two affixes of a row, and are the same beside them.
    private static func differ(
        _ one: Letters, _ two: Letters, _ row: [[UInt8]], _ has: (Letters, [UInt8]) -> Bool,
        _ without: (Letters, Int) -> Letters
    ) -> Bool {
        for first in row where one.count >= first.count + shortestRest && has(one, first) {
            for second in row
            where second != first && two.count >= second.count + shortestRest && has(two, second)
                && without(one, first.count).elementsEqual(without(two, second.count))
            {
                return true
            }
        }
        return false
    }

    /// "legal" and "illegal", "freeze" and "unfreeze", "typical" and "atypical".
    private static func isNegated(_ one: Letters, _ two: Letters) -> Bool {
        let (short, long) = one.count < two.count ? (one, two) : (two, one)
        let added = long.count - short.count
        let isLong = short.count >= (added == 1 ? 7 : 4)
        guard (1...4).contains(added), isLong, long.suffix(short.count).elementsEqual(short) else { return false }
        return negating.contains(WordHash.of(long[..<added]))
    }

    private static let negating = Set(
        ("a un in im il ir dis non de mis des ent dé dés" as StaticString).tableWords.map { WordHash.of($0) })
}
