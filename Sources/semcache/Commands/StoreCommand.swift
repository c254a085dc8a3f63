// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct StoreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store", abstract: "Stores the answer to a prompt.",
        discussion: """
            Takes a prompt and a response; only the response if --message or --messages give a chat, and none if
            --response-file does. Storing the same prompt again replaces the entry. Prints the entry's id.
            """)

    @Argument(
        help: ArgumentHelp("The prompt, then the response; - reads it from the standard input.", valueName: "text"))
    var texts: [String] = []

    @OptionGroup var chat: ChatOptions

    @Option(help: "Read the response from a file.")
    var responseFile: String?

    @OptionGroup var cache: CacheOptions
    @OptionGroup var vary: VaryOptions

    @Option(help: "Time to live, such as 24h (default: the cache's).")
    var ttl: DurationText?

    @Option(help: "Time after that in which it is served as stale, such as 1h, 0s for none (default: the cache's).")
    var staleTtl: DurationText?

    @Option(help: "The lease under which the response was made, as lookup --lease printed it.")
    var lease: LeaseText?

    @Option(
        help: ArgumentHelp(
            """
            Metadata: true, false, numbers and ["lists","of","strings"] keep their type, the rest is a string. \
            name:=JSON says the type: version:="1.10". May be repeated.
            """, valueName: "name=value"))
    var attribute: [AttributeText] = []

    @Option(help: "What the answer was made from, for later invalidation. May be repeated.")
    var tag: [String] = []

    @Option(help: "What the response is, such as application/json (default: UTF-8 text).")
    var contentType: String?

    @OptionGroup var server: ServerOptions

    private var prompt: String? { self.chat.isGiven ? nil : self.texts.first }
    private var response: String? { self.responseFile == nil ? self.texts.last : nil }

    func validate() throws {
        let expected = (self.chat.isGiven ? 0 : 1) + (self.responseFile == nil ? 1 : 0)
        guard self.texts.count == expected else {
            throw ValidationError(
                """
                Give a prompt, or a chat with --message or --messages; and then a response, - for the standard input, \
                or --response-file.
                """)
        }
        let standardInputs = [
            self.prompt == "-", self.chat.isStandardInput, self.response == "-", self.responseFile == "-",
        ]
        guard standardInputs.count(where: { $0 }) <= 1 else {
            throw ValidationError("Only one thing can come from the standard input.")
        }
        _ = try self.vary.parts()
        _ = try self.attributes()
    }

    func run() async throws {
        let asked = try self.chat.asked(orText: self.prompt)
        let response = try self.responseBytes()
        let vary = try self.vary.parts()
        let attributes = try self.attributes()
        let lease = self.lease.flatMap { FillLease(bytes: $0.bytes, cache: self.cache.cache) }
        let receipt = try await self.server.withClient { client in
            switch asked {
            case .text(let prompt):
                try await client.store(
                    response, for: prompt, in: self.cache.cache, vary: vary, contentType: self.contentType,
                    attributes: attributes, tags: self.tag, timeToLive: self.ttl?.duration,
                    staleTimeToLive: self.staleTtl?.duration, lease: lease)
            case .chat(let messages):
                try await client.store(
                    response, for: messages, in: self.cache.cache, vary: vary, contentType: self.contentType,
                    attributes: attributes, tags: self.tag, timeToLive: self.ttl?.duration,
                    staleTimeToLive: self.staleTtl?.duration, lease: lease)
            }
        }
        if self.server.json {
            Output.line(JSONText.line(ReceiptObject(receipt)))
        } else {
            Output.line(receipt.entryID.description)
            let what = receipt.isReplacement ? "replaced" : "stored"
            Output.error("\(what) in \(Output.printable(self.cache.cache)), expires \(receipt.expiresAt.text)")
        }
    }

    private func responseBytes() throws -> [UInt8] {
        if let text = self.response, text != "-" { return Array(text.utf8) }
        return try Input.bytes(file: self.responseFile ?? "-", name: "response")
    }

    private func attributes() throws -> [String: CacheAttribute] {
        try NamedText.dictionary(self.attribute.map { ($0.name, $0.value) }, option: "--attribute")
    }
}

private struct ReceiptObject: Encodable {
    let entryID: String
    let expiresAt: String
    let staleUntil: String?
    let isReplacement: Bool

    enum CodingKeys: String, CodingKey {
        case entryID = "entry_id"
        case expiresAt = "expires_at"
        case staleUntil = "stale_until"
        case isReplacement = "replaced"
    }

    init(_ receipt: StoreReceipt) {
        self.entryID = receipt.entryID.description
        self.expiresAt = receipt.expiresAt.text
        self.staleUntil = receipt.staleUntil == receipt.expiresAt ? nil : receipt.staleUntil.text
        self.isReplacement = receipt.isReplacement
    }
}
