// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation

/// Load on a server: `--exact`, `--layer`, `--semantic`, `--fairness` or `--import FILE`.
struct Load: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Puts load on a semcached, its own or a running one.",
        discussion: """
            --exact measures Lookups that the memory answers, and Redis on the same core in the same rounds.
            --layer measures Lookups that the memory answers with and without API key, roles and quotas.
            --semantic measures Lookups of questions that are not stored, and the bare embedding of the same questions.
            --fairness measures one tenant's Lookups of questions that are not stored, alone and while another floods.
            --import stores what a file holds, many calls in flight.
            All of them go over TLS with --ca-file; Redis does not.
            With --rate, requests leave at their time whether or not replies came, and latencies count from that time.
            """)

    @OptionGroup var common: CommonOptions

    @OptionGroup var setup: SetupOptions

    @OptionGroup var tls: ClientTLSOptions

    @Flag(help: "Measures exact Lookups beside Redis.")
    var exact = false

    @Flag(help: "Measures exact Lookups with tenants and quotas beside the same without.")
    var layer = false

    @Flag(help: "Measures semantic Lookups beside the bare embedding.")
    var semantic = false

    @Flag(help: "Measures semantic Lookups of a tenant beside another one's flood.")
    var fairness = false

    @Option(name: .customLong("import"), help: "A file of questions, or of NDJSON with prompt and response, to store.")
    var importFile: String?

    @Option(help: "A file of questions, one per line, for --semantic and --fairness.")
    var questions: String?

    @Option(help: "host:port of a running semcached (IPv4); without it one is started with a store of its own.")
    var connect: String?

    @Option(help: "The redis-server and redis-benchmark to run are in this folder.")
    var redisFolder: String?

    @Flag(help: "Leaves Redis out of --exact, as when the server is profiled.")
    var withoutRedis = false

    @Option(help: "Requests in flight, for --exact and --layer.")
    var depths = NumberList([1, 16, 128])

    @Option(help: "Rounds, each of which measures everything once.")
    var rounds = 7

    @Option(help: "Seconds of one measurement; ten times as many for --fairness.")
    var seconds = 1.0

    @Option(help: "Bytes of a response.")
    var responseBytes = 512

    @Option(help: "Distinct prompts, for --exact and --layer.")
    var keys = 1000

    @Option(help: "Entries stored before --semantic and --fairness measure.")
    var entries = 10_000

    @Option(help: "Lookups that --semantic measures at most.")
    var lookups = 2000

    @Option(help: "Tokens of the questions looked up by --semantic, [CLS] and [SEP] among them.")
    var tokens = 12

    @Option(help: "Requests per second of open-loop load; 50 for --fairness if not given.")
    var rate: Double?

    @Option(help: "Calls in flight of --import, and of the flood of --fairness.")
    var window = 256

    func validate() throws {
        let modes = [self.exact, self.layer, self.semantic, self.fairness, self.importFile != nil].filter { $0 }.count
        guard modes == 1 else {
            throw ValidationError("one of --exact, --layer, --semantic, --fairness and --import must be given")
        }
        guard !(self.semantic || self.fairness) || self.questions != nil else {
            throw ValidationError("--semantic and --fairness need --questions")
        }
        guard !(self.layer || self.fairness) || self.connect == nil else {
            throw ValidationError("--layer and --fairness start servers with tenants of their own")
        }
        guard self.rate == nil || self.exact || self.semantic || self.fairness else {
            throw ValidationError("--rate is for --exact, --semantic and --fairness")
        }
        guard self.rate.map({ $0 > 0 }) ?? true, self.rounds > 0, self.seconds > 0 else {
            throw ValidationError("rates, rounds and seconds are positive")
        }
        guard self.keys > 0, self.depths.values.allSatisfy({ (1...min(1000, self.keys)).contains($0) }) else {
            throw ValidationError("a depth is 1…1000 and at most the number of keys")
        }
    }

    func run() throws {
        try Machine.printFacts(asJSON: self.common.json)
        try Machine.pinThread(to: self.setup.clientCore)
        if self.exact { return try ExactLoad(options: self).run() }
        if self.layer { return try LayerLoad(options: self).run() }
        if self.semantic { return try SemanticLoad(options: self).run() }
        if self.fairness { return try FairnessLoad(options: self).run() }
        try ImportLoad(options: self).run()
    }

    var turns: Turns { Turns(depths: self.depths.values, rounds: self.rounds, seconds: self.seconds) }

    /// Starts a semcached, or says where the given one is.
    ///
    /// - Parameter tenants: Of the one that is started; without any it lets everybody in.
    func target(settings: [String], tenants: [BenchTenant] = []) throws -> Target {
        let tls = try self.tls.context()
        if let connect = self.connect {
            let parts = connect.split(separator: ":")
            guard parts.count == 2, let port = Int(parts[1]) else { throw BenchError("--connect takes host:port") }
            return Target(host: String(parts[0]), port: port, tls: tls)
        }
        let process = try self.setup.start(model: self.common.model, settings: settings, tenants: tenants)
        return Target(process, tls: tls)
    }

    /// For titles.
    var transport: String { self.tls.caFile == nil ? "" : " over TLS" }
}
