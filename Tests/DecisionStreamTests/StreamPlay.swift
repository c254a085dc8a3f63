// SPDX-License-Identifier: Apache-2.0

import CKernels
import CacheModel
import Decisions

@testable import CacheEngine

/// Plays a stream against the decision alone: the same code as in a Lookup and a Store, over a search that compares with
/// everything.
struct StreamPlay {
    struct Result {
        /// Of each question whether it got a wrong answer; nothing if it got none.
        var isWrong: [Bool?] = []
        var phases: [String] = []
        /// Of each candidate that was decided on by estimate.
        var estimates: [(risk: Double, isWrong: Bool)] = []
        var records: [DecisionRecord] = []
        /// What deciding took, beyond the search.
        var times: [Duration] = []

        /// Of the questions of one part of `count`, from 0: answered, and wrongly answered, in percent.
        func shares(ofPart part: Int, of count: Int) -> (hits: Double, wrong: Double) {
            let outcomes = self.isWrong[part * self.isWrong.count / count..<(part + 1) * self.isWrong.count / count]
            func share(_ number: Int) -> Double { 100 * Double(number) / Double(outcomes.count) }
            return (share(outcomes.count { $0 != nil }), share(outcomes.count { $0 == true }))
        }
    }

    private struct Stored {
        let match: CacheEntry
        let vector: [Float]
        let answers: Set<String>
    }

    let policy: DecisionPolicy
    var servesNothing = false
    var wrongLabels = 0.0
    var limit = Int.max
    private static let isa = ck_isa_best()

    func callAsFunction(_ stream: LabelledStream, seed: UInt64) -> Result {
        var generator = Generator(seed)
        var ledger = DecisionLedger(self.policy, threshold: 0.85)
        var stored: [Stored] = []
        var exact: [String: Int] = [:]
        var result = Result()
        let count = min(self.limit, stream.questions.count)
        for place in 0..<count {
            let (question, vector) = (stream.questions[place], stream.vectors[place])
            let phase = ledger.phase
            defer { if phase != ledger.phase { result.phases.append("\(place): \(ledger.phase)") } }
            if let own = exact[question.prompt.text] {
                result.isWrong.append(stored[own].answers.isDisjoint(with: question.answers))
                continue
            }
            let near = Self.nearest(vector, stored)
            let matches = near.prefix(Limits.candidates).filter { $0.1 >= 0.5 }.map {
                LookupMatch(entry: stored[$0.0].match, similarity: $0.1)
            }
            let found = NearestResult(
                matches: Array(matches),
                neighbours: near.map {
                    Neighbour(id: stored[$0.0].match.id, similarity: $0.1, cluster: stored[$0.0].match.cluster)
                })
            let began = ContinuousClock.now
            let asked = AskedQuestion(question.prompt, self.policy)
            let candidates = Candidates(asked, found, ledger)
            let leader = candidates.leader(reaching: 0.5)
            let same = candidates.same
            ledger.note(
                same != nil ? 0 : leader.map { $0.refusal == nil ? $0.risk : 1 } ?? 1, nearest: near.first?.1 ?? 0)
            let chosen = same ?? (ledger.phase == .calibrated ? leader : candidates.nearest(reaching: 0.85))
            result.times.append(.now - began)
            func isRight(_ appraisal: Appraisal) -> Bool {
                let entry = stored.first { $0.match.id == appraisal.match.entry.id }
                return !(entry?.answers.isDisjoint(with: question.answers) ?? true)
            }
            if let leader, leader.refusal == nil, !leader.isSame {
                result.estimates.append((leader.risk, !isRight(leader)))
            }
            if let chosen, !self.servesNothing, chosen.refusal == nil, chosen.isSure(by: ledger),
                chosen.isSame || Double.random(in: 0..<1, using: &generator) >= ledger.auditRate
            {
                ledger.noteServed()
                result.isWrong.append(!isRight(chosen))
                continue
            }
            result.isWrong.append(nil)
            let answer = question.answers.min() ?? ""
            var cluster = AnswerCluster(of: Array(answer.utf8))
            if let leader, !leader.isSame {
                var label = isRight(leader)
                if label { cluster = leader.match.entry.cluster }
                if Double.random(in: 0..<1, using: &generator) < self.wrongLabels { label.toggle() }
                let would = leader.refusal == nil && leader.isSure(by: ledger)
                let record = leader.record(isRight: label, source: would ? .audit : .store)
                ledger.learn(record)
                if self.servesNothing { result.records.append(record) }
                if ledger.isFitDue, !self.servesNothing { ledger.adopt(ledger.fittedModel()) }
            }
            let number = UInt64(stored.count)
            let entry = CacheEntry(
                id: EntryID(high: number, low: number), prompt: question.prompt, response: [], contentType: "",
                attributes: [], usage: nil, createdAt: Timestamp(milliseconds: 0),
                freshUntil: Timestamp(milliseconds: 1), expiresAt: Timestamp(milliseconds: 1), cluster: cluster)
            exact[question.prompt.text] = stored.count
            stored.append(Stored(match: entry, vector: vector, answers: question.answers))
        }
        return result
    }

    private static func nearest(_ vector: [Float], _ stored: [Stored]) -> [(Int, Float)] {
        var best: [(Int, Float)] = []
        for (place, entry) in stored.enumerated() {
            let similarity = ck_dot_f32(Self.isa, vector, entry.vector, vector.count)
            if best.count == Limits.maximumNeighbours {
                guard similarity > best[best.count - 1].1 else { continue }
                best.removeLast()
            }
            let position = best.firstIndex { similarity > $0.1 } ?? best.count
            best.insert((place, similarity), at: position)
        }
        return best
    }
}
