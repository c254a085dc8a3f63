// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix

/// Handshakes of semcached and of `openssl s_server`, in the same rounds.
struct Handshakes {
    let options: TLS
    let certificates: CertificateFolder

    private enum Server: CaseIterable {
        case semcached
        case openssl
    }

    private struct Contender: Hashable {
        let server: Server
        let isResumed: Bool
        let showsCertificate: Bool
    }

    func run() throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result = Result { try self.measure(group) }
        try group.syncShutdownGracefully()
        try self.report(try result.get())
    }

    private func measure(_ group: MultiThreadedEventLoopGroup) throws -> [Int: [Contender: [Sample]]] {
        var contenders: [(Contender, Measurement)] = []
        for showsCertificate in [false, true] {
            let servers = try Server.allCases.map { ($0, try self.start($0, requiresClients: showsCertificate)) }
            for isResumed in [false, true] {
                for (server, process) in servers {
                    let loop = try self.loop(group, process, isResumed: isResumed, showsCertificate: showsCertificate)
                    contenders.append(
                        (
                            Contender(server: server, isResumed: isResumed, showsCertificate: showsCertificate),
                            { parallel, seconds in try loop.run(parallel: parallel, seconds: seconds, server: process) }
                        ))
                }
            }
        }
        let turns = Turns(
            depths: self.options.parallel.values, rounds: self.options.rounds, seconds: self.options.seconds)
        return try turns.measure(contenders)
    }

    private func start(_ server: Server, requiresClients: Bool) throws -> ServerProcess {
        switch server {
        case .semcached:
            let settings = ["server.threads=1"] + self.certificates.settings(requiresClients: requiresClients)
            return try self.options.setup.start(model: self.options.common.model, settings: settings)
        case .openssl:
            return try ServerProcess.openssl(
                self.options.openssl, self.certificates.arguments(requiresClients: requiresClients),
                cores: self.options.setup.serverCores)
        }
    }

    private func loop(
        _ group: MultiThreadedEventLoopGroup, _ process: ServerProcess, isResumed: Bool, showsCertificate: Bool
    ) throws -> HandshakeLoop {
        let contexts = try (0..<(self.options.parallel.values.max() ?? 1)).map { _ in
            try self.certificates.hastyContext(showsCertificate: showsCertificate)
        }
        let loop = HandshakeLoop(group: group, port: process.port, contexts: contexts, isResumed: isResumed)
        if isResumed { try loop.prepare() }
        return loop
    }

    private func report(_ samples: [Int: [Contender: [Sample]]]) throws {
        var table = Table(
            """
            TLS 1.3 handshakes, P-256 certificate: semcached with one thread and openssl s_server, which serves one \
            connection at a time, both on core \(self.options.setup.serverCores); one client for both on core \
            \(self.options.setup.clientCore), which does not verify the server; connections that end after it; medians \
            of \(self.options.rounds) interleaved rounds of \(self.options.seconds) s, ratios of the medians. Where a \
            server is not busy, the client is the limit, and processor time says more. Latency: from connecting to the \
            end of the handshake, at the client.
            """,
            columns: [
                "handshake, at a time", "semcached/s", "s_server/s", "ratio", "p50 µs semcached", "p50 s_server",
                "CPU µs semcached", "CPU s_server", "CPU ratio", "busy % semcached", "busy s_server",
            ])
        for showsCertificate in [false, true] {
            for isResumed in [false, true] {
                for parallel in self.options.parallel.values {
                    func runs(_ server: Server) -> [Sample] {
                        let contender = Contender(
                            server: server, isResumed: isResumed, showsCertificate: showsCertificate)
                        return samples[parallel]?[contender] ?? []
                    }
                    let kind = (isResumed ? "resumed" : "full") + (showsCertificate ? ", client certificate" : "")
                    table.add(self.row("\(kind), \(parallel)", runs(.semcached), runs(.openssl)))
                }
            }
        }
        try table.print(asJSON: self.options.common.json)
    }

    private func row(_ name: String, _ ours: [Sample], _ theirs: [Sample]) -> [String] {
        func median(_ runs: [Sample], _ value: (Sample) -> Double) -> Double { runs.map(value).median }
        func busy(_ runs: [Sample]) -> String { median(runs) { $0.rate * $0.serverTime / 1e7 }.text(0) }
        let rates = (median(ours, \.rate), median(theirs, \.rate))
        let times = (median(ours, \.serverTime), median(theirs, \.serverTime))
        return [
            name, rates.0.grouped, rates.1.grouped, (rates.0 / rates.1).text(2) + "×",
            median(ours, \.p50).microseconds, median(theirs, \.p50).microseconds, times.0.microseconds,
            times.1.microseconds, (times.0 / times.1).text(2) + "×", busy(ours), busy(theirs),
        ]
    }
}
