// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct StatsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Shows what the server holds and what it has served since it started.")

    @Option(help: "Name of one cache (default: all).")
    var cache: String?

    @OptionGroup var server: ServerOptions

    func run() async throws {
        let statistics = try await self.server.withClient { try await $0.statistics(of: self.cache) }
        if self.server.json {
            Output.line(JSONText.line(StatisticsObject(statistics)))
        } else {
            for line in StatisticsText.lines(statistics) { Output.line(line) }
        }
    }
}
