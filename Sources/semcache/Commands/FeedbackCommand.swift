// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

struct FeedbackCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "feedback",
        abstract: "Says that an answer was right, or wrong, for what was asked.",
        discussion: """
            Takes the entry, and what was asked: the prompt or chat with its --vary, or the --lookup-id that lookup printed.
            When it returns, a wrong answer is not served for that question any more, by any replica.
            """)

    @Argument(help: "What the answer was: right or wrong.")
    var verdict: VerdictText

    @Argument(help: "What was asked; - reads it from the standard input.")
    var prompt: String?

    @Option(help: "The entry whose answer it was.")
    var entry: EntryIDText

    @Option(help: ArgumentHelp("The lookup, as lookup printed it, instead of what was asked.", valueName: "digits"))
    var lookupId: LookupIDText?

    @OptionGroup var chat: ChatOptions
    @OptionGroup var cache: CacheOptions
    @OptionGroup var vary: VaryOptions
    @OptionGroup var server: ServerOptions

    func validate() throws {
        let questions = [self.prompt != nil, self.chat.isGiven, self.lookupId != nil]
        guard questions.count(where: { $0 }) == 1 else {
            throw ValidationError("Give a prompt, a chat with --message or --messages, or --lookup-id: one of them.")
        }
        guard self.lookupId == nil || self.vary.vary.isEmpty else {
            throw ValidationError("--lookup-id stands for the vary parts too: leave --vary out.")
        }
        _ = try self.vary.parts()
    }

    func run() async throws {
        let vary = try self.vary.parts()
        let asked = self.lookupId == nil ? try self.chat.asked(orText: self.prompt) : nil
        let (verdict, entry, cache) = (self.verdict.verdict, self.entry.id, self.cache.cache)
        let receipt = try await self.server.withClient { client in
            switch asked {
            case .text(let prompt):
                return try await client.feedback(verdict, on: entry, for: prompt, in: cache, vary: vary)
            case .chat(let messages):
                return try await client.feedback(verdict, on: entry, for: messages, in: cache, vary: vary)
            case nil:
                guard let lookup = self.lookupId?.id else { throw ValidationError("Give --lookup-id.") }
                return try await client.feedback(verdict, on: entry, of: lookup, in: cache)
            }
        }
        Output.line(self.server.json ? JSONText.line(FeedbackObject(receipt)) : Self.text(receipt))
    }

    static func text(_ receipt: FeedbackReceipt) -> String {
        let block = receipt.isBlocked ? "blocked: the entry is not served for this question any more" : "not blocked"
        return "\(block); \(receipt.isLearnt ? "the cache learns from it" : "nothing is learnt from it")"
    }
}

struct VerdictText: ExpressibleByArgument {
    let verdict: CacheVerdict

    init?(argument: String) {
        guard let verdict = CacheVerdict(rawValue: argument) else { return nil }
        self.verdict = verdict
    }

    static var allValueStrings: [String] { CacheVerdict.allCases.map { $0.rawValue } }
}

struct FeedbackObject: Encodable {
    let isBlocked: Bool
    let isLearnt: Bool

    enum CodingKeys: String, CodingKey {
        case isBlocked = "blocked"
        case isLearnt = "learnt"
    }

    init(_ receipt: FeedbackReceipt) {
        self.isBlocked = receipt.isBlocked
        self.isLearnt = receipt.isLearnt
    }
}
