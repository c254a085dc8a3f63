// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Redis's own load generator.
struct RedisBenchmark {
    let path: String
    let port: Int
    let core: Int
    let keys: Int
    let valueBytes: Int

    /// Runs GETs of random keys over one connection.
    ///
    /// Its latencies are those from the write of a batch to the *first* bytes of the replies.
    func run(depth: Int, requests: Int, server: ServerProcess) throws -> Sample {
        let cpuBefore = server.cpuNanoseconds
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "taskset", "-c", String(self.core), self.path, "-h", "127.0.0.1", "-p", String(self.port), "-c", "1",
            "-P", String(depth), "-n", String(requests), "-r", String(self.keys), "-d", String(self.valueBytes),
            "-t", "get", "--csv", "--precision", "3",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_…"
        let fields = text.split(separator: "\n").last { $0.hasPrefix("\"GET\"") }?.split(separator: ",").map {
            Double($0.trimmingCharacters(in: CharacterSet(charactersIn: "\"")))
        }
        guard let fields, fields.count == 8, let rate = fields[1], let p50 = fields[4], let p99 = fields[6] else {
            throw BenchError("redis-benchmark printed no figures")
        }
        let serverTime = Double(server.cpuNanoseconds - cpuBefore) / Double(requests)
        return Sample(rate: rate, p50: p50 * 1e6, p99: p99 * 1e6, serverTime: serverTime)
    }
}
