// SPDX-License-Identifier: Apache-2.0

/// Times in UTC as RFC 3339 has them, to the millisecond: `2026-01-31T23:59:59.999Z`.
enum Timestamp {
    /// - Parameter milliseconds: since 1970, from the year 1 to the year 9999.
    static func text(milliseconds: Int64) -> String {
        let (days, inDay) = Self.divided(milliseconds, by: 86_400_000)
        let (year, month, day) = Self.date(days: days)
        let seconds = inDay / 1000
        return Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(day, 2) + "T"
            + Self.padded(seconds / 3600, 2) + ":" + Self.padded(seconds / 60 % 60, 2) + ":"
            + Self.padded(seconds % 60, 2) + "." + Self.padded(inDay % 1000, 3) + "Z"
    }

    /// Days since 1970 in the Gregorian calendar. Years are counted from March, so that the leap day is the last of its
    /// year, and months of 31, 30, 31, 30, 31 days repeat: 153 days in five months.
    private static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = Self.divided(days + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let fromMarch = (5 * dayOfYear + 2) / 153
        let month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * fromMarch + 2) / 5 + 1)
    }

    /// Rounded down, also below zero.
    private static func divided(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
