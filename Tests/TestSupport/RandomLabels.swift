// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension SeededGenerator {
    package mutating func labelsPage() -> LabelsPage {
        let decisions = (0..<self.int(0...20)).map { _ in
            LabelledDecision(
                number: self.next(), similarity: Float.random(in: -1...1, using: &self),
                risk: self.chance(0.5) ? nil : Float.random(in: 0...1, using: &self), isRight: self.chance(0.5),
                wouldServe: self.chance(0.5), source: self.pick(LabelledDecision.Source.allCases),
                isGuarded: self.chance(0.5))
        }
        return LabelsPage(
            decisions: decisions, next: self.chance(0.5) ? nil : max(1, self.next()), last: self.next())
    }
}
