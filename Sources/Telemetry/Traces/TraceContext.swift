// SPDX-License-Identifier: Apache-2.0

package import Tracing

/// Where in which trace a call stands, as W3C's Trace Context (level 1) carries it from process to process.
package struct TraceContext: Sendable, Hashable {
    package struct TraceID: Sendable, Hashable {
        package var high: UInt64
        package var low: UInt64

        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }
    }

    /// Not zero.
    package let traceID: TraceID
    /// Not zero.
    package let spanID: UInt64
    /// Whoever calls records this trace.
    package let isSampled: Bool
    /// What tracing systems on the way want to be passed on, in the form of the `tracestate` header; checked.
    package let state: TraceState?

    package init?(traceID: TraceID, spanID: UInt64, isSampled: Bool, state: TraceState? = nil) {
        guard traceID.high | traceID.low != 0, spanID != 0 else { return nil }
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
        self.state = state
    }

    /// - Returns: `nil` for what the specification calls invalid: then a new trace begins. A version that is not known
    ///   is taken if it begins as version 0 does.
    package init?(traceParent text: String, state: TraceState? = nil) {
        let bytes = text.utf8
        guard (55...TelemetryLimits.traceParentBytes).contains(bytes.count) else { return nil }
        var rest = Array(bytes)[...]
        func number(_ digits: Int, endsWithDash: Bool) -> UInt64? {
            defer { rest = rest.dropFirst(digits) }
            guard let value = Hex.number(rest.prefix(digits)) else { return nil }
            guard endsWithDash else { return value }
            defer { rest = rest.dropFirst() }
            return rest.dropFirst(digits).first == UInt8(ascii: "-") ? value : nil
        }
        guard let version = number(2, endsWithDash: true), version != 0xFF,
            let high = number(16, endsWithDash: false), let low = number(16, endsWithDash: true),
            let span = number(16, endsWithDash: true), let flags = number(2, endsWithDash: false),
            rest.isEmpty || (version > 0 && rest.first == UInt8(ascii: "-"))
        else { return nil }
        self.init(traceID: TraceID(high: high, low: low), spanID: span, isSampled: flags & 1 != 0, state: state)
    }

    /// The `traceparent` header, of version 0.
    package var traceParent: String {
        "00-\(self.traceID)-\(Hex.text(self.spanID))-\(self.isSampled ? "01" : "00")"
    }
}

extension TraceContext.TraceID: CustomStringConvertible {
    /// 32 digits.
    package var description: String { Hex.text(self.high) + Hex.text(self.low) }
}

/// Numbers as traces have them: all digits, lower case.
enum Hex {
    static func text(_ value: UInt64) -> String {
        String(unsafeUninitializedCapacity: 16) { digits in
            for place in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * place) & 0xF)
                digits[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 16
        }
    }

    /// - Parameter digits: 1 to 16.
    static func number(_ digits: some Sequence<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }
}

extension InstrumentationContext {
    private enum TraceContextKey: InstrumentationContextKey {
        typealias Value = TraceContext
    }

    /// The span that the current call is in, here or at the caller's.
    package var traceContext: TraceContext? {
        get { self[TraceContextKey.self] }
        set { self[TraceContextKey.self] = newValue }
    }
}
