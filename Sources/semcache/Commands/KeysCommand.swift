// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Makes API keys. The server is told their digests only.",
        subcommands: [NewKeyCommand.self, HashKeyCommand.self])
}

struct NewKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Makes a key and shows it, this once, with what the server's configuration needs."
    )

    @Option(help: ArgumentHelp("The tenant that the key is for.", valueName: "name"))
    var tenant: String?

    @Option(help: "What the key allows: \(Roles.all.names.joined(separator: ", ")), with commas.")
    var roles = RoleNames(.init([.read, .write]))

    @Flag(help: "Print JSON.")
    var json = false

    func validate() throws {
        guard let tenant = self.tenant else { return }
        guard (1...Limits.maximumTenantNameBytes).contains(tenant.utf8.count) else {
            throw ValidationError("--tenant must have 1 to \(Limits.maximumTenantNameBytes) bytes.")
        }
    }

    func run() async throws {
        var generator = SystemRandomNumberGenerator()
        let key = APIKey(from: &generator)
        if self.json {
            Output.line(
                JSONText.line(
                    NewKeyObject(
                        key: key.text, sha256: key.digest, roles: self.roles.roles.names, tenant: self.tenant)))
        } else {
            for line in self.text(key) { Output.line(line) }
        }
    }

    func text(_ key: APIKey) -> [String] {
        let entry = [
            "api_keys:", "  - sha256: \(key.digest)",
            "    roles: [\(self.roles.roles.names.joined(separator: ", "))]",
        ]
        let snippet = self.tenant.map { tenant in
            ["tenants:", "  - name: \(APIKey.quoted(tenant))"] + entry.map { "    " + $0 }
        }
        return ["key     \(key.text)", "sha256  \(key.digest)", "", "# For the server's configuration:"]
            + (snippet ?? entry)
    }
}

struct HashKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash", abstract: "Reads a key from the standard input and shows its SHA-256.")

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let digest = try APIKey(read: try Input.bytes(file: "-", name: "the key")).digest
        Output.line(self.json ? JSONText.line(KeyDigestObject(sha256: digest)) : digest)
    }
}

/// What a client shows; the server knows the digest.
struct APIKey {
    let text: String

    /// 256 random bits after a prefix that tools which search for leaked secrets can be taught.
    init(from generator: inout some RandomNumberGenerator) {
        let bytes = (0..<4).flatMap { _ in withUnsafeBytes(of: generator.next() as UInt64) { Array($0) } }
        let digits = Data(bytes).base64EncodedString().compactMap { digit -> Character? in
            switch digit {
            case "+": "-"
            case "/": "_"
            case "=": nil
            default: digit
            }
        }
        self.text = "smc_" + digits
    }

    /// Takes one word; white space around it, such as a line's end, is none of the key's.
    init(read bytes: [UInt8]) throws {
        let words = bytes.split { $0 <= 0x20 }
        guard words.count == 1, let word = words.first, word.count <= Limits.maximumAPIKeyBytes,
            let text = String(validating: word, as: UTF8.self)
        else {
            throw CommandFault("the key must be one word of up to \(Limits.maximumAPIKeyBytes) bytes")
        }
        self.text = text
    }

    /// SHA-256 of the text, in hexadecimal digits.
    var digest: String { Digest(ofAPIKey: self.text).hexadecimal }

    /// A string of YAML that cannot end early, break its line or control a terminal.
    static func quoted(_ text: String) -> String {
        let characters = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"", "\\": return "\\\(scalar)"
            case "\0"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}", "\u{feff}":
                let digits = String(scalar.value, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: return String(scalar)
            }
        }
        return "\"\(characters.joined())\""
    }
}

/// Names of roles between commas.
struct RoleNames: ExpressibleByArgument {
    let roles: Roles

    init(_ roles: Roles) { self.roles = roles }

    init?(argument: String) {
        let names = argument.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard let roles = Roles(names: names) else { return nil }
        self.roles = roles
    }

    var defaultValueDescription: String { self.roles.names.joined(separator: ",") }
}

private struct NewKeyObject: Encodable {
    let key: String
    let sha256: String
    let roles: [String]
    let tenant: String?
}

private struct KeyDigestObject: Encodable {
    let sha256: String
}
