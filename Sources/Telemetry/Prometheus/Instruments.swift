// SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Synchronization

/// One series. Recording takes no lock and no memory.
protocol Instrument: AnyObject, Sendable {
    func write(_ name: String, labels: [UInt8], into text: inout Exposition)
}

/// Counts both in whole numbers, exactly, and in fractions. What is not a finite amount above zero is not counted.
final class CounterInstrument: Instrument, CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<UInt64>(0)
    private let fraction = AtomicDouble()

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        self.whole.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        self.fraction.add(amount)
    }

    func reset() {
        self.whole.store(0, ordering: .relaxed)
        self.fraction.value = 0
    }

    func write(_ name: String, labels: [UInt8], into text: inout Exposition) {
        let whole = self.whole.load(ordering: .relaxed)
        let fraction = self.fraction.value
        text.sample(
            name, labels: labels, value: fraction == 0 ? String(whole) : Exposition.number(Double(whole) + fraction))
    }
}

/// A value that goes up and down: a meter, or a recorder that does not aggregate.
final class GaugeInstrument: Instrument, RecorderHandler, MeterHandler {
    private let current = AtomicDouble()

    func record(_ value: Int64) { self.current.value = Double(value) }
    func record(_ value: Double) { self.current.value = value }
    func set(_ value: Int64) { self.current.value = Double(value) }
    func set(_ value: Double) { self.current.value = value }
    func increment(by amount: Double) { self.current.add(amount) }
    func decrement(by amount: Double) { self.current.add(-amount) }

    func write(_ name: String, labels: [UInt8], into text: inout Exposition) {
        text.sample(name, labels: labels, value: Exposition.number(self.current.value))
    }
}

/// Values by size: a recorder that aggregates, or a timer, in seconds. What is not finite is not recorded.
final class HistogramInstrument: Instrument, RecorderHandler, TimerHandler {
    private let bounds: [Double]
    /// As many as bounds, and one for what is above the last. It is written to by atomic operations only.
    private nonisolated(unsafe) let counts: UnsafeMutablePointer<Atomic<UInt64>>
    private let sum = AtomicDouble()

    init(bounds: [Double]) {
        self.bounds = bounds
        self.counts = .allocate(capacity: bounds.count + 1)
        for index in 0...bounds.count { (self.counts + index).initialize(to: Atomic(0)) }
    }

    deinit {
        self.counts.deinitialize(count: self.bounds.count + 1)
        self.counts.deallocate()
    }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        var index = 0
        while index < self.bounds.count, value > self.bounds[index] { index += 1 }
        self.counts[index].wrappingAdd(1, ordering: .relaxed)
        self.sum.add(value)
    }

    /// A clock that was set back gives durations below zero: they count as none.
    func recordNanoseconds(_ duration: Int64) { self.record(Double(max(0, duration)) / 1e9) }

    /// All but the sum is of one reading: the count is what the buckets have.
    func write(_ name: String, labels: [UInt8], into text: inout Exposition) {
        let separator: [UInt8] = labels.isEmpty ? [] : [UInt8(ascii: ",")]
        var total: UInt64 = 0
        for index in 0...self.bounds.count {
            total += self.counts[index].load(ordering: .relaxed)
            let bound = index < self.bounds.count ? Exposition.number(self.bounds[index]) : "+Inf"
            text.sample(
                name + "_bucket", labels: labels + separator + Array("le=\"\(bound)\"".utf8), value: String(total))
        }
        text.sample(name + "_sum", labels: labels, value: Exposition.number(self.sum.value))
        text.sample(name + "_count", labels: labels, value: String(total))
    }
}

/// A `Double` that several threads add to.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double {
        get { Double(bitPattern: self.bits.load(ordering: .relaxed)) }
        nonmutating set { self.bits.store(newValue.bitPattern, ordering: .relaxed) }
    }

    func add(_ amount: Double) {
        var old = self.bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (isExchanged, found) = self.bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if isExchanged { return }
            old = found
        }
    }
}
