// SPDX-License-Identifier: Apache-2.0

import CacheModel
import OpenSSLTLS

/// Lookups that are answered from the server's memory, over TLS and over plain TCP: two servers in the same rounds.
struct CallsOverTLS {
    let options: TLS
    let certificates: CertificateFolder
    private static let goal = 0.6

    private struct Contender: Hashable {
        let isSecured: Bool
        let connections: Int
    }

    /// A server and connections to it.
    private struct Side {
        let target: Target
        let sessions: [WireSession]

        init(_ process: ServerProcess, tls: TLSContext?, connections: Int) throws {
            let target = Target(process, tls: tls)
            self.target = target
            self.sessions = try (0..<connections).map { _ in try WireSession(target) }
        }
    }

    func run() throws {
        let settings = ["server.threads=1"]
        let (setup, model) = (self.options.setup, self.options.common.model)
        let connections = self.options.connections.values.max() ?? 1
        let plain = try Side(
            try setup.start(model: model, settings: settings), tls: nil, connections: connections)
        let secured = try Side(
            try setup.start(model: model, settings: settings + self.certificates.settings()),
            tls: try self.certificates.verifyingContext(), connections: connections)
        for bytes in self.options.responseBytes.values {
            let keys = ExactKeys(
                count: self.options.keys, responseBytes: bytes, longest: self.options.depths.values.max() ?? 1,
                window: 256)
            let turns = Turns(
                depths: self.options.depths.values, rounds: self.options.rounds, seconds: self.options.seconds)
            for side in [plain, secured] { _ = try keys.fill(side.target) }
            let contenders = try self.options.connections.values.flatMap { connections in
                try [plain, secured].map { side in
                    (
                        Contender(isSecured: side.target.tls != nil, connections: connections),
                        try keys.measurement(Array(side.sessions.prefix(connections)), of: side.target.process)
                    )
                }
            }
            try self.report(try turns.measure(contenders), responseBytes: bytes)
        }
    }

    private func report(_ samples: [Int: [Contender: [Sample]]], responseBytes: Int) throws {
        var table = Table(
            """
            exact Lookups from memory over TLS 1.3, beside the same over plain TCP: servers of one thread on core \
            \(self.options.setup.serverCores), generator on core \(self.options.setup.clientCore), \
            \(self.options.keys) keys, responses of \(responseBytes) bytes; medians of \(self.options.rounds) \
            interleaved rounds of \(self.options.seconds) s, and ratios of the medians. Both ends encrypt; where the \
            generator's processor time is above the server's, the generator is the limit.
            """,
            columns: [
                "connections × depth", "calls/s plain", "TLS", "TLS ÷ plain", "p50 µs plain", "p50 TLS",
                "server CPU µs/call plain", "server TLS", "generator CPU µs/call plain", "generator TLS", "goal",
            ])
        for connections in self.options.connections.values {
            for depth in self.options.depths.values {
                let plain = samples[depth]?[Contender(isSecured: false, connections: connections)] ?? []
                let secured = samples[depth]?[Contender(isSecured: true, connections: connections)] ?? []
                let ratio = secured.map(\.rate).median / plain.map(\.rate).median
                func time(_ runs: [Sample], _ value: KeyPath<Sample, Double>) -> String {
                    (runs.map { $0[keyPath: value] }.median / 1000).text(3)
                }
                table.add(
                    "\(connections) × \(depth)", plain.map(\.rate).median.grouped, secured.map(\.rate).median.grouped,
                    ratio.text(2) + "×", plain.map(\.p50).median.microseconds, secured.map(\.p50).median.microseconds,
                    time(plain, \.serverTime), time(secured, \.serverTime), time(plain, \.clientTime),
                    time(secured, \.clientTime),
                    "≥ \(Self.goal.text(2))×: \(ratio >= Self.goal ? "met" : "missed")")
            }
        }
        try table.print(asJSON: self.options.common.json)
    }
}
