// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport
import Testing

@testable import CacheEngine

@Suite struct ExpectedWaitTests {
    private let start = PoolTime.start

    /// A machine that knows how long a text takes, with its only worker busy.
    private func machine(taking times: [Duration], queueLimit: Int = 1000) throws -> PoolMachine {
        var machine = PoolMachine(queueLimit: queueLimit)
        for (number, time) in times.enumerated() {
            _ = machine.succeed(try #require(machine.ask("learn \(number)").batch), after: time)
        }
        _ = machine.ask("busy")
        return machine
    }

    @Test func `what would come too late is refused at once, and what comes in time is not`() throws {
        var machine = try self.machine(taking: Array(repeating: .milliseconds(10), count: 8))
        for number in 0..<20 { #expect(machine.ask("t\(number)").waits) }
        // Twenty before it take 200 ms, it takes 10 itself, and the worker may have 10 ms to go.
        #expect(machine.ask("late", within: .milliseconds(205)).refusal == .overloaded)
        #expect(machine.ask("in time", within: .milliseconds(221)).waits)
        #expect(machine.queued == 21)
        // Another tenant waits for one of them only.
        #expect(machine.ask("quick", "b", within: .milliseconds(35)).waits)
        // Nobody knows what is tried with nothing before it.
        #expect(machine.ask("hopeless", "b", .store, within: .milliseconds(1)).waits)
    }

    @Test func `while nothing is known everything is taken`() throws {
        for known in 0..<Limits.embeddingTimesNeeded {
            var machine = try self.machine(taking: Array(repeating: .seconds(10), count: known))
            for number in 0..<50 { #expect(machine.ask("t\(number)", within: .milliseconds(1)).waits) }
        }
    }

    @Test func `one slow batch refuses nobody, and many are soon forgotten`() throws {
        let quick = Array(repeating: Duration.milliseconds(1), count: 10)
        var machine = try self.machine(taking: quick + [.seconds(60)] + quick.prefix(3))
        for number in 0..<50 { #expect(machine.ask("t\(number)", within: .milliseconds(100)).waits) }
        machine = try self.machine(taking: Array(repeating: .seconds(60), count: 16))
        #expect(machine.ask("first", within: .milliseconds(100)).waits, "nothing is before it")
        #expect(machine.ask("second", within: .milliseconds(100)).refusal == .overloaded)
        machine = try self.machine(
            taking: Array(repeating: .seconds(60), count: 16)
                + Array(repeating: .milliseconds(1), count: Limits.embeddingTimes - 1))
        for number in 0..<50 { #expect(machine.ask("t\(number)", within: .milliseconds(100)).waits) }
    }

    @Test func `a Store reckons with the Lookups that go before it`() throws {
        var machine = try self.machine(taking: Array(repeating: .milliseconds(10), count: 8))
        for number in 0..<100 { _ = machine.ask("l\(number)") }
        _ = machine.ask("s0", "a", .store)
        // One before it, and seven Lookups before that.
        #expect(machine.ask("s1", "a", .store, within: .milliseconds(80)).refusal == .overloaded)
        #expect(machine.ask("s1", "a", .store, within: .milliseconds(105)).waits)
    }

    @Test func `times are of texts, by batches, without the slowest`() {
        var times = ServiceTime()
        #expect(times.texts(within: .seconds(1), workers: 1, batch: 1) == nil)
        for _ in 0..<4 { times.note(texts: 4, took: .milliseconds(40)) }
        times.note(texts: 1, took: .seconds(9))
        #expect(abs(times.secondsPerText! - 0.01) < 1e-12)
        #expect(times.texts(within: .milliseconds(101), workers: 2, batch: 1) == 16)
        #expect(times.texts(within: .milliseconds(-5), workers: 2, batch: 1) == 0)
        #expect(times.texts(within: .seconds(Int64.max / 2), workers: 2, batch: 4) == Int(Int32.max))
        var none = ServiceTime()
        for _ in 0..<20 { none.note(texts: 1, took: .zero) }
        #expect(none.texts(within: .zero, workers: 1, batch: 1) == nil, "a text that takes no time is never late")
    }

    /// Two workers, 10 ms a text, batches of four: 200 texts a second; ten times as many are asked for, for ten seconds.
    @Test(arguments: [1, 4], [100, 300, 1000] as [Int64])
    func `at ten times the load accepted texts come in time and the rest is refused at once`(
        tenants: Int, patience: Int64
    ) {
        var machine = PoolMachine(concurrency: 2, queueLimit: 150, batchLimit: 4)
        // As it is after warming up.
        for number in 0..<Limits.embeddingTimesNeeded {
            guard let batch = machine.ask("warm-up \(number)").batch else { return }
            _ = machine.succeed(batch, after: .milliseconds(10))
        }
        var running: [(batch: PoolMachine.Batch, end: ContinuousClock.Instant)] = []
        var began: [String: ContinuousClock.Instant] = [:]
        var (refused, inTime, late, longest) = (0, 0, 0, 0)
        func dispatch(_ batch: PoolMachine.Batch?, at now: ContinuousClock.Instant) {
            guard let batch else { return }
            running.append((batch, now + .milliseconds(10) * batch.requests.count))
        }
        let (asked, interval) = (20_000, Duration.microseconds(500))
        for number in 0..<asked {
            let now = self.start + interval * number
            while let next = running.indices.min(by: { running[$0].end < running[$1].end }), running[next].end <= now {
                let (batch, end) = running.remove(at: next)
                let action = machine.succeed(batch, after: .milliseconds(10) * batch.requests.count, at: end)
                for (waiter, result) in action.resumed {
                    let isInTime = end <= began[waiter]! + .milliseconds(patience)
                    if case .success = result, isInTime { inTime += 1 } else { late += 1 }
                }
                dispatch(action.dispatch, at: end)
            }
            let text = "t\(number)"
            began[text] = now
            let action = machine.ask(
                text, "tenant \(number % tenants)", at: now, within: .milliseconds(patience))
            if action.refusal == .overloaded { refused += 1 }
            dispatch(action.batch, at: now)
            longest = max(longest, machine.queued)
        }
        // The workers were never idle: 2,000 in ten seconds, but for the last ones.
        #expect(inTime >= 1800, "\(inTime) in time, \(late) late, \(refused) refused, \(longest) waited")
        // Those of other tenants that come later may go before one that was accepted.
        #expect(
            late <= (tenants == 1 ? 0 : inTime / 100),
            "\(inTime) in time, \(late) late, \(refused) refused, \(longest) waited")
        #expect(longest <= 150)
        #expect(refused + inTime + late + machine.queued >= asked - 8)
    }
}
