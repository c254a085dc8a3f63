// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation
import Testing

@testable import Decisions

/// A tool in the form of a test: reads `asked<TAB>stored` lines of the file named by SEMCACHED_EXAMINE_PAIRS and writes
/// `<file>.out` with each pair's guard, features and embedding texts.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SEMCACHED_EXAMINE_PAIRS"] != nil))
struct PairExamination {
    @Test func `pairs of a file are examined`() throws {
        let path = try #require(ProcessInfo.processInfo.environment["SEMCACHED_EXAMINE_PAIRS"])
        var pairs: [(CanonicalPrompt, CanonicalPrompt)] = []
        for line in try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n") {
            let field = line.split(separator: "\t").map(String.init)
            pairs.append((try CanonicalPrompt(field[0]), try CanonicalPrompt(field[1])))
        }
        let clock = ContinuousClock()
        let preparing = clock.measure { Wording.prepare() }
        var texts: [(CanonicalPrompt, CanonicalPrompt)] = []
        let normalising = clock.measure {
            texts = pairs.map { (QuestionText.normalised($0.0), QuestionText.normalised($0.1)) }
        }
        var wordings: [(Wording, Wording)] = []
        let reading = clock.measure { wordings = pairs.map { (Wording($0.0), Wording($0.1)) } }
        var results: [(likeness: Likeness, refusal: Guard?)] = []
        let comparing = clock.measure {
            results = wordings.map { examination(of: $0.0, and: $0.1, by: .all) }
        }
        var refused = 0
        let guarding = clock.measure {
            refused = wordings.count { refusal(between: $0.0, and: $0.1, by: .all) != nil }
        }
        print(
            "tables \(preparing), pairs \(pairs.count), refused \(refused); a text \(normalising / (2 * pairs.count)), a wording",
            "\(reading / (2 * pairs.count)), likeness and guards \(comparing / pairs.count), guards",
            "\(guarding / pairs.count)")
        var out = ""
        for (result, text) in zip(results, texts) {
            let features = result.likeness.values.map { "\($0)" }.joined(separator: "\t")
            out += "\(result.refusal?.rawValue ?? "-")\t\(text.0.text)\t\(text.1.text)\t\(features)\n"
        }
        try out.write(toFile: path + ".out", atomically: true, encoding: .utf8)
    }
}
