// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A `semcached` on a port of its own, with a folder of its own.
final class RunningService {
    let folder: URL
    private(set) var port = 0
    private var process: Process
    private let log: Log

    /// Starts the service and waits until it listens.
    ///
    /// - Parameters:
    ///   - file: Contents of a settings file.
    ///   - environment: Besides what every program gets.
    init(
        in folder: URL? = nil, port: Int = 0, settings: [String] = [], file: String? = nil,
        environment: [String: String] = [:]
    ) async throws {
        self.folder =
            folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("semcached-\(UUID().uuidString)")
        var arguments =
            ["--port", "\(port)", "--store", self.folder.appendingPathComponent("cache.sqlite").path]
            + ["--model", try Programs.modelFolder()]
            + (["grpc.port=0", "admin.port=0"] + settings).flatMap { ["--set", $0] }
        if let file {
            try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
            let path = self.folder.appendingPathComponent("settings.yaml")
            try file.write(to: path, atomically: true, encoding: .utf8)
            arguments += ["--config", path.path]
        }
        self.process = Programs.process("semcached", arguments, environment)
        let errors = Pipe()
        self.process.standardError = errors
        self.log = Log(errors.fileHandleForReading)
        try self.process.run()
        self.port = try await self.port(of: "native")
    }

    /// Of `native`, `grpc` or `admin`, once it listens.
    func port(of name: String) async throws -> Int {
        let line = try await self.log.anyLine(with: ["server.protocol=\(name)", "\"server.protocol\":\"\(name)\""])
        guard let match = line.firstMatch(of: /server\.address[=":]+[^" ]*:(\d+)/), let port = Int(match.1) else {
            throw Programs.Missing(description: "the log does not name the port: \(line)")
        }
        return port
    }

    deinit {
        if self.process.isRunning { kill(self.process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: self.folder)
    }

    var address: String { "127.0.0.1:\(self.port)" }

    /// All that the service has logged so far.
    var logged: String { self.log.text }

    /// Lines of the log that have a text in them.
    func count(_ text: String) -> Int { self.logged.split(separator: "\n").count { $0.contains(text) } }

    /// Waits for the next line of its log that has a text in it.
    func nextLine(with text: String) async throws -> String { try await self.log.line(with: text) }

    /// Waits until it has logged a line with a text in it.
    @discardableResult
    func line(with text: String) async throws -> String { try await self.log.anyLine(with: [text]) }

    func send(_ signal: Int32) { kill(self.process.processIdentifier, signal) }

    /// Ends the process by a signal and returns its exit status, or minus the signal that ended it.
    func stop(_ signal: Int32) async -> Int32 {
        self.send(signal)
        return await self.exitStatus
    }

    /// Waits for the process to end: its exit status, or minus the signal that ended it.
    var exitStatus: Int32 {
        get async {
            let process = self.process
            return await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    process.waitUntilExit()
                    let isSignal = process.terminationReason == .uncaughtSignal
                    continuation.resume(returning: isSignal ? -process.terminationStatus : process.terminationStatus)
                }
            }
        }
    }

    /// Has it read its settings again, from other contents of the file.
    ///
    /// - Returns: The line by which it says what became of it.
    func reload(_ file: String) async throws -> String {
        try file.write(to: self.folder.appendingPathComponent("settings.yaml"), atomically: true, encoding: .utf8)
        self.send(SIGHUP)
        return try await self.log.line(with: "reloaded")
    }

    /// Another process on the same data.
    func restarted(file: String? = nil, environment: [String: String] = [:]) async throws -> RunningService {
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent("semcached-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: self.folder, to: copy)
        return try await RunningService(in: copy, file: file, environment: environment)
    }

    /// Runs `semcache` against this service.
    func semcache(_ arguments: String..., input: String = "") async throws -> ProgramResult {
        try await Programs.run("semcache", arguments, input: input, environment: ["SEMCACHED_SERVER": self.address])
    }

    /// Runs `semcache` against this service with an API key.
    func semcache(key: String, _ arguments: String...) async throws -> ProgramResult {
        try await Programs.run(
            "semcache", arguments, environment: ["SEMCACHED_SERVER": self.address, "SEMCACHED_API_KEY": key])
    }
}

/// Reads what a program logs, on a thread of its own.
private final class Log: @unchecked Sendable {
    // `@unchecked`: everything that changes is used under `condition`.
    private let condition = NSCondition()
    private var lines: [String] = []
    private var rest = Data()
    private var isAtEnd = false
    /// Lines that were returned already.
    private var seen = 0

    init(_ handle: FileHandle) {
        Thread.detachNewThread {
            while case let data = handle.availableData, !data.isEmpty { self.append(data) }
            self.condition.withLock {
                self.isAtEnd = true
                self.condition.broadcast()
            }
        }
    }

    var text: String { self.condition.withLock { self.lines.joined(separator: "\n") } }

    private func append(_ data: Data) {
        self.condition.withLock {
            self.rest += data
            while let end = self.rest.firstIndex(of: UInt8(ascii: "\n")) {
                self.lines.append(String(decoding: self.rest[..<end], as: UTF8.self))
                self.rest = Data(self.rest[(end + 1)...])
            }
            self.condition.broadcast()
        }
    }

    /// Waits for the next line that has a text in it.
    func line(with text: String) async throws -> String {
        try await self.line(with: text) { [unowned self] in
            guard let position = self.lines[self.seen...].firstIndex(where: { $0.contains(text) }) else { return nil }
            self.seen = position + 1
            return self.lines[position]
        }
    }

    /// Waits for a line that has one of some texts in it, also among those that were returned already.
    func anyLine(with texts: [String]) async throws -> String {
        try await self.line(with: texts[0]) { [unowned self] in
            self.lines.first { line in texts.contains { line.contains($0) } }
        }
    }

    private func line(with text: String, _ find: @escaping @Sendable () -> String?) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                let found = self.condition.withLock { () -> String? in
                    while true {
                        if let line = find() { return line }
                        if self.isAtEnd || !self.condition.wait(until: Date(timeIntervalSinceNow: 60)) { return nil }
                    }
                }
                guard let found else {
                    let missing = Programs.Missing(description: "no line with \(text) was logged: \(self.text)")
                    return continuation.resume(throwing: missing)
                }
                continuation.resume(returning: found)
            }
        }
    }
}
