// SPDX-License-Identifier: Apache-2.0

import CKernels
import Foundation

/// The machine that figures were got on, and its cores.
enum Machine {
    /// Prints what somebody needs who wants the same figures: the command, the processor, the build.
    static func printFacts(asJSON: Bool) throws {
        let system = "\(ProcessInfo.processInfo.operatingSystemVersionString), kernel \(Self.kernel)"
        let arguments = CommandLine.arguments.dropFirst().joined(separator: " ")
        var table = Table(
            "semcache-bench \(arguments)",
            columns: ["processor", "cores online", "kernels' path", "system", "build"])
        table.add(
            Self.processor, String(Self.cores), String(cString: ck_isa_name(ck_isa_best())), system, Self.build)
        try table.print(asJSON: asJSON)
    }

    static var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

    /// Lets the calling thread run on one core only.
    ///
    /// - Throws: ``BenchError`` if there is no such core.
    static func pinThread(to core: Int) throws(BenchError) {
        var mask = [UInt8](repeating: 0, count: 128)
        // Swift's view of the C library lacks it, for it is a GNU extension.
        typealias SetAffinity = @convention(c) (pid_t, Int, UnsafePointer<UInt8>) -> CInt
        let setAffinity = dlsym(nil, "sched_setaffinity").map { unsafeBitCast($0, to: SetAffinity.self) }
        guard let setAffinity, core >= 0, core / 8 < mask.count else { throw Self.noCore(core) }
        mask[core / 8] = 1 << UInt8(core % 8)
        guard setAffinity(0, mask.count, mask) == 0 else { throw Self.noCore(core) }
    }

    /// Lets this process open as many files as the system allows it.
    ///
    /// - Returns: How many that are.
    static func raiseOpenFiles() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// Memory of a process that is in use, bytes; 0 if not known.
    ///
    /// - Parameter process: Its id, or "self".
    static func residentBytes(of process: String = "self") -> Int {
        let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        // `VmRSS:     12345 kB`
        let words = line?.split(whereSeparator: \.isWhitespace) ?? []
        return words.count == 3 ? (Int(words[1]) ?? 0) << 10 : 0
    }

    private static func noCore(_ core: Int) -> BenchError {
        BenchError("core \(core) cannot be used; this machine has \(Self.cores)")
    }

    /// Nanoseconds of a clock that only goes forward.
    @inline(__always)
    static var now: UInt64 { Self.nanoseconds(CLOCK_MONOTONIC) }

    /// Processor time of the calling thread, nanoseconds.
    static var threadTime: UInt64 { Self.nanoseconds(CLOCK_THREAD_CPUTIME_ID) }

    @inline(__always)
    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    private static var processor: String {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        func value(_ key: String) -> String? {
            lines.first { $0.hasPrefix(key) }?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
        }
        let family = value("cpu family").map { ", family \($0)" } ?? ""
        return (value("model name") ?? "unknown") + family + (value("model\t").map { " model \($0)" } ?? "")
    }

    private static var kernel: String {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }

    private static var build: String {
        #if DEBUG
        "debug: the figures say nothing, build with -c release"
        #else
        "release"
        #endif
    }
}
