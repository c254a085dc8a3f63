// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct PingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping", abstract: "Asks the server, or each of several, whether it is there, and how far.")

    @Option(help: "How many times to ask.")
    var count = 1

    @OptionGroup var server: ServerOptions

    func validate() throws {
        guard (1...1_000_000).contains(self.count) else { throw ValidationError("--count must be 1 to 1000000.") }
    }

    func run() async throws {
        let configuration = try self.server.clientConfiguration()
        var firstError: (any Error)?
        for address in configuration.addresses {
            do {
                try await self.ping(address, configuration)
            } catch {
                // The others are asked all the same.
                if firstError == nil { firstError = error }
            }
        }
        if let firstError { throw firstError }
    }

    private func ping(_ address: ServerAddress, _ configuration: ClientConfiguration) async throws {
        var configuration = configuration
        configuration.address = address
        try await CacheClient.withClient(configuration) { client in
            // Connects, so that what follows measures the way there and back only.
            _ = try await client.ping()
            for _ in 0..<self.count {
                let ping = try await client.ping()
                self.report(ping, from: address)
            }
        }
    }

    private func report(_ ping: ServerPing, from address: ServerAddress) {
        let milliseconds = ping.roundTrip / .milliseconds(1)
        if self.server.json {
            Output.line(
                JSONText.line(
                    PingObject(
                        server: address.description, serverVersion: ping.serverVersion,
                        roundTripMilliseconds: milliseconds)))
        } else {
            let time = NumberText.fixed(milliseconds, digits: 3)
            Output.line("\(address): semcached \(Output.printable(ping.serverVersion)), \(time) ms")
        }
    }
}

private struct PingObject: Encodable {
    let server: String
    let serverVersion: String
    let roundTripMilliseconds: Double

    enum CodingKeys: String, CodingKey {
        case server
        case serverVersion = "server_version"
        case roundTripMilliseconds = "round_trip_ms"
    }
}
