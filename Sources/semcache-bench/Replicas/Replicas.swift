// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel
import CacheWire
import Foundation

/// What it costs that several services are one cache.
struct Replicas: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures services that share a Redis.",
        discussion: """
            Starts semcached several times on one Redis, which should have nothing else to do and is left with entries of \
            a tenant of its own. Measured are Invalidates of an entry that all services have in memory, by how many they \
            are, and with one of them standing still (SIGSTOP); a mixed load on one service and on two, each on a core \
            of its own; and hits from memory with and without a lease.
            """)

    @OptionGroup var common: CommonOptions

    @OptionGroup var setup: SetupOptions

    @Option(help: ArgumentHelp("The Redis, such as redis://127.0.0.1:6379.", valueName: "URL"))
    var redis: String

    @Option(help: "Numbers of services, 1 to 16 each.")
    var replicas = NumberList([1, 3, 8])

    @Option(help: "Invalidates for each number of services.")
    var removals = 500

    @Option(help: "How often one service stands still, for each number of services but one.")
    var pauses = 5

    @Option(help: "Rounds of the mixed load and of the hits; 0 leaves both out.")
    var rounds = 5

    @Option(help: "Seconds of one measurement of the mixed load; four times that of the hits.")
    var seconds = 4.0

    @Option(help: "Requests of the mixed load that are in flight at each service.")
    var depth = 32

    func validate() throws {
        guard self.replicas.values.allSatisfy({ (1...16).contains($0) }) else {
            throw ValidationError("1 to 16 services can be started")
        }
        guard self.removals > 0, self.pauses >= 0, self.rounds >= 0, self.seconds > 0, self.depth > 0 else {
            throw ValidationError("numbers are positive")
        }
    }

    func run() throws {
        try Machine.printFacts(asJSON: self.common.json)
        try Machine.pinThread(to: self.setup.clientCore)
        try RemovalLatency(options: self).run()
        guard self.rounds > 0 else { return }
        try ReplicaThroughput(options: self).run()
        try LeaseCost(options: self).run()
    }

    /// Starts services on the Redis, each of which lets everybody in as the same tenant.
    ///
    /// - Parameter cores: Of each, as `taskset` takes them.
    func start(cores: [String], settings: [String] = []) throws -> [ServerProcess] {
        try cores.map { cores in
            var setup = self.setup
            setup.serverCores = cores
            return try setup.start(
                model: self.common.model, settings: ["store.url=\(self.redis)", "embedder.threads=1"] + settings)
        }
    }
}

extension WireSession {
    /// Makes one call.
    func call(_ request: ServiceRequest) throws -> ServiceResponse {
        var answer: ServiceResponse?
        try self.callAll(1, window: 1) { _ in
            request
        } reply: { _, response in
            answer = response
        }
        guard let answer else { throw BenchError("the server did not answer") }
        return answer
    }
}
