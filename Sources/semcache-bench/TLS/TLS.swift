// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// What TLS costs: `--throughput` or `--handshakes`.
struct TLS: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures what TLS costs: calls beside plain TCP, handshakes beside openssl s_server.",
        discussion: """
            --throughput starts two semcached, one with TLS, and measures Lookups that the memory answers, in turns.
            --handshakes starts semcached with one thread and openssl s_server with the same certificate, and measures \
            TLS 1.3 handshakes with each, in turns: full and resumed, with and without a client's certificate.
            """)

    @OptionGroup var common: CommonOptions

    @OptionGroup var setup: SetupOptions

    @Option(help: ArgumentHelp("The certificates: a folder that deploy/certs has made.", valueName: "folder"))
    var certificates: String

    @Flag(help: "Measures calls.")
    var throughput = false

    @Flag(help: "Measures handshakes.")
    var handshakes = false

    @Option(help: "Connections, for --throughput.")
    var connections = NumberList([1, 16])

    @Option(help: "Bytes of a response, for --throughput.")
    var responseBytes = NumberList([200, 2000])

    @Option(help: "Requests in flight on each connection, for --throughput.")
    var depths = NumberList([1, 16, 128])

    @Option(help: "Distinct prompts, for --throughput.")
    var keys = 1000

    @Option(help: "Handshakes at a time, for --handshakes.")
    var parallel = NumberList([1, 8])

    @Option(help: "The openssl to run.")
    var openssl = "openssl"

    @Option(help: "Rounds, each of which measures everything once.")
    var rounds = 7

    @Option(help: "Seconds of one measurement.")
    var seconds = 1.0

    func validate() throws {
        guard self.throughput != self.handshakes else {
            throw ValidationError("one of --throughput and --handshakes must be given")
        }
        guard self.rounds > 0, self.seconds > 0 else { throw ValidationError("rounds and seconds are positive") }
        guard self.keys > 0, self.depths.values.allSatisfy({ (1...min(1000, self.keys)).contains($0) }) else {
            throw ValidationError("a depth is 1…1000 and at most the number of keys")
        }
        guard (self.connections.values + self.parallel.values).allSatisfy({ (1...256).contains($0) }) else {
            throw ValidationError("connections, and handshakes at a time, are 1…256")
        }
        guard self.responseBytes.values.allSatisfy({ (1...4096).contains($0) }) else {
            throw ValidationError("a response has 1…4096 bytes")
        }
    }

    func run() throws {
        try Machine.printFacts(asJSON: self.common.json)
        let certificates = try CertificateFolder(self.certificates)
        // Threads that are started from here on inherit it.
        try Machine.pinThread(to: self.setup.clientCore)
        if self.throughput {
            try CallsOverTLS(options: self, certificates: certificates).run()
        } else {
            try Handshakes(options: self, certificates: certificates).run()
        }
    }
}
