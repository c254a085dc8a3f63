// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import CacheEngine

@Suite struct FairQueueTests {
    /// Answers the running batch and returns the next one.
    private static func next(after batch: inout PoolMachine.Batch?, _ machine: inout PoolMachine) -> [String] {
        batch = machine.succeed(batch!).dispatch
        return batch?.texts ?? []
    }

    @Test func `one tenant's flood makes another wait for one text of it at most`() {
        var machine = PoolMachine()
        var running = machine.ask("a0", "a").batch
        for number in 1..<20 { _ = machine.ask("a\(number)", "a") }
        _ = machine.ask("b0", "b")
        _ = machine.ask("c0", "c")
        _ = machine.ask("b1", "b")
        let order = (0..<6).flatMap { _ in Self.next(after: &running, &machine) }
        #expect(order == ["a1", "b0", "c0", "a2", "b1", "a3"])
    }

    @Test func `a batch takes one of each tenant before a second of any`() {
        var machine = PoolMachine(batchLimit: 4)
        var running = machine.ask("a0", "a").batch
        for number in 1..<9 { _ = machine.ask("a\(number)", "a") }
        _ = machine.ask("b0", "b")
        #expect(Self.next(after: &running, &machine) == ["a1", "b0", "a2", "a3"])
    }

    @Test func `whoever floods the queue is refused while others are not`() {
        var machine = PoolMachine(queueLimit: 16)
        // The first is taken out at once; all but an eighth of the queue is then the first tenant's.
        let taken = (0..<40).count { machine.ask("a\($0)", "a").refusal == nil }
        #expect(taken == 1 + 14)
        #expect(machine.ask("b0", "b").waits)
        #expect(machine.ask("a99", "a").refusal == .overloaded)
        #expect(machine.ask("c0", "c").waits)
        #expect(machine.ask("d0", "d").refusal == .overloaded, "the queue is full")
    }

    @Test func `bytes are shared as places are`() {
        var machine = PoolMachine(queueBytes: 1600)
        _ = machine.ask("-", "a")
        func text(_ number: Int) -> String { String(repeating: "x", count: 98) + "\(10 + number)" }
        #expect((0..<40).count { machine.ask(text($0), "a").waits } == 14)
        #expect(machine.queuedBytes == 1400)
        #expect(machine.ask(text(50), "b").waits)
        #expect(machine.ask(text(51), "b").refusal == .overloaded)
        #expect(machine.ask(text(52), "c").waits)
        #expect(machine.queuedBytes == 1600)
        #expect(machine.ask("x", "d").refusal == .overloaded, "not a byte is left")
        #expect(machine.giveUp(text(0), "a") != nil && machine.queuedBytes == 1500)
        #expect(machine.ask("x", "d").waits)
    }

    @Test func `several that flood the queue do not lock out one that has nothing in it`() {
        var machine = PoolMachine(queueLimit: 64)
        var running = machine.ask("a", "a").batch
        for number in 0..<200 {
            _ = machine.ask("a\(number)", "a")
            _ = machine.ask("b\(number)", "b")
        }
        for number in 200..<220 {
            _ = Self.next(after: &running, &machine)
            _ = machine.ask("a\(number)", "a")
            _ = machine.ask("b\(number)", "b")
            #expect(machine.ask("c\(number)", "c").waits)
            // It is embedded within its turn, so its next one finds it with an empty queue again.
            var turns = 0
            while running?.texts != ["c\(number)"] {
                turns += 1
                _ = Self.next(after: &running, &machine)
            }
            #expect(turns <= 3)
        }
    }

    @Test func `a tenant that gives up loses its turn`() {
        var machine = PoolMachine(queueLimit: 16)
        var running = machine.ask("a0", "a").batch
        _ = machine.ask("b0", "b")
        _ = machine.ask("c0", "c")
        #expect(machine.giveUp("b0", "b") == "b0")
        #expect(Self.next(after: &running, &machine) == ["c0"])
        #expect(Self.next(after: &running, &machine) == [])
    }

    @Test func `what comes before one more text is what the turns say`() {
        var queue = FairQueue()
        for (tenant, count) in [("a", 50), ("b", 2), ("c", 1)] {
            for number in 0..<count { queue.append(PoolKey.of("\(number)", tenant), bytes: 1, of: TenantID(tenant)) }
        }
        // One of each; two of a, two of b, one of c; those before it, and three of a.
        #expect(queue.ahead(of: TenantID("d"), upTo: 1000) == 3)
        #expect(queue.ahead(of: TenantID("c"), upTo: 1000) == 5)
        #expect(queue.ahead(of: TenantID("b"), upTo: 1000) == 6)
        #expect(queue.ahead(of: TenantID("a"), upTo: 1000) == 53)
        #expect(queue.ahead(of: TenantID("a"), upTo: 20) == 20)
    }
}
