// SPDX-License-Identifier: Apache-2.0

/// The same words, two of which changed places. Language-neutral.
enum RolesGuard {
    /// Words of each of the two things that changed places.
    private static let longestThing = 3
    /// Words that may join two things in any order.
    private static let joining: Set<UInt64> = Set(
        ("and or vs versus plus is are am was were" as StaticString).tableWords.map { Stem.hash($0) })
    private static let articles: Set<UInt64> = Set(
        ("a an the my your" as StaticString).tableWords.map { Stem.hash($0) })

    private static let turning: Set<UInt64> = Set(
        ("to into in from per than over by" as StaticString).tableWords.map { Stem.hash($0) })

    static func refuses(_ comparison: Comparison) -> Bool {
        let (one, two) = (comparison.asked.words, comparison.stored.words)
        guard one.count == two.count, one.count >= 3, comparison.askedOpen.isEmpty, comparison.storedOpen.isEmpty,
            let first = one.indices.first(where: { one[$0].key != two[$0].key }),
            let last = one.indices.last(where: { one[$0].key != two[$0].key })
        else { return false }
        let size = last + 1 - first
        for lead in 1...longestThing {
            for trail in 1...longestThing where lead + trail < size {
                let isSwapped = (0..<size).allSatisfy { offset in
                    let place =
                        if offset < trail {
                            size - trail + offset
                        } else if offset >= size - lead {
                            offset - (size - lead)
                        } else {
                            offset - trail + lead
                        }
                    return two[first + offset].key == one[first + place].key
                }
                guard isSwapped else { continue }
                let between = one[(first + lead)..<(first + size - trail)]
                // Of so few words: "miles to km", "cats eat mice".
                if one.count == 3,
                    lead + trail > 2 || !between.allSatisfy({ turning.contains($0.key) || $0.role == .content })
                {
                    return false
                }
                return !between.contains { joining.contains($0.key) }
                    || !between.allSatisfy { joining.contains($0.key) || articles.contains($0.key) }
            }
        }
        return false
    }
}
