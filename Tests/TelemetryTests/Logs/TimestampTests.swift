// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Telemetry

@Suite struct TimestampTests {
    @Test func `times are what Foundation makes of them`() {
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime]
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        var random = SeededGenerator(seed: 4)
        for _ in 0..<3000 {
            // From 1600, the calendar's first whole century in use everywhere, to 9999.
            let seconds = Int64.random(in: -11_676_096_000...253_402_300_799, using: &random)
            let milliseconds = Int64.random(in: 0...999, using: &random)
            let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
            let padded = String(String(1000 + milliseconds).dropFirst())
            #expect(
                Timestamp.text(milliseconds: seconds * 1000 + milliseconds) == expected.dropLast() + "." + padded + "Z")
        }
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] as [(Int64, String)])
    func `leap days and times before 1970 are right`(milliseconds: Int64, text: String) {
        #expect(Timestamp.text(milliseconds: milliseconds) == text)
    }
}
