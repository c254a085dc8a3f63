// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// Measures the service and its parts.
///
/// Everything runs on the main thread, which is pinned; so the commands are not asynchronous.
@main
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "semcache-bench",
        abstract: "Measures the service from outside, its parts from inside, and its searches against an oracle.",
        subcommands: [
            Load.self, Micro.self, Scan.self, Redis.self, TLS.self, Idle.self, Embed.self,
            Memory.self, Replicas.self,
        ])
}

/// Says why nothing could be measured, and what to do about it.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// What every subcommand takes.
struct CommonOptions: ParsableArguments {
    @Flag(help: "Prints one JSON object per line of a table.")
    var json = false

    @Option(help: "The folder with the model; the service's own setting or default if not given.")
    var model: String?
}

/// Numbers with commas between them.
struct NumberList<Number: LosslessStringConvertible & Sendable>: ExpressibleByArgument, Sendable {
    let values: [Number]

    init(_ values: [Number]) { self.values = values }

    init?(argument: String) {
        let numbers = argument.split(separator: ",").map { Number(String($0)) }
        let known = numbers.compactMap { $0 }
        guard !known.isEmpty, known.count == numbers.count else { return nil }
        self.values = known
    }

    var defaultValueDescription: String { self.values.map { $0.description }.joined(separator: ",") }
}
