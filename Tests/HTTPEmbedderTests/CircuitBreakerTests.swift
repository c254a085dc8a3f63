// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Testing

@testable import HTTPEmbedder

struct CircuitBreakerTests {
    private let start = ContinuousClock.now

    private func breaker(failures: Int = 3) -> CircuitBreaker {
        CircuitBreaker(failures: failures, openDuration: .seconds(5), timeout: .seconds(10))
    }

    private func pass(_ breaker: inout CircuitBreaker, at now: ContinuousClock.Instant) throws -> CircuitBreaker.Pass {
        guard case .pass(let pass) = breaker.admit(at: now) else { throw EmbedderError(.failed, "not let through") }
        return pass
    }

    /// Opened at the start.
    private func opened() throws -> CircuitBreaker {
        var breaker = self.breaker(failures: 1)
        #expect(breaker.fail(try self.pass(&breaker, at: self.start), at: self.start) == .opened)
        return breaker
    }

    @Test func `failures in a row open it, and an answer between them does not count them away from zero`() throws {
        var breaker = self.breaker()
        for _ in 0..<2 { #expect(breaker.fail(try self.pass(&breaker, at: self.start), at: self.start) == nil) }
        #expect(breaker.succeed(try self.pass(&breaker, at: self.start)) == nil)
        for _ in 0..<2 { #expect(breaker.fail(try self.pass(&breaker, at: self.start), at: self.start) == nil) }
        #expect(breaker.phase == .closed)
        #expect(breaker.fail(try self.pass(&breaker, at: self.start), at: self.start) == .opened)
        #expect(breaker.admit(at: self.start + .milliseconds(4999)) == .refused(.unavailable))
    }

    @Test func `half of many answers being failures opens it too`() throws {
        var breaker = self.breaker()
        var changes: [CircuitBreaker.Change] = []
        for number in 0..<Limits.breakerWindow {
            let pass = try self.pass(&breaker, at: self.start)
            let change = number.isMultiple(of: 2) ? breaker.succeed(pass) : breaker.fail(pass, at: self.start)
            if let change { changes.append(change) }
            #expect(breaker.phase == (number == Limits.breakerWindow - 1 ? .open : .closed))
        }
        #expect(changes == [.opened])
    }

    @Test func `after a while exactly one is let through`() throws {
        var breaker = try self.opened()
        let later = self.start + .seconds(5)
        #expect(breaker.refusal(at: later) == nil)
        let probe = try self.pass(&breaker, at: later)
        #expect(probe.isProbe)
        #expect(breaker.phase == .halfOpen)
        for _ in 0..<3 { #expect(breaker.admit(at: later + .seconds(3600)) == .refused(.unavailable)) }
        #expect(breaker.succeed(probe) == .closed)
        #expect(try self.pass(&breaker, at: later).isProbe == false)
    }

    @Test func `each probe that fails doubles the wait, up to a limit, and an answer resets it`() throws {
        var breaker = try self.opened()
        var now = self.start
        for seconds in [5, 10, 20, 40, 60, 60] {
            #expect(breaker.refusal(at: now + .milliseconds(seconds * 1000 - 1)) == .unavailable)
            now += .seconds(seconds)
            let probe = try self.pass(&breaker, at: now)
            #expect(breaker.fail(probe, at: now) == nil)
        }
        now += .seconds(60)
        #expect(breaker.succeed(try self.pass(&breaker, at: now)) == .closed)
        #expect(breaker.fail(try self.pass(&breaker, at: now), at: now) == .opened)
        #expect(breaker.refusal(at: now + .seconds(5)) == nil)
    }

    @Test func `a refused credential opens it at once, and says so`() throws {
        var breaker = self.breaker(failures: 1000)
        #expect(breaker.refuse(try self.pass(&breaker, at: self.start), at: self.start) == .opened)
        #expect(breaker.admit(at: self.start) == .refused(.refused))
    }

    @Test func `what was sent before it opened says nothing afterwards`() throws {
        var breaker = self.breaker(failures: 1)
        let old = try self.pass(&breaker, at: self.start)
        _ = breaker.fail(try self.pass(&breaker, at: self.start), at: self.start)
        #expect(breaker.succeed(old) == nil)
        #expect(breaker.phase == .open)
        let probe = try self.pass(&breaker, at: self.start + .seconds(5))
        #expect(breaker.fail(old, at: self.start) == nil)
        #expect(breaker.phase == .halfOpen)
        #expect(breaker.succeed(probe) == .closed)
    }

    @Test func `callers in a hurry count only for as long as they have waited`() throws {
        var breaker = self.breaker(failures: 2)
        // Ten seconds are one failure: so twenty open it, and no more than 99 callers of 200 ms do not.
        for number in 1...100 {
            let change = breaker.abandon(
                try self.pass(&breaker, at: self.start), after: .milliseconds(200), at: self.start)
            #expect(change == (number == 100 ? .opened : nil))
        }
    }

    @Test func `an answer forgets what was waited in vain`() throws {
        var breaker = self.breaker(failures: 1)
        for _ in 0..<10 {
            let change = breaker.abandon(try self.pass(&breaker, at: self.start), after: .seconds(9), at: self.start)
            #expect(change == nil)
            #expect(breaker.succeed(try self.pass(&breaker, at: self.start)) == nil)
        }
    }

    @Test func `a probe that was never sent leaves its place to the next, and one that waited does not`() throws {
        var breaker = try self.opened()
        let later = self.start + .seconds(5)
        _ = breaker.abandon(try self.pass(&breaker, at: later), after: .zero, at: later)
        let next = try self.pass(&breaker, at: later)
        #expect(next.isProbe)
        _ = breaker.abandon(next, after: .milliseconds(100), at: later)
        #expect(breaker.admit(at: later + .milliseconds(4999)) == .refused(.unavailable))
        #expect(try self.pass(&breaker, at: later + .seconds(5)).isProbe)
    }
}
