// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOHTTP1
import Testing

@testable import HTTPEmbedder

struct RateLimitTests {
    private let start = ContinuousClock.now

    @Test func `nothing is held back as long as nothing was said`() {
        var limit = RateLimit()
        for _ in 0..<100 { #expect(limit.admit(tokens: 1_000_000, at: self.start) == nil) }
    }

    @Test func `requests wait once what was left is taken, until there is more`() {
        var limit = RateLimit()
        limit.note(requests: .init(limit: nil, remaining: 2, reset: .seconds(60)), tokens: nil, at: self.start)
        #expect(limit.admit(tokens: 1, at: self.start) == nil)
        #expect(limit.admit(tokens: 1, at: self.start) == nil)
        #expect(limit.admit(tokens: 1, at: self.start) == self.start + .seconds(60))
        #expect(limit.admit(tokens: 1, at: self.start + .milliseconds(59_999)) != nil)
        #expect(limit.admit(tokens: 1, at: self.start + .seconds(60)) == nil)
    }

    @Test func `tokens are taken with each request`() {
        var limit = RateLimit()
        limit.note(requests: nil, tokens: .init(limit: nil, remaining: 100, reset: .seconds(6)), at: self.start)
        #expect(limit.admit(tokens: 60, at: self.start) == nil)
        #expect(limit.admit(tokens: 60, at: self.start) == self.start + .seconds(6))
        #expect(limit.admit(tokens: 40, at: self.start) == nil)
    }

    @Test func `where the limit is known, only the part that is missing is waited for`() {
        var limit = RateLimit()
        limit.note(
            requests: .init(limit: 3000, remaining: 0, reset: .seconds(60)), tokens: nil, at: self.start)
        // A request comes back each 20 ms.
        #expect(limit.admit(tokens: 1, at: self.start + .milliseconds(19)) != nil)
        #expect(limit.admit(tokens: 1, at: self.start + .milliseconds(21)) == nil)
        #expect(limit.admit(tokens: 1, at: self.start + .milliseconds(39)) != nil)
        #expect(limit.admit(tokens: 1, at: self.start + .milliseconds(41)) == nil)
    }

    @Test func `a pause holds for all, the longest one, and no longer than the limit`() {
        var limit = RateLimit()
        limit.pause(for: .seconds(5), at: self.start)
        limit.pause(for: .seconds(1), at: self.start)
        #expect(limit.admit(tokens: 1, at: self.start) == self.start + .seconds(5))
        #expect(limit.admit(tokens: 1, at: self.start + .seconds(5)) == nil)
        limit.pause(for: .seconds(1_000_000), at: self.start)
        #expect(limit.admit(tokens: 1, at: self.start) == self.start + Limits.maximumProviderPause)
    }

    @Test func `a retry takes from the budget what requests have earned`() {
        var budget = RetryBudget(ratio: 0.25)
        for _ in 0..<10 { #expect(budget.withdraw() == true) }
        #expect(budget.withdraw() == false)
        for _ in 0..<4 { budget.noteRequest() }
        #expect(budget.withdraw() == true)
        #expect(budget.withdraw() == false)
        var none = RetryBudget(ratio: 0)
        #expect(none.withdraw() == false)
    }

    @Test func `the backoff doubles to its limit, and all of it is by chance`() {
        let backoff = RetryBackoff(minimum: .milliseconds(100), maximum: .seconds(1))
        #expect(
            (1...6).map { backoff.delay(after: $0, jitter: 1) }
                == [100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
        #expect(backoff.delay(after: 1, jitter: 0) == .zero)
        #expect(backoff.delay(after: .max, jitter: 1) == .seconds(1))
        #expect(backoff.delay(after: 2, jitter: 0.5) == .milliseconds(100))
    }
}

struct ProviderHeadersTests {
    private let now = Timestamp(milliseconds: 784_111_777_000)

    @Test(arguments: [
        ("1s", 1000), ("6m0s", 360_000), ("120ms", 120), ("1.5s", 1500), ("1m2.5s", 62_500), ("12", 12_000),
        ("99h", 600_000), ("0s", 0), ("20ms", 20),
    ])
    func `durations are read`(_ text: String, _ milliseconds: Int) {
        #expect(ProviderHeaders.duration(text)?.wholeMilliseconds == Int64(milliseconds))
    }

    @Test(arguments: ["", "s", "1x", "-1s", "1e9s", "1s2", "nan", "1..2s", "١s", String(repeating: "9", count: 100)])
    func `what is no duration is none`(_ text: String) { #expect(ProviderHeaders.duration(text) == nil) }

    @Test(arguments: [
        (["retry-after": "3"], 3000), (["retry-after-ms": "250", "retry-after": "3"], 250),
        (["retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"], 30_000),
        (["retry-after": "Sun, 06 Nov 1994 08:49:00 GMT"], 0), (["retry-after": "99999999"], 600_000),
    ])
    func `the time to wait is read in each form`(_ headers: [String: String], _ milliseconds: Int) {
        let read = ProviderHeaders(HTTPHeaders(headers.map { ($0.key, $0.value) }), now: self.now)
        #expect(read.retryAfter?.wholeMilliseconds == Int64(milliseconds))
    }

    @Test(arguments: ["soon", "-1", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Foo 1994 08:49:37 GMT", "a b c d e GMT"])
    func `what is no time to wait is none`(_ text: String) {
        #expect(ProviderHeaders(["retry-after": text], now: self.now).retryAfter == nil)
    }

    @Test(arguments: [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
        ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600), ("Sun, 01 Mar 2026 00:00:00 GMT", 1_772_323_200),
    ])
    func `dates are read`(_ text: String, _ seconds: Int) {
        #expect(HTTPDate.timestamp(text) == Timestamp(milliseconds: Int64(seconds) * 1000))
    }

    @Test func `limits are read, and those that are used up say for how long`() {
        let read = ProviderHeaders(
            [
                "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1s", "x-ratelimit-remaining-tokens": "149",
                "x-ratelimit-reset-tokens": "6m0s",
            ], now: self.now)
        #expect(read.requests == RateLimit.Window(limit: 60, remaining: 0, reset: .seconds(1)))
        #expect(read.tokens == RateLimit.Window(limit: nil, remaining: 149, reset: .seconds(360)))
        #expect(read.exhaustedFor == .seconds(1))
        #expect(ProviderHeaders(["x-ratelimit-remaining-requests": "-5"], now: self.now).requests == nil)
    }
}
