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

    /// Python with the packages of `deploy/test`.
    static func python() throws -> String {
        guard let python = ProcessInfo.processInfo.environment["SEMCACHED_TEST_PYTHON"] else {
            throw Missing(description: "set SEMCACHED_TEST_PYTHON to a python that has grpcio")
        }
        return python
    }

    /// Makes an API key, with its SHA-256, by the program that users make it with.
    static func newKey() async throws -> (key: String, digest: String) {
        let result = try await Self.run("semcache", ["keys", "new", "--json"])
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        guard let key = object?["key"] as? String, let digest = object?["sha256"] as? String else {
            throw Missing(description: "keys new printed \(result.output) \(result.errors)")
        }
        return (key, digest)
    }

    /// Runs a program to its end.
    ///
    /// - Parameter name: Of one of this package, or the path of another.
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
        process.executableURL =
            name.hasPrefix("/") ? URL(fileURLWithPath: name) : Self.folder.appendingPathComponent(name)
        process.arguments = arguments
        process.environment = ["PATH": "/usr/bin:/bin", "HOME": NSTemporaryDirectory()].merging(environment) { $1 }
        return process
    }
}
