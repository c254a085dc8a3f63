// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

/// Any sequence of events leaves the machine where the oracle is.
@Suite struct PoolPropertyTests {
    private struct Running {
        let batch: PoolMachine.Batch
        /// Who is to be told, by text.
        var waiters: [String: [String]]
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `order, turns, priorities and limits are as the oracle's`(seed: UInt64) throws {
        var random = SeededGenerator(seed)
        let (workers, batchLimit, queueLimit) = (random.int(1...3), random.int(1...4), random.pick([8, 40, 1000]))
        var machine = PoolMachine(
            concurrency: workers, queueLimit: queueLimit, queueBytes: queueLimit * 3, batchLimit: batchLimit)
        var oracle = PoolOracle()
        var running: [Running] = []
        var open: [(waiter: String, text: String, tenant: String)] = []
        var now = PoolTime.start
        for step in 0..<1500 {
            now += .milliseconds(random.int(0...3))
            let (tenant, text) = (random.pick(["a", "b", "c", "d"]), "t\(random.int(0...30))")
            switch random.int(0...9) {
            case 0...5:
                let (priority, waiter) = (random.pick(EmbeddingPriority.allCases), "w\(step)")
                let patience = Duration.milliseconds(random.pick([2, 30, 3000]))
                let action = machine.ask(text, tenant, priority, waiter: waiter, at: now, within: patience)
                let key = "\(tenant) \(text)"
                if let batch = action.batch {
                    #expect(running.count < workers && oracle.waiting.isEmpty && batch.texts == [text])
                    running.append(Running(batch: batch, waiters: [key: [waiter]]))
                } else if let position = running.firstIndex(where: { $0.waiters[key] != nil }) {
                    #expect(action.waits)
                    running[position].waiters[key]!.append(waiter)
                } else if oracle.join(text, tenant, priority, waiter: waiter, now + patience) {
                    #expect(action.waits)
                } else if action.waits {
                    #expect(running.count == workers, "a worker was free")
                    oracle.add(text, tenant, priority, waiters: [waiter: now + patience])
                } else {
                    #expect(action.refusal == .overloaded)
                    // Somebody's part of the queue is full: of the smallest there is, an eighth is one place.
                    #expect(oracle.waiting.count >= queueLimit / 8)
                    continue
                }
                open.append((waiter, text, tenant))
            case 6...7:
                guard let position = open.indices.randomElement(using: &random) else { continue }
                let (waiter, text, tenant) = open.remove(at: position)
                #expect(machine.giveUp(text, tenant, waiter: waiter) == waiter)
                oracle.cancel(text, tenant, waiter: waiter)
                for batch in running.indices { running[batch].waiters["\(tenant) \(text)"]?.removeAll { $0 == waiter } }
            default:
                guard let position = running.indices.randomElement(using: &random) else { continue }
                let done = running.remove(at: position)
                let action = machine.succeed(done.batch, at: now)
                let (expected, late) = oracle.nextBatch(limit: batchLimit, at: now)
                #expect(Set(action.resumed.map(\.0)) == late.union(done.waiters.values.joined()))
                #expect(action.resumed.count == Set(action.resumed.map(\.0)).count, "someone was told twice")
                let told = Set(action.resumed.map(\.0))
                open.removeAll { told.contains($0.waiter) }
                #expect((action.dispatch?.texts ?? []) == expected.map(\.text))
                guard let batch = action.dispatch else { continue }
                #expect(batch.requests.map(\.tenant) == expected.map { TenantID($0.tenant) })
                #expect(batch.deadline == expected.flatMap(\.waiters.values).max())
                let waiters = expected.map { ("\($0.tenant) \($0.text)", Array($0.waiters.keys)) }
                running.append(Running(batch: batch, waiters: Dictionary(uniqueKeysWithValues: waiters)))
            }
            #expect(machine.queued == oracle.waiting.count && machine.queued <= queueLimit)
            #expect(machine.queuedBytes == oracle.waiting.reduce(0) { $0 + $1.text.utf8.count })
            #expect(machine.queuedBytes <= queueLimit * 3)
        }
        #expect(
            open.count == running.flatMap { $0.waiters.values.joined() }.count
                + oracle.waiting.reduce(0) { $0 + $1.waiters.count })
    }
}
