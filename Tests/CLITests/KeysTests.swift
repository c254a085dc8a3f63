// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheModel
import Testing

@testable import semcache

struct KeysTests {
    /// Counts, so that a key can be foreseen.
    private struct Counter: RandomNumberGenerator {
        var word: UInt64 = 0

        mutating func next() -> UInt64 {
            defer { self.word += 0x1111_1111_1111_1111 }
            return self.word
        }
    }

    private func newKey(_ arguments: String...) throws -> NewKeyCommand {
        try #require(try Semcache.parseAsRoot(["keys", "new"] + arguments) as? NewKeyCommand)
    }

    private var foreseen: APIKey {
        var counter = Counter()
        return APIKey(from: &counter)
    }

    @Test func `a key is a prefix and 256 random bits in base64 for URLs`() {
        #expect(self.foreseen.text == "smc_AAAAAAAAAAARERERERERESIiIiIiIiIiMzMzMzMzMzM")
        var generator = SystemRandomNumberGenerator()
        let keys = Set((0..<1000).map { _ in APIKey(from: &generator).text })
        #expect(keys.count == 1000)
        for key in keys {
            #expect(key.utf8.count == 47)
            #expect(key.utf8.count <= Limits.maximumAPIKeyBytes)
            #expect(
                key.dropFirst(4).allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        }
    }

    @Test func `the digest is that of the whole text`() throws {
        #expect(
            try APIKey(read: Array("abc".utf8)).digest
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(try APIKey(read: Array("  \(self.foreseen.text)\r\n".utf8)).digest == self.foreseen.digest)
    }

    @Test(arguments: ["", "\n", "two words", String(repeating: "x", count: 513)])
    func `what is no key has no digest`(text: String) {
        #expect(throws: CommandFault.self) { try APIKey(read: Array(text.utf8)) }
        #expect(throws: CommandFault.self) { try APIKey(read: [0xff]) }
    }

    @Test func `a new key comes with what the configuration needs`() throws {
        let key = self.foreseen
        #expect(
            try self.newKey().text(key) == [
                "key     \(key.text)", "sha256  \(key.digest)", "", "# For the server's configuration:", "api_keys:",
                "  - sha256: \(key.digest)", "    roles: [read, write]",
            ])
        #expect(
            try self.newKey("--tenant", "acme", "--roles", "admin,read").text(key).suffix(6) == [
                "# For the server's configuration:", "tenants:", "  - name: \"acme\"", "    api_keys:",
                "      - sha256: \(key.digest)", "        roles: [read, admin]",
            ])
    }

    @Test(arguments: [
        ("a\"b\\c", "\"a\\\"b\\\\c\""), ("a\nb: c", "\"a\\u000ab: c\""), ("\u{1b}[2J", "\"\\u001b[2J\""),
        ("é\u{1f600}", "\"é\u{1f600}\""), ("\u{85}\u{2028}", "\"\\u0085\\u2028\""), ("# yes", "\"# yes\""),
    ])
    func `a tenant's name is quoted`(name: String, quoted: String) {
        #expect(APIKey.quoted(name) == quoted)
    }

    @Test(arguments: [
        ["--roles", ""], ["--roles", "owner"], ["--roles", "read,"], ["--roles", "read, write"], ["--tenant", ""],
        ["--tenant", String(repeating: "x", count: 513)],
    ])
    func `roles and tenants that cannot be are refused`(arguments: [String]) {
        #expect(throws: (any Error).self) { try Semcache.parseAsRoot(["keys", "new"] + arguments) }
    }
}
