// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation

/// Stores many entries, many calls in flight.
struct ImportLoad {
    let options: Load
    private static let cache = "bench"

    init(options: Load) { self.options = options }

    func run() throws {
        guard let file = self.options.importFile else { return }
        let pairs = try Corpus.read(file)
        let target = try self.options.target(settings: [])
        let session = try WireSession(target)
        let standIn = (0..<self.options.responseBytes).map { UInt8(ascii: "a") + UInt8($0 % 26) }
        var replaced = 0
        let cpuBefore = target.process?.cpuNanoseconds ?? 0
        let start = Machine.now
        try session.callAll(pairs.count, window: self.options.window) { number in
            .store(
                StoreRequest(
                    cache: Self.cache, prompt: .text(pairs[number].prompt),
                    response: pairs[number].response ?? standIn))
        } reply: { _, response in
            guard case .store(let outcome) = response else { throw BenchError("the answer is none to a Store") }
            if outcome.isReplacement { replaced += 1 }
        }
        let seconds = Double(Machine.now - start) / 1e9
        let cpu = Double((target.process?.cpuNanoseconds ?? 0) - cpuBefore) / Double(pairs.count)
        let place = target.process == nil ? "running server" : "server on cores \(self.options.setup.serverCores)"
        var table = Table(
            "import of \(file)\(self.options.transport): \(place), 1 connection, \(self.options.window) calls in flight, durable",
            columns: ["entries", "replaced", "seconds", "entries/s", "server CPU µs/entry"])
        table.add(
            String(pairs.count), String(replaced), seconds.text(2), (Double(pairs.count) / seconds).grouped,
            (cpu / 1000).text(1))
        try table.print(asJSON: self.options.common.json)
    }
}
