// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel
import Foundation
import OpenSSLTLS

/// What connections cost that do nothing.
struct Idle: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures the memory that a server needs for connections that do nothing.",
        discussion: """
            Starts a semcached, opens connections that say hello, and compares its resident memory (VmRSS) before and \
            after; then makes one Lookup on each that the memory answers, and compares again. With --certificates the \
            same over TLS, with another server. Sockets are the kernel's memory, which is not counted.
            """)

    @OptionGroup var common: CommonOptions

    @OptionGroup var setup: SetupOptions

    @Option(help: "Connections.")
    var connections = 5000

    @Option(
        help: ArgumentHelp("Measures TLS too, with certificates that deploy/certs has made.", valueName: "folder"))
    var certificates: String?

    @Option(help: "Bytes of the response of a Lookup.")
    var responseBytes = 512

    @Option(help: "Seconds for which connections are idle before memory is read.")
    var seconds = 2.0

    /// Connections that come before: what the first ones make the server set up is not theirs alone.
    private static let earlier = 100
    /// Files that this process has open besides connections, generously.
    private static let otherFiles = 100
    /// What a connection's largest message fits into, bytes.
    private static let bufferBytes = 64 << 10

    func validate() throws {
        guard self.connections > 0, self.seconds > 0 else {
            throw ValidationError("connections and seconds are positive")
        }
        guard (1...Self.bufferBytes / 2).contains(self.responseBytes) else {
            throw ValidationError("a response has 1…\(Self.bufferBytes / 2) bytes")
        }
    }

    func run() throws {
        try Machine.printFacts(asJSON: self.common.json)
        let certificates = try self.certificates.map { try CertificateFolder($0) }
        let all = self.connections + Self.earlier
        let files = Machine.raiseOpenFiles()
        guard files >= all + Self.otherFiles else {
            throw BenchError("this process may open \(files) files, too few for \(all) connections: see ulimit -Hn")
        }
        try Machine.pinThread(to: self.setup.clientCore)
        // Together: a process with many open files starts no other.
        let settings = ["server.maximum_connections=\(all + Self.otherFiles)"]
        var targets = [Target(try self.setup.start(model: self.common.model, settings: settings), tls: nil)]
        if let certificates {
            let process = try self.setup.start(
                model: self.common.model, settings: settings + certificates.settings())
            targets.append(Target(process, tls: try certificates.verifyingContext()))
        }
        try self.report(try targets.map { try self.measure($0) })
    }

    /// Resident memory, bytes.
    private struct Memory {
        let isSecured: Bool
        let before: Int
        let afterHello: Int
        let afterLookup: Int
    }

    private func measure(_ target: Target) throws -> Memory {
        guard let process = target.process else { throw BenchError("the server was not started here") }
        let keys = ExactKeys(count: 1, responseBytes: self.responseBytes, longest: 1, window: 1)
        let earlier = try self.connect(target, Self.earlier, keys)
        for session in earlier { try self.lookUp(keys, session) }
        let before = self.residentBytes(of: process)
        let sessions = try self.connect(target, self.connections, keys)
        let afterHello = self.residentBytes(of: process)
        for session in sessions { try self.lookUp(keys, session) }
        let afterLookup = self.residentBytes(of: process)
        // All of them must have lasted until then.
        for session in earlier + sessions { try self.lookUp(keys, session) }
        return Memory(
            isSecured: target.tls != nil, before: before, afterHello: afterHello, afterLookup: afterLookup)
    }

    private func connect(_ target: Target, _ count: Int, _ keys: ExactKeys) throws -> [WireSession] {
        _ = try keys.fill(target)
        return try (0..<count).map { _ in try WireSession(target, bufferBytes: Self.bufferBytes) }
    }

    private func lookUp(_ keys: ExactKeys, _ session: WireSession) throws {
        try session.callAll(1, window: 1, request: keys.lookup) { _, response in
            guard case .lookup(.hit) = response else { throw BenchError("an entry just stored is not found") }
        }
    }

    private func residentBytes(of process: ServerProcess) -> Int {
        Thread.sleep(forTimeInterval: self.seconds)
        return process.residentBytes
    }

    private func report(_ measured: [Memory]) throws {
        var table = Table(
            """
            resident memory of a server with \(self.connections) idle connections: read after \(self.seconds) s of \
            rest, compared with that of the same server with \(Self.earlier) connections; first after hello, then after \
            one Lookup each, answered from memory with \(self.responseBytes) bytes. Sockets are the kernel's memory
            """,
            columns: ["connections", "MiB before", "MiB after", "bytes per connection"])
        for memory in measured {
            let kind = memory.isSecured ? "TLS" : "plain TCP"
            for (name, after) in [("said hello", memory.afterHello), ("made a Lookup", memory.afterLookup)] {
                table.add(
                    "\(kind), \(name)", (Double(memory.before) / 0x1p20).text(), (Double(after) / 0x1p20).text(),
                    (Double(after - memory.before) / Double(self.connections)).grouped)
            }
        }
        try table.print(asJSON: self.common.json)
    }
}
