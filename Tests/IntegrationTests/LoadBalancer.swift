// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Foundation
import Testing

/// A load balancer with the configuration of `deploy/`, in which only addresses are replaced, before two services, or three.
final class LoadBalancer {
    enum Kind: String, CaseIterable {
        case haproxy
        case nginx
        case envoy

        /// Without the program that the environment names, tests of Envoy do not run: no Debian package has it.
        static var here: [Self] { Self.allCases.filter { (try? $0.program()) != nil } }

        func program() throws -> String {
            if self != .envoy { return "/usr/sbin/\(self.rawValue)" }
            guard let path = ProcessInfo.processInfo.environment["SEMCACHED_TEST_ENVOY"], !path.isEmpty else {
                throw Programs.Missing(description: "set SEMCACHED_TEST_ENVOY to an envoy")
            }
            return path
        }
    }

    let nativePort: Int
    let grpcPort: Int
    private let kind: Kind
    private let process = Process()
    private let folder: URL

    convenience init(_ kind: Kind, before replicas: [Replica]) async throws {
        try await self.init(kind, before: replicas.map(\.ports))
    }

    /// Starts it and waits until it takes a connection to a service.
    ///
    /// - Parameters:
    ///   - replicas: Two, or three for haproxy.
    ///   - credential: With which the services let in the one that asks.
    init(_ kind: Kind, before replicas: [ServicePorts], credential: CacheCredential = .none) async throws {
        self.kind = kind
        let ports = try FreePorts.find(3)
        (self.nativePort, self.grpcPort) = (ports[0], ports[1])
        self.folder = FileManager.default.temporaryDirectory.appendingPathComponent("balancer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
        let program = try kind.program()
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw Programs.Missing(description: "\(program) is needed; deploy/check installs it")
        }
        self.process.executableURL = URL(fileURLWithPath: program)
        var environment = ["PATH": "/usr/bin:/bin"]
        switch kind {
        case .haproxy:
            self.process.arguments = ["-db", "-f", Self.deployed("haproxy/haproxy.cfg").path]
            environment["NATIVE_BIND"] = "127.0.0.1:\(ports[0])"
            environment["GRPC_BIND"] = "127.0.0.1:\(ports[1])"
            environment["STATUS_BIND"] = "127.0.0.1:\(ports[2])"
            environment["MAXIMUM_CONNECTIONS"] = "1000"
            for (name, replica) in zip(["A", "B", "C"], replicas) {
                environment["\(name)_HOST"] = "127.0.0.1"
                environment["\(name)_NATIVE_PORT"] = "\(replica.native)"
                environment["\(name)_GRPC_PORT"] = "\(replica.grpc)"
                environment["\(name)_ADMIN_PORT"] = "\(replica.admin)"
            }
        case .nginx:
            var text = try String(contentsOf: Self.deployed("nginx/nginx.conf"), encoding: .utf8)
            for (port, here) in [7070: ports[0], 7071: ports[1]] {
                text = text.replacingOccurrences(of: "listen \(port) ", with: "listen 127.0.0.1:\(here) ")
            }
            for (host, replica) in zip(["192.0.2.11", "192.0.2.12"], replicas) {
                for (port, here) in [7070: replica.native, 7071: replica.grpc] {
                    text = text.replacingOccurrences(of: "\(host):\(port)", with: "127.0.0.1:\(here)")
                }
            }
            let file = self.folder.appendingPathComponent("nginx.conf")
            try text.write(to: file, atomically: true, encoding: .utf8)
            let globals = "daemon off; pid \(self.folder.path)/nginx.pid;"
            self.process.arguments = ["-c", file.path, "-g", globals]
        case .envoy:
            var text = try String(contentsOf: Self.deployed("envoy/envoy.yaml"), encoding: .utf8)
            for (host, replica) in zip(["192.0.2.11", "192.0.2.12"], replicas) {
                for (port, here) in [7070: replica.native, 7071: replica.grpc] {
                    text = text.replacingOccurrences(
                        of: """
                            {address: \(host), port_value: \(port)}}
                                              health_check_config: {port_value: 7072}
                            """,
                        with: """
                            {address: 127.0.0.1, port_value: \(here)}}
                                              health_check_config: {port_value: \(replica.admin)}
                            """)
                }
            }
            for (listener, here) in [
                "0.0.0.0, port_value: 7070": ports[0], "0.0.0.0, port_value: 7071": ports[1],
                "127.0.0.1, port_value: 9901": ports[2],
            ] {
                text = text.replacingOccurrences(of: listener, with: "127.0.0.1, port_value: \(here)")
            }
            let file = self.folder.appendingPathComponent("envoy.yaml")
            try text.write(to: file, atomically: true, encoding: .utf8)
            self.process.arguments = ["-c", file.path, "--use-dynamic-base-id", "--log-level", "warning"]
        }
        self.process.environment = environment
        self.process.standardInput = FileHandle.nullDevice
        self.process.standardOutput = FileHandle.nullDevice
        let log = self.folder.appendingPathComponent("log")
        try Data().write(to: log)
        self.process.standardError = try FileHandle(forWritingTo: log)
        try self.process.run()

        var configuration = ClientConfiguration(self.address)
        configuration.waitsForConnection = true
        configuration.timeout = .seconds(30)
        configuration.credential = credential
        do {
            try await CacheClient.withClient(configuration) { _ = try await $0.ping() }
        } catch {
            let said = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
            throw Programs.Missing(description: "\(kind) lets nobody through: \(error); it says: \(said)")
        }
    }

    deinit {
        if self.process.isRunning {
            // Foundation starts programs with the signals blocked that the thread blocks, and Envoy leaves it at that;
            // nginx's workers would survive a kill of their master.
            kill(self.process.processIdentifier, self.kind == .envoy ? SIGKILL : SIGTERM)
            self.process.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: self.folder)
    }

    var address: ServerAddress { ServerAddress(host: "127.0.0.1", port: self.nativePort) }

    /// A file of `deploy/`.
    private static func deployed(_ path: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../deploy/\(path)")
            .standardizedFileURL
    }
}

/// A service whose answer to ``question`` tells that it was this one.
struct Replica {
    static let question = "How do I reset my password?"

    let name: String
    let service: RunningService
    let ports: ServicePorts

    /// - Parameter drainDelay: In seconds.
    init(_ name: String, drainDelay: Int) async throws {
        self.name = name
        self.ports = try ServicePorts.find()
        self.service = try await RunningService(
            port: self.ports.native,
            settings: [
                "grpc.port=\(self.ports.grpc)", "admin.port=\(self.ports.admin)",
                "server.drain_delay=\(drainDelay)s", "server.grace_period=20s",
            ])
        let stored = try await self.service.semcache("store", Self.question, name)
        try #require(stored.status == 0, "\(stored.errors)")
    }
}

/// Where a service listens.
struct ServicePorts {
    let native: Int
    let grpc: Int
    let admin: Int

    /// Free ones.
    static func find() throws -> Self {
        let ports = try FreePorts.find(3)
        return Self(native: ports[0], grpc: ports[1], admin: ports[2])
    }
}

/// Ports that nobody listens on, for programs that cannot say which one the system has given them.
enum FreePorts {
    /// Not among those that the system gives to others, who could take one before it is used.
    private static let candidates = 15_000...32_000

    static func find(_ count: Int) throws -> [Int] {
        // All at once, so that none comes twice.
        var sockets: [Int32] = []
        defer { for socket in sockets { close(socket) } }
        return try (0..<count).map { _ in
            for _ in 0..<1000 {
                let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                sockets.append(descriptor)
                let port = Int.random(in: Self.candidates)
                if Self.bind(descriptor, to: port) { return port }
            }
            throw Programs.Missing(description: "no free port: \(errno)")
        }
    }

    private static func bind(_ descriptor: Int32, to port: Int) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
