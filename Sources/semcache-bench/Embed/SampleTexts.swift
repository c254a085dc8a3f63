// SPDX-License-Identifier: Apache-2.0

import LocalEmbedder

/// Texts made up of parts, as customers would ask.
enum SampleTexts {
    private static let openings = [
        "how do I", "can I", "why can't I", "is there a way to", "please help me", "when should I", "where do I go to",
        "do I have to pay to", "who is allowed to",
    ]
    private static let actions = [
        "reset the password of", "cancel", "order a replacement for", "insure", "return", "sell", "lock", "upgrade",
        "get a refund for", "change the address on", "find the serial number of",
    ]
    private static let things = [
        "my savings account", "the blue bicycle", "an unopened parcel", "this subscription", "the boarding pass",
        "a lost credit card", "the kitchen tap", "a rented car", "yesterday's backup", "the company laptop",
        "the thermostat", "an invoice from March", "my vaccination record",
    ]

    /// A question of 8 to 20 tokens; the first 1287 differ, and are the same on every run.
    static func question(_ number: Int) -> String {
        let opening = Self.openings[number % Self.openings.count]
        let action = Self.actions[number % Self.actions.count]
        return "\(opening) \(action) \(Self.things[number % Self.things.count])?"
    }

    /// A question that differs from that of every other number, of 12 to 24 tokens.
    static func distinctQuestion(_ number: Int) -> String { "\(Self.question(number)) case \(number)" }

    /// Ids as a real text of so many tokens has them.
    ///
    /// - Parameter count: 2…256.
    static func ids(_ count: Int, _ tokenizer: WordPieceTokenizer) -> [Int32] {
        let text = "how long does a transfer to another bank take and what will it cost me "
        let ids = tokenizer.encode(String(repeating: text, count: 20))
        return Array(ids.prefix(count - 1)) + [ids[ids.count - 1]]
    }
}
