// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import Synchronization

/// Far more texts than the pool can do, at their times, whatever it makes of them.
struct PoolOverload {
    let options: Embed

    /// Between two looks at the clock; texts that are due by then leave together.
    private static let pace = Duration.milliseconds(1)

    func run() throws {
        let pool = try BenchPool(threads: self.options.threads.values[0], options: self.options)
        let capacity = try pool.rate(seconds: self.options.seconds)
        let rate = self.options.factor * capacity
        // The queue and the allocator reach their size.
        _ = try self.offer(pool, rate: rate, seconds: self.options.seconds)
        let before = Machine.residentBytes()
        let outcomes = try self.offer(pool, rate: rate, seconds: 5 * self.options.seconds)
        let after = Machine.residentBytes()
        // It has to be as quick afterwards as it was before.
        let recovered = try pool.rate(seconds: self.options.seconds)
        try pool.close()
        try self.report(outcomes, capacity: capacity, recovered: recovered)
        try self.reportMemory(before: before, most: max(outcomes.mostResident, after), after: after)
    }

    /// How calls ended.
    private enum Ending: String, CaseIterable {
        case answered = "of them answered"
        case late = "of them deadline exceeded"
        case refused = "refused: overloaded"
        case failed

        init(_ code: EmbedderError.Code) {
            switch code {
            case .overloaded: self = .refused
            case .deadlineExceeded: self = .late
            default: self = .failed
            }
        }
    }

    private struct Outcomes {
        var sinceDue: [Ending: Latencies] = [:]
        var sinceCalled: [Ending: Latencies] = [:]
        /// For which calls were made, and until the last of them ended.
        var offered = 0.0
        var seconds = 0.0
        /// Bytes, seen four times a second.
        var mostResident = 0

        var calls: Int { self.sinceCalled.values.reduce(0) { $0 + $1.count } }

        mutating func record(_ ending: Ending, sinceDue: UInt64, sinceCalled: UInt64) {
            self.sinceDue[ending, default: Latencies()].record(sinceDue)
            self.sinceCalled[ending, default: Latencies()].record(sinceCalled)
        }
    }

    private final class Recorder: Sendable {
        let outcomes = Mutex(Outcomes())
    }

    private func offer(_ pool: BenchPool, rate: Double, seconds: Double) throws -> Outcomes {
        let recorder = Recorder()
        let deadline = UInt64(self.options.deadline) * 1_000_000
        try pool.wait {
            let start = Machine.now
            let count = Int(rate * seconds)
            var sent = 0
            var nextLook = start
            await withDiscardingTaskGroup { group in
                while sent < count {
                    let now = Machine.now
                    let due = min(count, Int(Double(now - start) / 1e9 * rate) + 1)
                    for number in sent..<due {
                        let time = start + UInt64(Double(number) / rate * 1e9)
                        group.addTask { await Self.call(pool, due: time, deadline: deadline, recorder) }
                    }
                    sent = due
                    if now >= nextLook {
                        nextLook = now + 250_000_000
                        let bytes = Machine.residentBytes()
                        recorder.outcomes.withLock { $0.mostResident = max($0.mostResident, bytes) }
                    }
                    // Nobody cancels it.
                    try? await Task.sleep(for: Self.pace)
                }
                recorder.outcomes.withLock { $0.offered = Double(Machine.now - start) / 1e9 }
            }
            recorder.outcomes.withLock { $0.seconds = Double(Machine.now - start) / 1e9 }
        }
        return recorder.outcomes.withLock { $0 }
    }

    private static func call(_ pool: BenchPool, due: UInt64, deadline: UInt64, _ recorder: Recorder) async {
        let called = Machine.now
        let left = Duration.nanoseconds(Int64(due + deadline) - Int64(called))
        var ending = Ending.answered
        do throws(EmbedderError) {
            try await pool.embed(by: .now + left)
        } catch {
            ending = Ending(error.code)
        }
        let now = Machine.now
        recorder.outcomes.withLock { $0.record(ending, sinceDue: now - due, sinceCalled: now - called) }
    }

    private func report(_ outcomes: Outcomes, capacity: Double, recovered: Double) throws {
        var table = Table(
            """
            overload: \(self.options.threads.values[0]) threads do \(capacity.grouped) texts/s; offered \
            \((Double(outcomes.calls) / outcomes.offered).grouped) texts/s for \(outcomes.offered.text(1)) s, deadline \
            \(self.options.deadline) ms; afterwards \(recovered.grouped) texts/s; ms since a text was due, µs since the \
            call was made
            """,
            columns: [
                "outcome", "calls", "per second", "p50 ms", "p99 ms", "max ms", "p50 µs of the call", "p99 µs",
                "max µs",
            ])
        let rows = [("accepted", [Ending.answered, .late])] + Ending.allCases.map { ($0.rawValue, [$0]) }
        for (name, endings) in rows {
            let due = Self.merged(endings.compactMap { outcomes.sinceDue[$0] })
            let called = Self.merged(endings.compactMap { outcomes.sinceCalled[$0] })
            guard due.count > 0 else {
                table.add([name, "0", "0"] + Array(repeating: "", count: 6))
                continue
            }
            table.add(
                name, Double(due.count).grouped, (Double(due.count) / outcomes.seconds).grouped,
                (due.p50 / 1e6).text(1), (due.p99 / 1e6).text(1), (due.maximum / 1e6).text(1), called.p50.microseconds,
                called.p99.microseconds, called.maximum.microseconds)
        }
        try table.print(asJSON: self.options.common.json)
    }

    private static func merged(_ all: [Latencies]) -> Latencies {
        var sum = Latencies()
        for one in all { sum.add(one) }
        return sum
    }

    private func reportMemory(before: Int, most: Int, after: Int) throws {
        var table = Table(
            "overload: resident memory of this process, MiB", columns: ["before", "most during", "after", "growth"])
        table.add([before, most, after, after - before].map { (Double($0) / 0x1p20).text(1) })
        try table.print(asJSON: self.options.common.json)
    }
}
