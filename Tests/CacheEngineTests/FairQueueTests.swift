// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

@Suite struct FairQueueTests {
    private typealias Machine = EmbeddingPoolStateMachine<String>
    private static let later = ContinuousClock.now + .seconds(60)

    private static func key(_ text: String) -> Digest {
        var fingerprint = Fingerprint(.text)
        fingerprint.append(text)
        return fingerprint.finish()
    }

    /// - Returns: Whether the text may wait.
    @discardableResult
    private static func ask(_ text: String, _ tenant: String, _ machine: inout Machine) -> Bool {
        let action = machine.embed(
            Self.key(text), text: text, tenant: TenantID(tenant), waiter: text, id: 1, deadline: Self.later)
        if case .overloaded = action { return false }
        return true
    }

    /// Answers the running batch and returns the texts of the next one.
    private static func next(after texts: [String], _ machine: inout Machine) -> [String] {
        let batch = Machine.Batch(keys: texts.map(Self.key), texts: texts, deadline: .now)
        return machine.finish(batch, .failure(EmbedderError(.failed, "")), at: .now).dispatch?.texts ?? []
    }

    @Test func `one tenant's flood makes another wait for one text of it at most`() {
        var machine = Machine(concurrency: 1, queueLimit: 100, batchLimit: 1, memoryLimit: 1)
        for number in 0..<20 { Self.ask("a\(number)", "a", &machine) }
        Self.ask("b0", "b", &machine)
        Self.ask("c0", "c", &machine)
        Self.ask("b1", "b", &machine)
        var order = ["a0"]
        for _ in 0..<6 { order += Self.next(after: [order.last!], &machine) }
        #expect(order == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"])
    }

    @Test func `a batch takes one of each tenant before a second of any`() {
        var machine = Machine(concurrency: 1, queueLimit: 100, batchLimit: 4, memoryLimit: 1)
        for number in 0..<9 { Self.ask("a\(number)", "a", &machine) }
        Self.ask("b0", "b", &machine)
        #expect(Self.next(after: ["a0"], &machine) == ["a1", "b0", "a2", "a3"])
    }

    @Test func `whoever floods the queue is refused while others are not`() {
        var machine = Machine(concurrency: 1, queueLimit: 16, batchLimit: 1, memoryLimit: 1)
        // The first is taken out at once; all but an eighth of the queue is then the first tenant's.
        let taken = (0..<40).count { Self.ask("a\($0)", "a", &machine) }
        #expect(taken == 1 + 14)
        #expect(Self.ask("b0", "b", &machine))
        #expect(!Self.ask("a99", "a", &machine))
        #expect(Self.ask("c0", "c", &machine))
        #expect(!Self.ask("d0", "d", &machine), "the queue is full")
    }

    @Test func `several that flood the queue do not lock out one that has nothing in it`() {
        var machine = Machine(concurrency: 1, queueLimit: 64, batchLimit: 1, memoryLimit: 1)
        for number in 0..<200 {
            Self.ask("a\(number)", "a", &machine)
            Self.ask("b\(number)", "b", &machine)
        }
        var running = "a0"
        for number in 200..<220 {
            running = Self.next(after: [running], &machine)[0]
            Self.ask("a\(number)", "a", &machine)
            Self.ask("b\(number)", "b", &machine)
            #expect(Self.ask("c\(number)", "c", &machine))
            // It is embedded within its turn, so its next one finds it with an empty queue again.
            while running != "c\(number)" { running = Self.next(after: [running], &machine)[0] }
        }
    }

    @Test func `a tenant that gives up loses its turn`() {
        var machine = Machine(concurrency: 1, queueLimit: 16, batchLimit: 1, memoryLimit: 1)
        Self.ask("a0", "a", &machine)
        Self.ask("b0", "b", &machine)
        Self.ask("c0", "c", &machine)
        #expect(machine.cancel(Self.key("b0"), id: 1) == "b0")
        #expect(Self.next(after: ["a0"], &machine) == ["c0"])
        #expect(Self.next(after: ["c0"], &machine) == [])
    }
}
