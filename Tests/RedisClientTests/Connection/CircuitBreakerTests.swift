// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import RedisClient

private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
private let refused = RedisError(.unreachable, "refused")

/// A reference to one, for the macros of tests.
private final class Breaker {
    private var breaker = CircuitBreaker()

    var isOpen: Bool { self.breaker.isOpen }
    var error: RedisError? { self.breaker.error }
    var nextProbe: NIODeadline? { self.breaker.nextProbe }

    func failed(at now: NIODeadline, jitter: Double) -> Bool { self.breaker.failed(refused, at: now, jitter: jitter) }
    func succeeded() -> Bool { self.breaker.succeeded() }
    func takeProbe(at now: NIODeadline) -> Bool { self.breaker.takeProbe(at: now) }
}

@Suite struct CircuitBreakerTests {
    @Test func `it opens with the first failure and closes with the first success, and says so once`() {
        let breaker = Breaker()
        #expect(!breaker.isOpen && breaker.error == nil && breaker.nextProbe == nil)
        #expect(!breaker.succeeded())
        #expect(breaker.failed(at: start, jitter: 0))
        #expect(breaker.isOpen && breaker.error == refused)
        #expect(!breaker.failed(at: start, jitter: 0))
        #expect(breaker.succeeded())
        #expect(!breaker.succeeded())
        #expect(!breaker.isOpen && breaker.error == nil && breaker.nextProbe == nil)
    }

    @Test func `a probe is due once, when its time has come`() throws {
        let breaker = Breaker()
        #expect(!breaker.takeProbe(at: .distantFuture))
        _ = breaker.failed(at: start, jitter: 0.5)
        let due = try #require(breaker.nextProbe)
        #expect(!breaker.takeProbe(at: due - .nanoseconds(1)))
        #expect(breaker.takeProbe(at: due))
        #expect(!breaker.takeProbe(at: due + .hours(1)) && breaker.isOpen)
        _ = breaker.failed(at: due, jitter: 0.5)
        #expect(breaker.nextProbe != nil)
    }

    @Test func `the wait doubles with each failure, by chance, up to a bound`() throws {
        for (jitter, expected) in [
            (0.0, [50, 50, 50, 50, 50, 50, 50]), (1.0, [100, 200, 400, 800, 1000, 1000, 1000]),
        ] {
            let breaker = Breaker()
            let waits = try (0..<7).map { _ in
                _ = breaker.failed(at: start, jitter: jitter)
                return Int((try #require(breaker.nextProbe) - start).nanoseconds / 1_000_000)
            }
            #expect(waits == expected)
        }
        let breaker = Breaker()
        for _ in 0..<100 { _ = breaker.failed(at: start, jitter: 7) }
        #expect(breaker.nextProbe == start + .seconds(1))
    }
}
