// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What Prometheus' own libraries say of a process, out of `/proc/self`. Where there is none, nothing is said.
package struct ProcessMetrics: Sendable {
    /// Seconds since 1970. Not out of `/proc/stat`, which a service may not see.
    private let startTime: Double

    /// To be made when the process begins, which it takes the time of.
    package init() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        self.startTime = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    package func families() -> [MetricFamily] {
        var families: [MetricFamily] = []
        func add(_ name: String, _ help: String, _ kind: MetricFamily.Kind, _ value: Double?) {
            guard let value else { return }
            families.append(MetricFamily(name, help: help, kind: kind, value: value))
        }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        let stat = Self.file("/proc/self/stat").flatMap(ProcessStatus.init(stat:))
        add("process_cpu_seconds_total", "Processor time, user and system.", .counter, stat.map { $0.cpuTicks / ticks })
        add(
            "process_resident_memory_bytes", "Memory that is resident.", .gauge,
            stat.map { $0.residentPages * Double(sysconf(Int32(_SC_PAGESIZE))) })
        add("process_virtual_memory_bytes", "Address space.", .gauge, stat.map(\.virtualBytes))
        add("process_threads", "Threads of the process.", .gauge, stat.map(\.threads))
        add("process_start_time_seconds", "When the process began, seconds since 1970.", .gauge, self.startTime)
        add("process_open_fds", "Open file descriptors.", .gauge, Self.openDescriptors().map(Double.init))
        var limit = rlimit()
        #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let resource = RLIMIT_NOFILE
        #endif
        if getrlimit(resource, &limit) == 0 {
            add("process_max_fds", "Most file descriptors that may be open.", .gauge, Double(limit.rlim_cur))
        }
        return families
    }

    private static func file(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count < TelemetryLimits.processFileBytes {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk.prefix(count))
        }
        return bytes.isEmpty ? nil : bytes
    }

    /// Without the one that counts them.
    private static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count - 3
    }
}

/// The line of `/proc/<pid>/stat`.
struct ProcessStatus: Equatable {
    var cpuTicks: Double
    var threads: Double
    var virtualBytes: Double
    var residentPages: Double

    /// The name of the program stands second, in parentheses, and may have spaces and parentheses of its own.
    init?(stat: [UInt8]) {
        guard let end = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[(end + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
        // The first of these is the third of the line.
        func field(_ number: Int) -> Double? {
            fields.indices.contains(number - 3) ? Double(String(decoding: fields[number - 3], as: UTF8.self)) : nil
        }
        guard let user = field(14), let system = field(15), let threads = field(20), let virtual = field(23),
            let resident = field(24)
        else { return nil }
        self.cpuTicks = user + system
        self.threads = threads
        self.virtualBytes = virtual
        self.residentPages = resident
    }
}
