// SPDX-License-Identifier: Apache-2.0

/// W3C's `tracestate`: what tracing systems have passed on with a call. It is checked, shortened if need be, and passed
/// on; this service adds nothing of its own.
package struct TraceState: Sendable, Hashable {
    /// As a header, without spaces and empty members.
    package let text: String

    /// - Returns: `nil` if there is nothing in it or anything in it is wrong: all of it is left out then, never a part.
    package init?(_ header: String) {
        guard header.utf8.count <= TelemetryLimits.incomingTraceStateBytes else { return nil }
        var members: [[UInt8]] = []
        var keys: Set<[UInt8]> = []
        for part in Array(header.utf8).split(separator: UInt8(ascii: ",")) {
            let member = Self.trimmed(part)
            if member.isEmpty { continue }
            guard let equals = member.firstIndex(of: UInt8(ascii: "=")), Self.isKey(member[..<equals]),
                Self.isValue(member[(equals + 1)...]), keys.insert(Array(member[..<equals])).inserted
            else { return nil }
            members.append(Array(member))
        }
        guard !members.isEmpty, members.count <= TelemetryLimits.traceStateMembers else { return nil }
        Self.shorten(&members)
        guard !members.isEmpty else { return nil }
        self.text = String(decoding: Array(members.joined(separator: [UInt8(ascii: ",")])), as: UTF8.self)
    }

    /// Long members go first, then those at the end: the oldest.
    private static func shorten(_ members: inout [[UInt8]]) {
        func isTooLong() -> Bool { members.reduce(-1) { $0 + $1.count + 1 } > TelemetryLimits.traceStateBytes }
        while isTooLong(), let long = members.lastIndex(where: { $0.count > TelemetryLimits.traceStateLongMemberBytes })
        {
            members.remove(at: long)
        }
        while isTooLong() { members.removeLast() }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return [] }
        return bytes[first...last]
    }

    /// `lcalpha 0*255(…)`, or a tenant of up to 241, `@`, and a system of up to 14 characters.
    private static func isKey(_ key: ArraySlice<UInt8>) -> Bool {
        let parts = key.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        func isName(_ name: ArraySlice<UInt8>, _ lengths: ClosedRange<Int>, beginsWithDigit: Bool) -> Bool {
            guard lengths.contains(name.count), let first = name.first else { return false }
            return (Self.isLower(first) || (beginsWithDigit && Self.isDigit(first)))
                && name.allSatisfy { Self.isLower($0) || Self.isDigit($0) || "_-*/".utf8.contains($0) }
        }
        switch parts.count {
        case 1: return isName(parts[0], 1...256, beginsWithDigit: false)
        case 2:
            return isName(parts[0], 1...241, beginsWithDigit: true) && isName(parts[1], 1...14, beginsWithDigit: false)
        default: return false
        }
    }

    /// Up to 256 printable characters without `,` and `=`, the last one no space.
    private static func isValue(_ value: ArraySlice<UInt8>) -> Bool {
        (1...256).contains(value.count) && value.last != UInt8(ascii: " ")
            && value.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "=") }
    }

    private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
