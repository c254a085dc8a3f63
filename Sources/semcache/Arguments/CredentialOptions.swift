// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What the server is shown. No option takes the secret itself: every user of the machine can read a process's
/// arguments.
struct CredentialOptions: ParsableArguments {
    static let keyVariable = "SEMCACHED_API_KEY"
    static let tokenVariable = "SEMCACHED_TOKEN"

    @Option(
        help: ArgumentHelp(
            """
            Read the API key from a file (default: $\(keyVariable)). The key itself is no option: it would show in the \
            list of processes.
            """, valueName: "file"))
    var apiKeyFile: String?

    @Option(
        help: ArgumentHelp("Read a token (JWT) from a file (default: $\(tokenVariable)).", valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("For a gateway's credential: the tenant to act for.", valueName: "name"))
    var tenant: String?

    func validate() throws {
        guard self.apiKeyFile == nil || self.tokenFile == nil else {
            throw ValidationError("Give --api-key-file or --token-file, not both.")
        }
    }

    /// An option comes before the environment.
    func credential(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> CacheCredential {
        if let path = self.apiKeyFile { return .apiKey(try Self.secret(file: path, name: "the API key")) }
        if let path = self.tokenFile { return .token(try Self.secret(file: path, name: "the token")) }
        let key = environment[Self.keyVariable] ?? ""
        let token = environment[Self.tokenVariable] ?? ""
        guard key.isEmpty || token.isEmpty else {
            throw CommandFault("\(Self.keyVariable) and \(Self.tokenVariable) are both set; set one of them")
        }
        if !key.isEmpty { return .apiKey(key) }
        return token.isEmpty ? .none : .token(token)
    }

    /// Without the white space around it, such as the line end that editors add.
    private static func secret(file path: String, name: String) throws -> String {
        let bytes = try Input.bytes(file: path, name: name).split { $0 <= 0x20 }
        guard bytes.count == 1, let secret = bytes.first.flatMap({ String(validating: $0, as: UTF8.self) }) else {
            throw CommandFault("\(name)'s file must hold one word and nothing else")
        }
        return secret
    }
}
