// SPDX-License-Identifier: Apache-2.0

/// Times one operation over rounds long enough for the clock.
struct Stopwatch {
    /// What the rounds gave, nanoseconds per operation.
    struct Result {
        let best: Double
        let median: Double
    }

    let rounds: Int
    /// Least length of a round, nanoseconds.
    let roundLength: UInt64

    /// - Parameter operation: Is told the number of the repetition; what it computes must reach ``keep(_:)``.
    func time<Failure: Error>(_ operation: (Int) throws(Failure) -> Void) throws(Failure) -> Result {
        var repetitions = 1
        while true {
            let time = try self.once(repetitions, operation)
            if time >= self.roundLength { break }
            let missing = 1.2 * Double(self.roundLength) / Double(time + 1)
            repetitions = Int(Double(repetitions) * max(2, missing))
        }
        var times: [Double] = []
        for _ in 0..<self.rounds { times.append(Double(try self.once(repetitions, operation)) / Double(repetitions)) }
        return Result(best: times.min() ?? 0, median: times.median)
    }

    @inline(__always)
    private func once<Failure: Error>(
        _ repetitions: Int, _ operation: (Int) throws(Failure) -> Void
    ) throws(Failure) -> UInt64 {
        let start = Machine.now
        for repetition in 0..<repetitions { try operation(repetition) }
        return Machine.now - start
    }
}

/// Makes the optimiser believe that a value is needed.
@_optimize(none)
func keep<Value>(_ value: Value) {}
