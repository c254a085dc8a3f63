// SPDX-License-Identifier: Apache-2.0

package import Foundation
import Synchronization

/// A real Redis server on a port of 127.0.0.1 and with a folder of its own; gone when nobody refers to it any more.
///
/// The program is the one that `deploy/redis` prints, named by the environment (``RedisVersion``).
package final class RedisServer: Sendable {
    /// Files in PEM of a server that speaks TLS as well.
    package struct TLS: Sendable {
        package let certificate: (chainFile: String, keyFile: String)
        /// Whom its clients' certificates must come from, and those of its cluster.
        package let trustFile: String
        package let requiresClientCertificate: Bool

        package init(
            certificate: (chainFile: String, keyFile: String), trustFile: String,
            requiresClientCertificate: Bool = false
        ) {
            self.certificate = certificate
            self.trustFile = trustFile
            self.requiresClientCertificate = requiresClientCertificate
        }

        func options(port: Int) -> [String] {
            [
                "--tls-port", "\(port)", "--tls-cert-file", self.certificate.chainFile,
                "--tls-key-file", self.certificate.keyFile, "--tls-ca-cert-file", self.trustFile,
                "--tls-auth-clients", self.requiresClientCertificate ? "yes" : "no",
            ]
        }
    }

    package let port: Int
    /// Where it speaks TLS; 0 if it does not.
    package let tlsPort: Int
    /// Removed with it.
    package let folder: URL
    private let program: String
    private let arguments: [String]
    private let password: String?
    private let isSentinel: Bool
    private let process: Mutex<RedisProcess>

    /// Starts a server and waits until it takes commands.
    ///
    /// It saves nothing and so loses everything with a restart; `["--appendonly", "yes"]` keeps it.
    ///
    /// - Parameters:
    ///   - options: As on the command line of redis-server.
    ///   - tls: Spoken on a port of its own, beside the other one.
    ///   - password: Of the user `default`, also towards a primary; the server needs none if it is `nil`.
    ///   - configuration: Contents of a file of settings, by port; needed by a sentinel, which writes to it.
    /// - Throws: ``RedisTrouble`` with what the server has logged.
    package static func start(
        _ version: RedisVersion = .eight, options: [String] = [], tls: TLS? = nil, password: String? = nil,
        sentinel configuration: (@Sendable (_ port: Int) -> String)? = nil
    ) async throws -> RedisServer {
        let program = try version.program()
        return try await onOwnThread {
            // Between the search for a free port and its use, another may take it.
            for _ in 0..<20 {
                let port = try freePort()
                let tlsPort = tls == nil ? 0 : try freePort()
                let options = (tls?.options(port: tlsPort) ?? []) + options
                if let server = try RedisServer(program, port, tlsPort, options, password, configuration?(port)) {
                    return server
                }
            }
            throw RedisTrouble(description: "no free port in 20 attempts")
        }
    }

    /// - Returns: `nil` if another took the port.
    private init?(
        _ program: String, _ port: Int, _ tlsPort: Int, _ options: [String], _ password: String?,
        _ configuration: String?
    ) throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("semcached-redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var arguments: [String] = []
        if let configuration {
            let path = folder.appendingPathComponent("sentinel.conf").path
            try configuration.write(toFile: path, atomically: true, encoding: .utf8)
            arguments = [path, "--sentinel"]
        } else {
            arguments = ["--save", "", "--appendonly", "no", "--enable-debug-command", "local"]
        }
        arguments += ["--port", "\(port)", "--bind", "127.0.0.1", "--dir", folder.path]
        arguments += ["--logfile", folder.appendingPathComponent("redis.log").path]
        if let password { arguments += ["--requirepass", password, "--masterauth", password] }
        arguments += options
        self.port = port
        self.tlsPort = tlsPort
        self.folder = folder
        self.program = program
        self.arguments = arguments
        self.password = password
        self.isSentinel = configuration != nil
        self.process = Mutex(try RedisProcess(program, arguments))
        do {
            try self.waitUntilReady(logged: 0)
        } catch {
            if self.log.contains("Address already in use") { return nil }
            throw error
        }
    }

    deinit {
        self.process.withLock { process in
            process.send(SIGKILL)
            _ = try? process.waitForEnd(within: 10)
        }
        try? FileManager.default.removeItem(at: self.folder)
    }

    /// `127.0.0.1:port`
    package var address: String { "127.0.0.1:\(self.port)" }

    /// `redis://127.0.0.1:port`, with the password if there is one.
    package var url: String { "redis://" + (self.password.map { ":\($0)@" } ?? "") + self.address }

    /// All that the server has logged.
    package var log: String {
        (try? Data(contentsOf: self.folder.appendingPathComponent("redis.log"))).map {
            String(decoding: $0, as: UTF8.self)
        } ?? ""
    }

    package var isRunning: Bool { self.current.isRunning }

    private var current: RedisProcess { self.process.withLock { $0 } }

    /// The log tells what an answer on the port would not: that it is this process that listens there.
    private func waitUntilReady(logged before: Int) throws {
        let sign = self.isSentinel ? "Sentinel ID is " : "Ready to accept connections"
        do {
            try waitUntil("the server is ready", within: 60) {
                if self.log.utf8.dropFirst(before).contains(sign.utf8) { return () }
                guard self.current.isRunning else { throw RedisTrouble(description: "the server has ended") }
                return nil
            }
        } catch {
            throw RedisTrouble(description: "\(error); it logged: \(self.log)")
        }
    }

    // MARK: Commands

    /// Sends a command over a connection of its own.
    ///
    /// - Throws: ``RedisTrouble`` if there is no answer or it is an error.
    @discardableResult
    package func command(_ words: String...) async throws -> RedisAnswer {
        try await onOwnThread { try self.ask(words) }
    }

    @discardableResult
    package func command(_ words: [String]) async throws -> RedisAnswer {
        try await onOwnThread { try self.ask(words) }
    }

    /// The same, blocking.
    @discardableResult
    func ask(_ words: [String]) throws -> RedisAnswer {
        var question = try RedisQuestion(port: self.port)
        if let password = self.password { _ = try question.ask(["AUTH", password]) }
        let answer = try question.ask(words)
        if case .error(let text) = answer { throw RedisTrouble(description: "\(words[0]): \(text)") }
        return answer
    }

    // MARK: Faults

    /// Ends it by SIGTERM and waits until it is gone.
    package func stop() async throws {
        let process = self.current
        process.send(SIGCONT)
        process.send(SIGTERM)
        try await onOwnThread { _ = try process.waitForEnd(within: 30) }
    }

    /// Ends it by SIGKILL and waits until it is gone.
    package func kill() async throws {
        let process = self.current
        process.send(SIGKILL)
        try await onOwnThread { _ = try process.waitForEnd(within: 30) }
    }

    /// Stops it (SIGSTOP): connections stay open and the kernel makes new ones, but nothing is answered.
    package func pause() { self.current.send(SIGSTOP) }

    /// Ends a ``pause()``.
    package func resume() { self.current.send(SIGCONT) }

    /// Starts it again on the same port and folder, and waits until it takes commands; ends it first if it still runs.
    ///
    /// - Parameter primary: Whose replica it is from now on; what it was before if `nil`.
    package func restart(following primary: RedisServer? = nil) async throws {
        if self.isRunning { try await self.stop() }
        let following = primary.map { ["--replicaof", "127.0.0.1", "\($0.port)"] } ?? []
        try await onOwnThread {
            let logged = self.log.utf8.count
            let process = try RedisProcess(self.program, self.arguments + following)
            self.process.withLock { $0 = process }
            try self.waitUntilReady(logged: logged)
        }
    }
}
