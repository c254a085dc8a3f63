// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

@Suite struct FillTableTests {
    private let cache = CacheScope("c", of: TenantScope(authenticated: TenantID("acme")))
    private let id = EntryID(high: 1, low: 2)
    private let start = ContinuousClock.now

    private func time(_ milliseconds: Int) -> ContinuousClock.Instant { self.start + .milliseconds(milliseconds) }

    @Test func `one caller asks, the others join, and are told who has it`() {
        var table = FillTable<String>()
        let step = table.begin(self.id, of: self.cache, poll: nil, at: self.time(0))
        #expect(step == .ask(number: 1))
        #expect(table.begin(self.id, of: self.cache, poll: nil, at: self.time(0)) == .join(number: 1))
        #expect(table.wait(self.id, number: 1, key: 7, of: self.cache, "waiter") == .waits)
        let told = table.asked(
            self.id, number: 1, .held(until: self.time(100), at: self.time(1)), of: self.cache)
        #expect(told?.waiters == ["waiter"] && told?.wake == .settled && table.waiterCount == 0)
        #expect(
            table.begin(self.id, of: self.cache, poll: nil, at: self.time(2))
                == .held(number: 1, until: self.time(100), next: self.time(100)))
        // At its end one asks again.
        #expect(table.begin(self.id, of: self.cache, poll: nil, at: self.time(100)) == .ask(number: 1))
        #expect(table.begin(self.id, of: self.cache, poll: nil, at: self.time(100)) == .join(number: 1))
    }

    @Test func `where nobody tells, one caller asks at each interval while the others wait on`() {
        var table = FillTable<String>()
        let poll = Duration.milliseconds(10)
        _ = table.begin(self.id, of: self.cache, poll: poll, at: self.time(0))
        _ = table.asked(self.id, number: 1, .held(until: self.time(100), at: self.time(0)), of: self.cache)
        #expect(table.wait(self.id, number: 1, key: 1, of: self.cache, "a") == .waits)
        #expect(
            table.begin(self.id, of: self.cache, poll: poll, at: self.time(5))
                == .held(number: 1, until: self.time(100), next: self.time(10)))
        #expect(table.begin(self.id, of: self.cache, poll: poll, at: self.time(10)) == .ask(number: 1))
        #expect(
            table.begin(self.id, of: self.cache, poll: poll, at: self.time(10))
                == .held(number: 1, until: self.time(100), next: self.time(20)))
        let still = table.asked(
            self.id, number: 1, .held(until: self.time(90), at: self.time(11)), of: self.cache)
        #expect(still?.waiters == [] && table.waiterCount == 1)
        _ = table.begin(self.id, of: self.cache, poll: poll, at: self.time(30))
        let changed = table.asked(self.id, number: 1, .changed, of: self.cache)
        #expect(changed?.waiters == ["a"] && changed?.wake == .look && table.fillCount == 0)
    }

    @Test func `news wake those they are of, and what was asked before them is not believed`() {
        let other = CacheScope("other", of: self.cache.tenant)
        let rival = CacheScope("c", of: TenantScope(authenticated: TenantID("rival")))
        let news: [(StoreNews, [String])] = [
            (.stored(self.id, partition: self.id, cache: self.cache.key), ["own"]), (.released(self.id), ["own"]),
            (.removed([EntryID(high: 9, low: 9), self.id], cache: self.cache.key), ["own"]),
            (.emptied(cache: self.cache.key), ["own", "sibling"]),
            (.emptiedTenant, ["own", "sibling", "cousin"]), (.missed, ["own", "sibling", "cousin"]),
        ]
        for (news, woken) in news {
            var table = FillTable<String>()
            let places = [
                (self.id, self.cache, "own"), (EntryID(high: 0, low: 1), self.cache, "sibling"),
                (EntryID(high: 0, low: 2), other, "cousin"), (self.id, rival, "rival"),
            ]
            for (position, (id, cache, name)) in places.enumerated() {
                #expect(
                    table.begin(id, of: cache, poll: nil, at: self.time(0)) == .ask(number: UInt64(position + 1)))
                #expect(
                    table.wait(id, number: UInt64(position + 1), key: UInt64(position), of: cache, name) == .waits)
            }
            #expect(Set(table.heard(news, of: self.cache.tenant)) == Set(woken))
            #expect(table.waiterCount == 4 - woken.count && table.fillCount == 4 - woken.count)
            // The answer to what was asked before.
            #expect(
                table.asked(self.id, number: 1, .held(until: self.time(9), at: self.time(0)), of: self.cache) == nil)
            #expect(table.wait(self.id, number: 1, key: 9, of: self.cache, "late") == .over)
            #expect(table.begin(self.id, of: self.cache, poll: nil, at: self.time(0)) == .ask(number: 5))
        }
    }

    @Test func `a failure is told to those who joined, and one who leaves is not told`() {
        var table = FillTable<String>()
        _ = table.begin(self.id, of: self.cache, poll: nil, at: self.time(0))
        _ = table.wait(self.id, number: 1, key: 1, of: self.cache, "a")
        _ = table.wait(self.id, number: 1, key: 2, of: self.cache, "b")
        #expect(table.leave(self.id, key: 2, of: self.cache) == "b")
        #expect(table.leave(self.id, key: 2, of: self.cache) == nil)
        let told = table.asked(self.id, number: 1, .failed, of: self.cache)
        #expect(told?.waiters == ["a"] && told?.wake == .failed && table.waiterCount == 0 && table.fillCount == 0)
    }

    @Test func `a lease that is prolonged is waited for longer`() {
        var table = FillTable<String>()
        _ = table.begin(self.id, of: self.cache, poll: nil, at: self.time(0))
        _ = table.asked(self.id, number: 1, .held(until: self.time(10), at: self.time(0)), of: self.cache)
        table.extended(self.id, of: self.cache, until: self.time(50), at: self.time(5))
        #expect(
            table.begin(self.id, of: self.cache, poll: nil, at: self.time(20))
                == .held(number: 1, until: self.time(50), next: self.time(50)))
    }

    @Test func `who is to wait for what another asks, and comes when that is known, does not wait`() {
        var table = FillTable<String>()
        guard case .ask(let number) = table.begin(self.id, of: self.cache, poll: nil, at: self.time(0)) else {
            Issue.record("a new fill is known")
            return
        }
        #expect(table.begin(self.id, of: self.cache, poll: nil, at: self.time(0)) == .join(number: number))
        _ = table.asked(self.id, number: number, .held(until: self.time(10), at: self.time(0)), of: self.cache)
        #expect(table.wait(self.id, number: number, isJoining: true, key: 1, of: self.cache, "late") == .settled)
        #expect(table.wait(self.id, number: number, key: 1, of: self.cache, "for the answer") == .waits)
        #expect(table.waiterCount == 1)
    }

    @Test func `it is bounded: what has run out is forgotten, and what is above the limit is not kept`() {
        var table = FillTable<String>(limit: 2000, waiterLimit: 3)
        for position in 0..<3000 {
            let id = EntryID(high: 0, low: UInt64(position))
            guard case .ask(let number) = table.begin(id, of: self.cache, poll: nil, at: self.time(0)) else {
                Issue.record("a new fill is known")
                return
            }
            #expect((number == 0) == (position >= 2000))
            _ = table.asked(id, number: number, .held(until: self.time(10), at: self.time(0)), of: self.cache)
        }
        #expect(table.fillCount == 2000)
        for key in 0..<4 {
            #expect(
                table.wait(EntryID(high: 0, low: 1), number: 2, key: UInt64(key), of: self.cache, "\(key)")
                    == (key < 3 ? .waits : .full))
        }
        let next = table.begin(EntryID(high: 0, low: 9999), of: self.cache, poll: nil, at: self.time(1010))
        #expect(next != .ask(number: 0) && table.fillCount == 2)
    }
}
