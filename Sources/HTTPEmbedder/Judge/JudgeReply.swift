// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What a chat model replied, read strictly: what is neither yes nor no is no opinion.
struct JudgeReply: Sendable, Equatable {
    let isSame: Bool?
    /// That it took, as it says.
    let tokens: Int

    /// - Parameter body: Bounded already.
    init(_ body: [UInt8]) throws(ProviderAnswer.Fault) {
        let answer: ChatAnswer = try ProviderAnswer.decode(body)
        self.tokens = answer.usage?.sum ?? 0
        // One that did not come to its own end, whyever, says nothing whatever its first word is.
        guard answer.choices.count == 1, let choice = answer.choices.first, choice.message.refusal == nil,
            choice.finish_reason.map({ Self.finished.contains($0) }) ?? true
        else {
            self.isSame = nil
            return
        }
        self.isSame = choice.message.content.flatMap { Self.verdict($0) }
    }

    /// How servers call the model's own end; some do not say.
    private static let finished: Set<String> = ["stop", "eos", "end_turn"]

    /// Of one word, in either case, with nothing but blanks and punctuation around it.
    static func verdict(_ text: String) -> Bool? {
        let fringe = Set(" \t\r\n.,!\"'`*".utf8)
        let word = text.utf8.drop { fringe.contains($0) }.reversed().drop { fringe.contains($0) }.reversed()
        return switch String(decoding: word.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self) {
        case "yes": true
        case "no": false
        default: nil
        }
    }
}

/// Fields as they are on the wire.
private struct ChatAnswer: Decodable {
    struct Choice: Decodable {
        let message: Message
        let finish_reason: String?
    }

    struct Message: Decodable {
        let content: String?
        let refusal: String?
    }

    struct Usage: Decodable {
        let prompt_tokens: Int?
        let completion_tokens: Int?
        let total_tokens: Int?

        /// Within ``Limits/judgeTokens``: whoever answers must not spoil a sum.
        var sum: Int {
            let limit = Limits.judgeTokens
            func bounded(_ count: Int?) -> Int { min(max(0, count ?? 0), limit) }
            return self.total_tokens.map { bounded($0) }
                ?? min(bounded(self.prompt_tokens) + bounded(self.completion_tokens), limit)
        }
    }

    let choices: [Choice]
    let usage: Usage?
}
