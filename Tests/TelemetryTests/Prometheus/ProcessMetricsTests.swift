// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Telemetry

@Suite struct ProcessMetricsTests {
    @Test func `a line of proc is read though its program has a strange name`() {
        let line = "42 (a b) (c)) S 1 2 3 4 5 6 7 8 9 10 100 50 13 14 15 16 7 18 1234 8192 3 20\n"
        let status = ProcessStatus(stat: Array(line.utf8))
        #expect(status?.cpuTicks == 150)
        #expect(status?.threads == 7)
        #expect(status?.virtualBytes == 8192)
        #expect(status?.residentPages == 3)
    }

    @Test(arguments: ["", "42", "42 (x)", "42 (x) S 1 2 3", "42 (x) S 1 2 3 4 5 6 7 8 9 10 a b c d e f g h i j k l"])
    func `what is no line of proc gives nothing`(line: String) {
        #expect(ProcessStatus(stat: Array(line.utf8)) == nil)
    }

    #if os(Linux)
    @Test func `this process is described`() throws {
        let before = Date().timeIntervalSince1970
        let metrics = ProcessMetrics()
        let after = Date().timeIntervalSince1970
        let figures = Dictionary(uniqueKeysWithValues: metrics.families().map { ($0.name, $0.samples[0].value) })
        let start = try #require(figures["process_start_time_seconds"])
        // A date counts from 2001, so its seconds since 1970 are rounded, by less than a microsecond.
        #expect(start >= before - 1e-6 && start <= after + 1e-6)
        #expect(try #require(figures["process_resident_memory_bytes"]) > 1_048_576)
        #expect(try #require(figures["process_virtual_memory_bytes"]) > 1_048_576)
        #expect(try #require(figures["process_threads"]) >= 1)
        #expect(try #require(figures["process_cpu_seconds_total"]) >= 0)
        #expect(try #require(figures["process_open_fds"]) >= 3)
        #expect(try #require(figures["process_max_fds"]) >= 64)
    }

    @Test func `a descriptor more is counted`() throws {
        func open() -> Double? { ProcessMetrics().families().first { $0.name == "process_open_fds" }?.samples[0].value }
        // Other tests open and close some meanwhile, though hardly a hundred, and not each time.
        let isCounted = try (0..<10).contains { _ in
            let before = try #require(open())
            let pipes = (0..<100).map { _ in Pipe() }
            let during = try #require(open())
            withExtendedLifetime(pipes) {}
            return during > before + 100
        }
        #expect(isCounted)
    }
    #endif
}
