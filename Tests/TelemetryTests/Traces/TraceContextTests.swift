// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Telemetry

@Suite struct TraceContextTests {
    private static let id = "0af7651916cd43dd8448eb211c80319c"
    private static let span = "b7ad6b7169203331"

    @Test func `a header of version 0 is read and written`() throws {
        let context = try #require(TraceContext(traceParent: "00-\(Self.id)-\(Self.span)-01"))
        #expect(context.traceID.description == Self.id)
        #expect(context.spanID == 0xb7ad_6b71_6920_3331)
        #expect(context.isSampled)
        #expect(context.traceParent == "00-\(Self.id)-\(Self.span)-01")
    }

    @Test(arguments: [("00", false), ("01", true), ("02", false), ("03", true), ("fe", false), ("ff", true)])
    func `of the flags only the one that is known is read and passed on`(flags: String, isSampled: Bool) throws {
        let context = try #require(TraceContext(traceParent: "00-\(Self.id)-\(Self.span)-\(flags)"))
        #expect(context.isSampled == isSampled)
        #expect(context.traceParent.hasSuffix(isSampled ? "-01" : "-00"))
    }

    @Test(arguments: ["01", "cc", "fe"])
    func `a later version is taken by what it begins with`(version: String) {
        #expect(TraceContext(traceParent: "\(version)-\(Self.id)-\(Self.span)-01") != nil)
        #expect(TraceContext(traceParent: "\(version)-\(Self.id)-\(Self.span)-01-what-ever") != nil)
        #expect(TraceContext(traceParent: "\(version)-\(Self.id)-\(Self.span)-01.what-ever") == nil)
    }

    @Test(arguments: [
        "", "00", "00-", String(repeating: "-", count: 55), String(repeating: "0", count: 55),
        "ff-\(id)-\(span)-01", "00-\(id)-\(span)-01-", "00-\(id)-\(span)-01-x", "00-\(id)-\(span)-011",
        "00-00000000000000000000000000000000-\(span)-01", "00-\(id)-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-\(span)-01", "00-\(id)-B7AD6B7169203331-01", "0X-\(id)-\(span)-01",
        "00-\(id)-\(span)-0", "00-\(id)-\(span)-0g", "00-\(id)-\(span)-1", " 00-\(id)-\(span)-01",
        "00-\(id)-\(span)-01 ", "00_\(id)_\(span)_01", "00-\(id)\(span)-01", "00-\(id)-\(span)01",
        "0-\(id)-\(span)-01", "000-\(id)-\(span)-01", "00-0af7651916cd43dd8448eb211c80319-\(span)-01",
        "00-\(id)-b7ad6b716920333-01", "00-\(id)-\(span)-é",
        "01-\(id)-\(span)-01-" + String(repeating: "x", count: 300),
        "+0-\(id)-\(span)-01", "00-+af7651916cd43dd8448eb211c80319c-\(span)-01",
    ])
    func `a header that the specification calls invalid is none`(text: String) {
        #expect(TraceContext(traceParent: text) == nil)
    }

    @Test func `any ids come back, and nothing but a valid header is taken after a change`() throws {
        var random = SeededGenerator(seed: 5)
        let alphabet = Array("0123456789abcdefABCDEFg-_ +\u{0}é".unicodeScalars)
        for _ in 0..<5000 {
            let id = TraceContext.TraceID(
                high: random.next() >> UInt64.random(in: 0...63, using: &random), low: random.next())
            let context = try #require(
                TraceContext(traceID: id, spanID: random.next() | 1, isSampled: Bool.random(using: &random)))
            #expect(TraceContext(traceParent: context.traceParent) == context)

            var changed = Array(context.traceParent.unicodeScalars)
            changed[Int.random(in: 0..<changed.count, using: &random)] = alphabet.randomElement(using: &random)!
            if Bool.random(using: &random) {
                changed.insert("-", at: Int.random(in: 0...changed.count, using: &random))
            }
            var text = String.UnicodeScalarView()
            text.append(contentsOf: changed)
            let pattern = /(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}/
                .matchingSemantics(.unicodeScalar)
            let isRight = try pattern.wholeMatch(in: String(text)) != nil
            let isLater =
                try pattern.prefixMatch(in: String(text)) != nil && !text.starts(with: "00".unicodeScalars)
                && text.count > 55 && Array(text)[55] == "-"
            #expect((TraceContext(traceParent: String(text)) != nil) == (isRight || isLater), "\(String(text))")
        }
    }
}

@Suite struct TraceStateTests {
    @Test(arguments: [
        ("congo=t61rcWkgMzE", "congo=t61rcWkgMzE"), ("a=1,b=2", "a=1,b=2"), (" a=1 ,\tb=2 , ,", "a=1,b=2"),
        ("fw529a3039@dt=FfvK", "fw529a3039@dt=FfvK"), ("1a@b=x", "1a@b=x"), ("a_-*/0=!~ x", "a_-*/0=!~ x"),
        ("a= 1", "a= 1"),
    ])
    func `what is right is passed on without spaces around and empty members`(header: String, text: String) {
        #expect(TraceState(header)?.text == text)
    }

    @Test(arguments: [
        "", " ", ",", ",,,", "a", "a=", "=1", "A=1", "1a=1", "a=1,a=2", "a b=1", "a=b=c", "é=1", "a=é", "a=\u{1}",
        "a@=1", "@a=1", "a@b@c=1", "a@1=1", "a@\(String(repeating: "b", count: 15))=1",
        "\(String(repeating: "a", count: 257))=1", "a=\(String(repeating: "1", count: 257))",
        (0..<33).map { "a\($0)=1" }.joined(separator: ","), String(repeating: " ", count: 5000) + "a=1",
    ])
    func `what is wrong anywhere is left out as a whole`(header: String) {
        #expect(TraceState(header) == nil)
    }

    @Test func `of what is too long the long members go first, then the last`() throws {
        let long = "long=" + String(repeating: "x", count: 200)
        let short = (0..<20).map { "k\($0)=" + String(repeating: "v", count: 20) }
        let state = try #require(TraceState(([long] + short).joined(separator: ",")))
        #expect(state.text.utf8.count <= TelemetryLimits.traceStateBytes)
        #expect(short.joined(separator: ",").hasPrefix(state.text))
        #expect(state.text.hasPrefix(short[0] + ","))
    }
}
