// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation
import Testing

@testable import Decisions

/// The guards over the pairs in the folder named by SEMCACHED_TEST_DATA, without vectors: refusals are counted whatever
/// the similarity.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["SEMCACHED_TEST_DATA"] != nil))
struct PairDataTests {
    private func rows(_ name: String) throws -> [[String]] {
        let folder = try #require(ProcessInfo.processInfo.environment["SEMCACHED_TEST_DATA"])
        return try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8).split(separator: "\n").dropFirst()
            .map { $0.split(separator: "\t").map(String.init) }
    }

    private func refused(_ pairs: [(String, String)]) throws -> Int {
        try pairs.count { pair in try guardBetween(pair.0, pair.1) != nil }
    }

    @Test func `nine tenths of the wrong adversarial pairs are refused, of the right ones hardly any`() throws {
        let rows = try rows("adversarial-pairs-dev.tsv")
        let wrong = rows.filter { $0[3] == "0" }.map { ($0[1], $0[2]) }
        let right = rows.filter { $0[3] == "1" }.map { ($0[1], $0[2]) }
        #expect(wrong.count > 1000 && right.count > 1000)
        #expect(try refused(wrong) * 10 >= wrong.count * 9)
        #expect(try refused(right) * 100 <= right.count * 3)
    }

    @Test func `of trivially equal questions one in a hundred at most is refused or has another embedding text`() throws
    {
        let kinds: Set = ["pos-punct", "pos-case", "pos-contr", "pos-polite", "pos-numfmt"]
        let pairs = try rows("adversarial-pairs-dev.tsv").filter { kinds.contains($0[0]) }.map { ($0[1], $0[2]) }
        #expect(try refused(pairs) * 100 <= pairs.count)
        let differing = try pairs.count { try folded($0.0) != folded($0.1) }
        #expect(differing * 100 <= pairs.count)
    }

    @Test func `spoken questions with corrections are hardly ever refused`() throws {
        let pairs = try rows("disfl-qa-pairs.tsv").map { ($0[1], $0[0]) }
        #expect(try refused(pairs) * 100 <= pairs.count * 3)
    }
}
