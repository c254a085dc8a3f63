// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOHTTP1

/// What the head of an answer says of when to come back.
struct ProviderHeaders: Equatable {
    /// `Retry-After`, in either of its forms, or its finer variant.
    let retryAfter: Duration?
    let requests: RateLimit.Window?
    let tokens: RateLimit.Window?

    static let none = Self([:], now: Timestamp(milliseconds: 0))

    /// - Parameter now: For the form that is a date.
    init(_ headers: HTTPHeaders, now: Timestamp) {
        let milliseconds = headers.first(name: "retry-after-ms").flatMap { Self.number($0) }.map { $0 / 1000 }
        if let seconds = milliseconds ?? headers.first(name: "retry-after").flatMap({ Self.number($0) }) {
            self.retryAfter = Self.bounded(seconds)
        } else {
            let date = headers.first(name: "retry-after").flatMap { HTTPDate.timestamp($0) }
            self.retryAfter = date.map { max(.zero, min($0 - now, Limits.maximumProviderPause)) }
        }
        self.requests = Self.window("requests", headers)
        self.tokens = Self.window("tokens", headers)
    }

    /// The time until those limits are lifted that are used up.
    var exhaustedFor: Duration? {
        [self.requests, self.tokens].compactMap { $0?.remaining == 0 ? $0?.reset : nil }.max()
    }

    private static func window(_ kind: String, _ headers: HTTPHeaders) -> RateLimit.Window? {
        func first(_ name: String) -> String? { headers.first(name: "x-ratelimit-\(name)-\(kind)") }
        guard let remaining = first("remaining").flatMap({ Int($0) }), remaining >= 0 else { return nil }
        return RateLimit.Window(
            limit: first("limit").flatMap { Int($0) }, remaining: remaining,
            reset: first("reset").flatMap { Self.duration($0) })
    }

    /// `1s`, `6m0s`, `120ms`, `1h2m3.5s`, or seconds without a unit.
    static func duration(_ text: String) -> Duration? {
        if let seconds = self.number(text) { return self.bounded(seconds) }
        var rest = text.utf8[...]
        var sum = 0.0
        guard !rest.isEmpty, rest.count <= 32 else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { self.isDecimal($0) }
            rest = rest.dropFirst(digits.count)
            let letters = rest.prefix { !self.isDecimal($0) }
            rest = rest.dropFirst(letters.count)
            guard let number = self.number(String(Substring(digits))) else { return nil }
            switch String(Substring(letters)) {
            case "ms": sum += number / 1000
            case "s": sum += number
            case "m": sum += number * 60
            case "h": sum += number * 3600
            case "d": sum += number * 86_400
            default: return nil
            }
        }
        return self.bounded(sum)
    }

    private static func isDecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".")
    }

    /// Digits and a point; neither a sign nor an exponent.
    private static func number(_ text: String) -> Double? {
        guard !text.isEmpty, text.utf8.count <= 20, text.utf8.allSatisfy({ self.isDecimal($0) }) else { return nil }
        return Double(text)
    }

    private static func bounded(_ seconds: Double) -> Duration {
        min(.seconds(min(seconds, 1e6)), Limits.maximumProviderPause)
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110); its two older forms are of the last century.
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    static func timestamp(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ").map(String.init)
        guard parts.count == 6, parts[5] == "GMT", let month = self.months.firstIndex(of: parts[2]),
            let day = UInt8(parts[1]), (1...31).contains(day), let year = UInt16(parts[3]),
            (1970...9999).contains(year)
        else { return nil }
        let clock = parts[4].split(separator: ":").compactMap { UInt8($0) }
        guard clock.count == 3, clock[0] < 24, clock[1] < 60, clock[2] <= 60 else { return nil }
        // Days from the civil date, with years that begin in March.
        let (y, m) = month < 2 ? (Int(year) - 1, month + 10) : (Int(year), month - 2)
        let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + Int(day) - 1 - 719_468
        let seconds = days * 86_400 + Int(clock[0]) * 3600 + Int(clock[1]) * 60 + Int(clock[2])
        return Timestamp(milliseconds: Int64(seconds) * 1000)
    }
}
