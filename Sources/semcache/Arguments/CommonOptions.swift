// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What every command takes.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Where the server listens, such as cache.internal:7070 or semcached+tls://cache.internal (default: \
            $SEMCACHED_SERVER, or 127.0.0.1:7070). Of several replicas, with commas between them or the option \
            repeated, one that is well is asked.
            """, valueName: "server"))
    var server: [String] = []

    @OptionGroup var transport: TLSOptions

    @OptionGroup var credential: CredentialOptions

    @Option(help: "Time that a call may take, such as 500ms, 10s or 1m.")
    var timeout = DurationText(.seconds(10))

    @Flag(help: "Print JSON.")
    var json = false

    func clientConfiguration() throws -> ClientConfiguration {
        var configuration = ClientConfiguration()
        let variable = ProcessInfo.processInfo.environment["SEMCACHED_SERVER"] ?? ""
        let texts = self.server.isEmpty && !variable.isEmpty ? [variable] : self.server
        if !texts.isEmpty { configuration.addresses = try Self.addresses(texts) }
        // One that asks for TLS asks for it everywhere.
        let address = configuration.addresses.first { $0.usesTLS } ?? configuration.address
        configuration.transportSecurity = try self.transport.security(of: address)
        configuration.timeout = self.timeout.duration
        configuration.connectTimeout = min(configuration.connectTimeout, self.timeout.duration)
        configuration.clientName = "semcache/\(versionText)"
        configuration.credential = try self.credential.credential()
        configuration.tenant = self.credential.tenant
        return configuration
    }

    /// - Parameter texts: Each with one address, or several with commas between them.
    private static func addresses(_ texts: [String]) throws -> [ServerAddress] {
        try texts.flatMap { text in
            try text.split(separator: ",", omittingEmptySubsequences: false).map { item in
                try ServerAddress(String(item.drop { $0 == " " }))
            }
        }
    }

    func withClient<Value>(_ body: (CacheClient) async throws -> Value) async throws -> Value {
        try await CacheClient.withClient(try self.clientConfiguration(), body)
    }
}

/// What every command that is about one cache takes.
struct CacheOptions: ParsableArguments {
    @Option(help: "Name of the cache.")
    var cache = "default"
}

struct VaryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "An exact-match part of the prompt's identity, such as model=small. May be repeated.",
            valueName: "name=value"))
    var vary: [NamedText] = []

    func parts() throws -> [String: String] {
        try NamedText.dictionary(self.vary.map { ($0.name, $0.text) }, option: "--vary")
    }
}

/// How similar: the one number, given either way round.
struct Similarity {
    /// - Returns: −1…1; `nil` if neither is given.
    static func from(
        similarity: Float?, distance: Float?, option: String
    ) throws -> Float? {
        switch (similarity, distance) {
        case (nil, nil):
            return nil
        case (.some, .some):
            throw ValidationError("Give \(option) or --distance, not both.")
        case (let similarity?, nil):
            guard similarity >= -1, similarity <= 1 else { throw ValidationError("\(option) must be -1 to 1.") }
            return similarity
        case (nil, let distance?):
            guard distance >= 0, distance <= 2 else { throw ValidationError("--distance must be 0 to 2.") }
            return 1 - distance
        }
    }
}
