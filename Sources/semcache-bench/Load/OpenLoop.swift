// SPDX-License-Identifier: Apache-2.0

/// Lookups at a rate, whatever the server makes of it.
struct OpenLoop {
    let rate: Double
    private let flow: Flow
    private let count: Int

    /// What came of it.
    struct Result {
        let rate: Double
        let flow: Flow.Result
        let seconds: Double
        /// Processor time of the server per request, nanoseconds; 0 if not known.
        let serverTime: Double

        func report(_ title: String, asJSON: Bool) throws {
            var table = Table(
                """
                \(title): \(self.rate.grouped) requests/s asked for, \
                \((Double(self.flow.answers) / self.seconds).grouped) answered over \(self.seconds.text(1)) s, \
                \(self.flow.hits) hits of \(self.flow.answers), server CPU \((self.serverTime / 1000).text(2)) \
                µs/request
                """,
                columns: ["latency µs", "p50", "p90", "p99", "p99.9", "max"])
            for (name, times) in [("since due (corrected)", self.flow.sinceDue), ("since sent", self.flow.sinceSent)] {
                table.add(
                    name, times.p50.microseconds, times.percentile(90).microseconds, times.p99.microseconds,
                    times.percentile(99.9).microseconds, times.maximum.microseconds)
            }
            try table.print(asJSON: asJSON)
        }
    }

    /// - Parameters:
    ///   - frames: Of Lookups whose call ids are 1, 2, 3…
    ///   - rate: Requests per second.
    init(socket: BlockingSocket, frames: [[UInt8]], rate: Double) {
        self.flow = Flow(socket: socket, frames: frames, pace: .even(rate))
        self.rate = rate
        self.count = frames.count
    }

    func run(server: ServerProcess?) throws(BenchError) -> Result {
        let cpuBefore = server?.cpuNanoseconds ?? 0
        let seconds = try Flow.run(self.flow)
        let cpu = (server?.cpuNanoseconds ?? 0) - cpuBefore
        return Result(
            rate: self.rate, flow: self.flow.result, seconds: seconds, serverTime: Double(cpu) / Double(self.count))
    }
}
