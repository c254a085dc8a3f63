// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CacheClient
@testable import semcache

struct TextTableTests {
    @Test func `columns are as wide as their widest cell`() {
        var table = TextTable(["NAME", "N"])
        table.append(["a", "1"])
        table.append(["longer name", "1,000"])
        #expect(table.lines == ["NAME             N", "a                1", "longer name  1,000"])
    }

    @Test func `a name cannot break the table or the terminal`() {
        var table = TextTable(["NAME", "N"])
        table.append(["a\n\u{1b}[2J", "1"])
        #expect(table.lines == ["NAME    N", "a\u{fffd}\u{fffd}[2J  1"])
    }
}

struct NumberTextTests {
    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000")])
    func `thousands are grouped`(number: Int, text: String) {
        #expect(NumberText.grouped(number) == text)
    }

    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"),
            (.max, "16.0 EiB"),
        ] as [(UInt64, String)])
    func `bytes have a unit`(count: UInt64, text: String) {
        #expect(NumberText.bytes(count) == text)
    }

    @Test(arguments: [
        (0.91234, 4, "0.9123"), (0.99996, 4, "1.0000"), (-0.5, 2, "-0.50"), (-0.001, 2, "0.00"), (12.05, 1, "12.1"),
        (3.0, 0, "3"), (1.0 / 0, 2, "inf"),
    ])
    func `numbers are rounded to a fixed number of digits`(number: Double, digits: Int, text: String) {
        #expect(NumberText.fixed(number, digits: digits) == text)
    }
}

struct JSONTextTests {
    @Test func `an instant is written in UTC`() {
        #expect(CacheInstant(milliseconds: 1_763_711_100_123).text == "2025-11-21T07:45:00.123Z")
        #expect(CacheInstant(milliseconds: .max).text == "\(Int64.max)")
        #expect(CacheInstant(milliseconds: .min).text == "\(Int64.min)")
    }

    @Test func `every type of attribute comes back from its JSON`() throws {
        let values: [CacheAttribute] = ["a \"b\"", 1.5, 3, true, ["x", "y"], .strings([])]
        for value in values { #expect(JSONText.attribute(JSONText.line(JSONAttribute(value))) == value) }
    }
}

struct AnswerOutputTests {
    @Test func `a bypass says how long the chat is and how long it may be`() {
        let bypass = CacheBypass(messages: 1, maximumMessages: 0)
        #expect(
            Explanation.line(bypass)
                == "bypass: the chat has 1 message that counts, the cache keeps chats of at most 0")
        let object = JSONText.line(AnswerObject(.bypass(bypass), elapsed: .milliseconds(2)))
        #expect(
            object == #"{"bypass":{"maximum_messages":0,"messages":1},"elapsed_ms":2,"matches":[],"outcome":"bypass"}"#)
    }

    @Test func `a miss because of the filter says so`() {
        let miss = CacheMiss(
            reason: .filtered, nearest: nil, similarityThreshold: 0.85, lease: nil, fillUnderWay: nil,
            decision: nil)
        #expect(
            Explanation.line(miss)
                == "miss: what is stored is similar enough, but --filter does not take it; threshold 0.8500")
        let object = JSONText.line(AnswerObject(.miss(miss), elapsed: .milliseconds(2)))
        #expect(object.contains(#""reason":"filtered""#) && !object.contains("bypass"))
    }

    @Test func `an error's object says when to try again`() {
        let fault = CommandFault("full", code: "resource_exhausted", retryAfter: .milliseconds(250))
        let expected = #"{"error":{"code":"resource_exhausted","message":"full","retry_after_ms":250}}"#
        #expect(JSONText.line(ErrorObject(fault)) == expected)
    }
}
