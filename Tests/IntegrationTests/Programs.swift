// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// What a program did.
struct ProgramResult {
    let status: Int32
    let output: String
    let errors: String
}

/// The programs of this package, beside the tests' own.
enum Programs {
    static var folder: URL {
        URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    }

    /// The model that `deploy/test` names.
    static func modelFolder() throws -> String {
        guard let folder = ProcessInfo.processInfo.environment["SEMCACHED_TEST_MODEL"] else {
            throw Missing(description: "set SEMCACHED_TEST_MODEL to the folder that deploy/model prints")
        }
        return folder
    }

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    /// Runs a program to its end.
    static func run(_ name: String, _ arguments: [String], input: String = "", environment: [String: String] = [:])
        async throws -> ProgramResult
    {
        let process = Self.process(name, arguments, environment)
        let (output, errors, stdin) = (Pipe(), Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = stdin
        return try await withCheckedThrowingContinuation { continuation in
            // A thread of its own: reading to the end blocks.
            Thread.detachNewThread {
                do {
                    try process.run()
                    // Both pipes at once: a full one would stop the program.
                    let collected = Mutex(Data())
                    let group = DispatchGroup()
                    DispatchQueue.global().async(group: group) {
                        let data = errors.fileHandleForReading.readDataToEndOfFile()
                        collected.withLock { $0 = data }
                    }
                    try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
                    try stdin.fileHandleForWriting.close()
                    let printed = output.fileHandleForReading.readDataToEndOfFile()
                    group.wait()
                    process.waitUntilExit()
                    continuation.resume(
                        returning: ProgramResult(
                            status: process.terminationStatus, output: String(decoding: printed, as: UTF8.self),
                            errors: collected.withLock { String(decoding: $0, as: UTF8.self) }))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }

    static func process(_ name: String, _ arguments: [String], _ environment: [String: String]) -> Process {
        let process = Process()
        process.executableURL = Self.folder.appendingPathComponent(name)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin", "HOME": NSTemporaryDirectory()].merging(environment) { $1 }
        return process
    }
}

/// A `semcached` on a port of its own, with a folder of its own.
final class RunningService {
    let folder: URL
    private(set) var port = 0
    private var process: Process

    /// Starts the service and waits until it listens.
    init(in folder: URL? = nil, settings: [String] = []) async throws {
        self.folder =
            folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("semcached-\(UUID().uuidString)")
        let arguments =
            ["--port", "0", "--store", self.folder.appendingPathComponent("cache.sqlite").path]
            + ["--model", try Programs.modelFolder()] + settings.flatMap { ["--set", $0] }
        self.process = Programs.process("semcached", arguments, [:])
        let errors = Pipe()
        self.process.standardError = errors
        try self.process.run()
        self.port = try await Self.port(announcedIn: errors.fileHandleForReading)
    }

    deinit {
        if self.process.isRunning { kill(self.process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: self.folder)
    }

    var address: String { "127.0.0.1:\(self.port)" }

    /// Ends the process by a signal and returns its exit status, or minus the signal that ended it.
    func stop(_ signal: Int32) async -> Int32 {
        let process = self.process
        kill(process.processIdentifier, signal)
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                process.waitUntilExit()
                let isSignal = process.terminationReason == .uncaughtSignal
                continuation.resume(returning: isSignal ? -process.terminationStatus : process.terminationStatus)
            }
        }
    }

    /// Another process on the same data.
    func restarted() async throws -> RunningService {
        let copy = FileManager.default.temporaryDirectory.appendingPathComponent("semcached-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: self.folder, to: copy)
        return try await RunningService(in: copy)
    }

    /// Runs `semcache` against this service.
    func semcache(_ arguments: String..., input: String = "") async throws -> ProgramResult {
        try await Programs.run("semcache", arguments, input: input, environment: ["SEMCACHED_SERVER": self.address])
    }

    /// Reads the log up to the line that names the port, and what follows to nowhere.
    private static func port(announcedIn log: FileHandle) async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                var text = ""
                while case let data = log.availableData, !data.isEmpty {
                    text += String(decoding: data, as: UTF8.self)
                    if let match = text.firstMatch(of: /server\.address=\S*:(\d+)/), let port = Int(match.1),
                        text[match.range.upperBound...].contains("\n")
                    {
                        continuation.resume(returning: port)
                        while !log.availableData.isEmpty {}
                        return
                    }
                }
                continuation.resume(throwing: Programs.Missing(description: "semcached did not start: \(text)"))
            }
        }
    }
}
