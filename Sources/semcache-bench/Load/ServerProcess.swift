// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A server that is started for a measurement and ends with it.
final class ServerProcess {
    let port: Int
    private let process: Process
    private let folder: URL
    /// Kept open.
    private let input: Pipe?

    /// Starts `semcached` with a store of its own.
    ///
    /// - Parameters:
    ///   - path: The executable.
    ///   - cores: As `taskset -c` takes them.
    ///   - settings: More of them, as `--set` takes them.
    ///   - configuration: YAML, for what only a file can hold.
    static func semcached(
        _ path: String, cores: String, model: String?, settings: [String], configuration: String? = nil
    ) throws -> ServerProcess {
        let folder = try Self.makeFolder()
        var arguments = ["--port", "0", "--store", folder.appending(path: "store.sqlite").path]
        if let configuration {
            let file = folder.appending(path: "semcached.yaml")
            try Data(configuration.utf8).write(to: file)
            arguments += ["--config", file.path]
        }
        if let model { arguments += ["--model", model] }
        for setting in settings { arguments += ["--set", setting] }
        let process = try Self.start(path, arguments, cores: cores, folder: folder)
        let port = try Self.wait(for: process, folder: folder) { log in
            // `… server.address=[IPv4]127.0.0.1/127.0.0.1:41234 server.protocol=native … listening`
            let lines = log.split(separator: "\n")
            guard let line = lines.first(where: { $0.contains("listening") && $0.contains("=native") }),
                let address = line.split(separator: " ").first(where: { $0.hasPrefix("server.address=") })
            else { return nil }
            return address.split(separator: ":").last.flatMap { Int($0) }
        }
        return ServerProcess(port: port, process: process, folder: folder)
    }

    /// Starts `redis-server` without persistence.
    static func redis(_ path: String, cores: String) throws -> ServerProcess {
        let folder = try Self.makeFolder()
        let port = try BlockingSocket.freePort()
        let arguments = [
            "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder.path,
        ]
        let process = try Self.start(path, arguments, cores: cores, folder: folder)
        _ = try Self.wait(for: process, folder: folder) { $0.contains("Ready to accept connections") ? port : nil }
        return ServerProcess(port: port, process: process, folder: folder)
    }

    /// Starts `openssl s_server`, which serves one connection at a time, in one thread.
    ///
    /// - Parameter arguments: Besides those that say where to listen and to be quiet.
    static func openssl(_ path: String, _ arguments: [String], cores: String) throws -> ServerProcess {
        let folder = try Self.makeFolder()
        let port = try BlockingSocket.freePort()
        // It looks at its input while it serves, and must find neither anything there nor the end.
        let input = Pipe()
        let process = try Self.start(
            path, ["s_server", "-quiet", "-accept", "127.0.0.1:\(port)"] + arguments, cores: cores, folder: folder,
            input: input)
        _ = try Self.wait(for: process, folder: folder) { _ in
            (try? BlockingSocket(host: "127.0.0.1", port: port)).map { _ in port }
        }
        return ServerProcess(port: port, process: process, folder: folder, input: input)
    }

    private init(port: Int, process: Process, folder: URL, input: Pipe? = nil) {
        self.input = input
        self.port = port
        self.process = process
        self.folder = folder
    }

    deinit {
        self.process.terminate()
        self.process.waitUntilExit()
        try? FileManager.default.removeItem(at: self.folder)
    }

    /// Processor time that it has used, with that of threads that have ended.
    var cpuNanoseconds: UInt64 {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(self.process.processIdentifier, &clock) == 0, clock_gettime(clock, &time) == 0 else {
            return 0
        }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    func send(_ signal: Int32) { kill(self.process.processIdentifier, signal) }

    /// Memory of it that is in use, bytes; 0 if not known.
    var residentBytes: Int { Machine.residentBytes(of: String(self.process.processIdentifier)) }

    private static func makeFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "semcache-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func logFile(_ folder: URL) -> URL { folder.appending(path: "log") }

    private static func start(
        _ path: String, _ arguments: [String], cores: String, folder: URL, input: Pipe? = nil
    ) throws -> Process {
        let log = Self.logFile(folder)
        try Data().write(to: log)
        let handle = try FileHandle(forWritingTo: log)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // So that no server is left behind when this process is killed.
        process.arguments = ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", cores, path] + arguments
        process.standardInput = input ?? FileHandle.nullDevice as Any
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        return process
    }

    /// Waits until the log says that the server is ready.
    private static func wait(for process: Process, folder: URL, _ port: (String) -> Int?) throws -> Int {
        for _ in 0..<600 {
            let log = (try? String(contentsOf: Self.logFile(folder), encoding: .utf8)) ?? ""
            if let port = port(log) { return port }
            guard process.isRunning else { throw BenchError("the server has ended: \(log)") }
            Thread.sleep(forTimeInterval: 0.05)
        }
        process.terminate()
        throw BenchError("the server was not ready within 30 s")
    }
}
