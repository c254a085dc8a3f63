// SPDX-License-Identifier: Apache-2.0

/// How rare a stem is among questions: inverse document frequency, natural logarithm.
enum Rarity {
    /// Of a stem that is not in the table: rarer than every one there.
    static let ofUnknown: Float = 9.5
    /// Numbers are not in the table: as telling as a rare word.
    static let ofNumber: Float = 7

    static let table: [(idf: Float, stem: UInt64)] = {
        var rows: [(idf: Float, stem: UInt64)] = []
        var idf: Float = 0
        for word in data.tableWords {
            if word[0].isDigit {
                idf = Float(word.reduce(0) { $0 * 10 + Int($1 - 0x30) }) / 4
            } else {
                rows.append((idf, WordHash.of(word)))
            }
        }
        return rows
    }()
}
