// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions
import Foundation
import LocalEmbedder
import Synchronization

/// Questions in order, each with the answers that are right for it, and their vectors.
struct LabelledStream {
    struct Question {
        let prompt: CanonicalPrompt
        let answers: Set<String>
    }

    var questions: [Question]
    var vectors: [[Float]]

    /// The folder with the data, if one is named.
    static let folder = ProcessInfo.processInfo.environment["SEMCACHED_TEST_DATA"]
    static let model = ProcessInfo.processInfo.environment["SEMCACHED_TEST_MODEL"]

    static func rows(_ name: String) throws -> [[String]] {
        try String(contentsOfFile: "\(Self.folder ?? "")/\(name)", encoding: .utf8).split(separator: "\n").dropFirst()
            .map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
    }

    /// A stream of questions and their intents.
    static func intents(_ name: String) throws -> Self {
        try Self(rows("\(name)-stream.tsv").map { ($0[0], Set([$0[1]])) })
    }

    /// By which caches are compared.
    static let streams = ["banking77-stream.tsv", "clinc150-stream.tsv", "nq-open.ndjson"]

    /// Texts of all questions of the streams, as they are embedded.
    static func asked() throws -> Set<String> {
        var asked: Set<String> = []
        for name in Self.streams {
            let texts: [String]
            if name.hasSuffix(".tsv") {
                texts = try rows(name).map { $0[0] }
            } else {
                struct Line: Decodable { let prompt: String }
                let data = try Data(contentsOf: URL(fileURLWithPath: "\(Self.folder ?? "")/\(name)"))
                texts = try data.split(separator: 10).map { try JSONDecoder().decode(Line.self, from: $0).prompt }
            }
            for text in texts { asked.insert(Self.embedded(text)) }
        }
        return asked
    }

    static func embedded(_ text: String) -> String {
        (try? CanonicalPrompt(text)).map { QuestionText.normalised($0).text } ?? text
    }

    /// Questions of Disfl-QA with the same question as it was spoken, and adversarial pairs: mostly questions of which
    /// each has an answer of its own. No pair with a question of a stream, or the prior would know what it is judged on.
    static func pairs() throws -> Self {
        let asked = try self.asked()
        var questions: [(String, Set<String>)] = []
        var known: [String: String] = [:]
        for (number, row) in try rows("disfl-qa-pairs.tsv").shuffled(using: &Self.order).prefix(5000).enumerated()
        where !asked.contains(Self.embedded(row[0])) && !asked.contains(Self.embedded(row[1])) {
            known[row[0]] = "d\(number)"
            questions.append((row[0], ["d\(number)"]))
            questions.append((row[1], ["d\(number)"]))
        }
        for (number, row) in try rows("adversarial-pairs-dev.tsv").enumerated()
        where !asked.contains(Self.embedded(row[1])) && !asked.contains(Self.embedded(row[2])) {
            let answer = known[row[1]] ?? "a\(number)"
            if known[row[1]] == nil { questions.append((row[1], [answer])) }
            known[row[1]] = answer
            questions.append((row[2], row[3] == "1" ? [answer] : ["w\(number)"]))
        }
        return try Self(questions)
    }

    nonisolated(unsafe) private static var order = Generator(7)

    init(_ given: [(String, Set<String>)]) throws {
        self.questions = given.compactMap { text, answers in
            (try? CanonicalPrompt(text)).map { Question(prompt: $0, answers: answers) }
        }
        let texts = self.questions.map { QuestionText.normalised($0.prompt).text }
        let found = try ModelFiles(folder: Self.model ?? "")
        let embedder = try LocalEmbedder(files: found, precision: .int16, threads: 1)
        let vectors = Mutex([[Float]](repeating: [], count: texts.count))
        let places = texts.indices.sorted { texts[$0].utf8.count < texts[$1].utf8.count }
        for start in stride(from: 0, to: places.count, by: 32) {
            let batch = Array(places[start..<min(start + 32, places.count)])
            let done = DispatchSemaphore(value: 0)
            embedder.embed(batch.map { texts[$0] }, by: .now + .seconds(600)) { results in
                for (place, result) in zip(batch, results) {
                    if let embedding = try? result.get() {
                        vectors.withLock { $0[place] = embedding.values }
                    }
                }
                done.signal()
            }
            done.wait()
        }
        self.vectors = vectors.withLock { $0 }
    }

    /// Streams one after the other, of each so many questions.
    static func sequence(_ parts: [Self], of count: Int) -> Self {
        var whole = parts[0]
        whole.questions = parts.flatMap { $0.questions.prefix(count) }
        whole.vectors = parts.flatMap { $0.vectors.prefix(count) }
        return whole
    }

    func shuffled(_ seed: UInt64) -> Self {
        var generator = Generator(seed)
        let places = self.questions.indices.shuffled(using: &generator)
        var stream = self
        stream.questions = places.map { self.questions[$0] }
        stream.vectors = places.map { self.vectors[$0] }
        return stream
    }
}

struct Generator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { self.state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
