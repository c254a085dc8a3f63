// SPDX-License-Identifier: Apache-2.0

import CacheModel
import TestSupport

/// What the random operations are made of. Few enough of everything that they meet.
enum Vocabulary {
    /// 240 prompts: paraphrases of forty questions, of which some are the same words in another order, so that two of
    /// them are equally near.
    static let prompts: [String] = {
        let verbs = ["reset", "cancel", "renew", "share", "print"]
        let things = ["password", "invoice", "order", "account", "ticket", "licence", "address", "report"]
        return verbs.flatMap { verb in
            things.flatMap { thing in
                [
                    "how do I \(verb) my \(thing)", "how can I \(verb) my \(thing)", "how do we \(verb) our \(thing)",
                    "please \(verb) the \(thing) now", "now \(verb) the \(thing) please",
                    "is it possible to \(verb) my \(thing) today",
                ]
            }
        }
    }()

    static let vectors = Dictionary(
        uniqueKeysWithValues: Self.prompts.map { ($0, HashingEmbedder.embedding(of: $0).values) })

    static let caches = ["support", "support2", "*"]

    static let varies: [[VaryPart]] = [
        [], [VaryPart(name: "user", value: "1")],
        [VaryPart(name: "user", value: "1"), VaryPart(name: "model", value: "a|b")],
        [VaryPart(name: "userm", value: "odel")],
    ]

    /// What stands before a question in a chat; the first is none at all.
    static let contexts: [[ChatMessage]] = [
        [], [ChatMessage(role: "system", content: "be brief")],
        [
            ChatMessage(role: "user", content: "how do I reset my password"),
            ChatMessage(role: "assistant", content: "by mail"),
        ],
        // Longer than the policy allows.
        Array(repeating: ChatMessage(role: "assistant", content: "hm"), count: 4),
    ]
    static let maximumMessages = 4

    /// Filters beside what they mean, said in another way.
    static let filters: [(text: String, takes: @Sendable (Traits) -> Bool)] = [
        (#"lang == "de""#, { $0.lang == "de" }),
        (#"lang != "de""#, { $0.lang != nil && $0.lang != "de" }),
        (#"not (lang == "a|b")"#, { $0.lang != "a|b" }),
        ("score >= 0.5 or lang == \"*\"", { ($0.score ?? -1) >= 0.5 || $0.lang == "*" }),
        ("tags contains \"doc-1\" and score < 0.75", { $0.tags.contains("doc-1") && ($0.score ?? 1) < 0.75 }),
        (
            "exists(score) and not tags contains any [\"doc-2\", \"doc-3\"]",
            { traits in
                traits.score != nil && !traits.tags.contains("doc-2") && !traits.tags.contains("doc-3")
            }
        ),
    ]
}

/// What an entry says of itself.
struct Traits: Sendable {
    var lang: String?
    var score: Double?
    var tags: [String] = []

    init() {}

    init(_ random: inout SeededGenerator) {
        if random.chance(0.8) { self.lang = random.pick(["de", "fr", "a|b", "*", ""]) }
        if random.chance(0.7) { self.score = Double(random.int(0...4)) / 4 }
        self.tags = ["doc-1", "doc-2", "doc-3"].filter { _ in random.chance(0.3) }
    }

    var attributes: [Attribute] {
        var attributes: [Attribute] = []
        if let lang { attributes.append(Attribute(name: "lang", value: .string(lang))) }
        if let score { attributes.append(Attribute(name: "score", value: .number(score))) }
        if !self.tags.isEmpty { attributes.append(Attribute(name: Attribute.tagsName, value: .strings(self.tags))) }
        return attributes
    }
}

/// A question in its place: what decides identity, in the model's own terms.
struct Question: Sendable, Hashable {
    let place: Place
    let text: String

    struct Place: Sendable, Hashable {
        /// Indices into the vocabulary.
        let cache: Int
        let vary: Int
        let context: Int

        var isBypassed: Bool { Vocabulary.contexts[self.context].count + 1 > Vocabulary.maximumMessages }
    }

    init(_ random: inout SeededGenerator, prompts: ArraySlice<String>) {
        self.place = Place(
            cache: random.chance(0.7) ? 0 : random.int(1...2), vary: random.chance(0.7) ? 0 : random.int(1...3),
            context: random.chance(0.8) ? 0 : random.int(1...3))
        // Some are asked again and again.
        self.text = random.pick(Array(random.chance(0.6) ? prompts.prefix(12) : prompts))
    }

    var cache: String { Vocabulary.caches[self.place.cache] }

    /// In any order, which must not matter.
    func vary(_ random: inout SeededGenerator) -> [VaryPart] {
        Vocabulary.varies[self.place.vary].shuffled(using: &random)
    }

    /// In any spelling, which must not matter.
    func prompt(_ random: inout SeededGenerator) -> Prompt {
        let spelling = random.chance(0.1) ? "  \(self.text.replacing(" ", with: "\t \n"))\r\n" : self.text
        let context = Vocabulary.contexts[self.place.context]
        if context.isEmpty, random.chance(0.8) { return PitfallTests.text(spelling) }
        return .chat(context + [ChatMessage(role: "user", content: spelling)])
    }
}
