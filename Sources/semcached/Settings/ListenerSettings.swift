// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import Foundation
import OpenSSLTLS

/// Where the service listens, and what it bears.
struct ListenerSettings: Equatable {
    struct Endpoint: Equatable {
        var host: String
        var port: Int

        /// Whether the system cannot give both: not for port 0, for which it chooses one.
        func collides(with other: Endpoint) -> Bool {
            let all = ["0.0.0.0", "::"]
            return self.port != 0 && self.port == other.port
                && (self.host == other.host || all.contains(self.host) || all.contains(other.host))
        }
    }

    var native: Endpoint
    /// `nil` if it is switched off.
    var grpc: Endpoint?
    /// `nil` if it is switched off.
    var admin: Endpoint?
    var threads: Int
    var limits: ConnectionLimits
    /// What calls in flight get when the service is told to stop.
    var gracePeriod: Duration
    /// Time before that in which it says that it is not ready, and goes on: load balancers look only now and then.
    var drainDelay: Duration
    var reflects: Bool

    static let keys: Set<String> = [
        "server.host", "server.port", "server.threads", "server.grace_period", "server.drain_delay",
        "server.maximum_connections", "server.maximum_handshakes", "server.handshakes_per_address",
        "server.handshake_deadline", "server.frame_deadline", "server.write_deadline", "server.idle_deadline",
        "server.calls_in_flight", "grpc.enabled", "grpc.host", "grpc.port", "grpc.reflection", "admin.enabled",
        "admin.host", "admin.port",
    ]

    /// - Throws: ``SettingsError``.
    init(_ source: some SettingsReader) throws {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let host = try Self.host("server.host", source) ?? "127.0.0.1"
        self.native = Endpoint(host: host, port: try source.integer("server.port", in: 0...65_535) ?? 7070)
        self.grpc = try Self.endpoint("grpc", source, host: host, port: 7071)
        self.admin = try Self.endpoint("admin", source, host: "127.0.0.1", port: 7072)
        self.reflects = try source.boolean("grpc.reflection") ?? true
        self.threads = try source.integer("server.threads", in: 1...256) ?? min(cores, 8)
        self.gracePeriod = try source.duration("server.grace_period", atLeast: .zero) ?? .seconds(10)
        self.drainDelay = try source.duration("server.drain_delay", atLeast: .zero) ?? .zero
        self.limits = try Self.limits(source)
        let endpoints = [self.native, self.grpc, self.admin].compactMap { $0 }
        for (index, endpoint) in endpoints.enumerated()
        where endpoints[..<index].contains(where: { $0.collides(with: endpoint) }) {
            throw SettingsError("server.port, grpc.port and admin.port must differ, unless they are of different hosts")
        }
    }

    /// - Returns: The host without the brackets that an IPv6 address has in a URL.
    private static func host(_ key: String, _ source: some SettingsReader) throws -> String? {
        guard let host = try source.string(key), host.first == "[", host.last == "]" else {
            return try source.string(key)
        }
        return String(host.dropFirst().dropLast())
    }

    private static func endpoint(
        _ section: String, _ source: some SettingsReader, host: String, port: Int
    ) throws -> Endpoint? {
        let endpoint = Endpoint(
            host: try Self.host("\(section).host", source) ?? host,
            port: try source.integer("\(section).port", in: 0...65_535) ?? port)
        return try source.boolean("\(section).enabled") ?? true ? endpoint : nil
    }

    private static func limits(_ source: some SettingsReader) throws -> ConnectionLimits {
        var limits = ConnectionLimits()
        let second = Duration.seconds(1)
        limits.maximumConnections =
            try source.integer("server.maximum_connections", in: 1...1_000_000) ?? limits.maximumConnections
        limits.maximumUnauthenticatedConnections =
            try source.integer("server.maximum_handshakes", in: 1...1_000_000)
            ?? limits.maximumUnauthenticatedConnections
        limits.maximumUnauthenticatedConnectionsPerAddress =
            try source.integer("server.handshakes_per_address", in: 1...1_000_000)
            ?? limits.maximumUnauthenticatedConnectionsPerAddress
        limits.maximumCallsInFlight =
            try source.integer("server.calls_in_flight", in: 1...Limits.maximumCallsInFlight)
            ?? limits.maximumCallsInFlight
        limits.handshakeDeadline =
            try source.duration("server.handshake_deadline", atLeast: second) ?? limits.handshakeDeadline
        limits.frameDeadline = try source.duration("server.frame_deadline", atLeast: second) ?? limits.frameDeadline
        limits.writeDeadline = try source.duration("server.write_deadline", atLeast: second) ?? limits.writeDeadline
        if let idle = try source.duration("server.idle_deadline", atLeast: .zero) {
            guard idle == .zero || idle >= second else {
                throw SettingsError("server.idle_deadline must be at least 1s, or 0s for none")
            }
            limits.idleDeadline = idle > .zero ? idle : nil
        }
        return limits
    }

    /// - Throws: ``SettingsError`` for a port that anybody could reach, and use.
    func check(hasCredentials: Bool) throws {
        for (name, endpoint) in [("server", self.native), ("grpc", self.grpc)] {
            guard let endpoint, !hasCredentials, !Self.isLoopback(endpoint.host) else { continue }
            throw SettingsError(
                """
                \(name).host is \(endpoint.host), and no credentials are configured: without tenants' api_keys or \
                certificates, gateways or tokens the service listens on loopback only (127.0.0.1, ::1 or localhost)
                """)
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "::1" || host == "localhost" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
