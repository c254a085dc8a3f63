// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct LikenessTests {
    private func likeness(_ asked: String, _ stored: String) -> [String: Float] {
        let values = Likeness(Wording(asked), Wording(stored)).values
        return Dictionary(uniqueKeysWithValues: zip(Likeness.names, values))
    }

    @Test func `equal questions are alike in everything`() {
        let same = likeness("How do I reset my password?", "how do i reset my password")
        let differing = same.filter { $0.value != ($0.key.hasSuffix("jaccard") || $0.key == "length_ratio" ? 1 : 0) }
        #expect(differing.isEmpty)
    }

    @Test func `every name has its value between 0 and 1, also for texts without words`() {
        for (one, two) in [
            ("a", "b"), ("???", "!!!"), ("1 2 3", "4"), ("how many cards", "zugzwang in moscow not paris"),
        ] {
            let values = Likeness(Wording(one), Wording(two)).values
            #expect(values.count == Likeness.names.count)
            #expect(values.allSatisfy { (0...1).contains($0) })
        }
    }

    @Test func `differences show where they belong`() {
        #expect(likeness("alarm at 6 am", "alarm at 9 am")["number_conflict"] == 1)
        #expect(likeness("alarm at 6 am", "alarm in the morning")["number_conflict"] == 0)
        #expect(likeness("alarm at 6 am", "alarm in the morning")["number_differs"] == 1)
        #expect(likeness("why is it on", "why is it not on")["tight_negation"] == 1)
        #expect(likeness("who is it", "when is it")["question_type_differs"] == 1)
        #expect(likeness("buy a car", "sell a car")["antonym"] == 1)
        #expect(likeness("weather in paris now", "weather in berlin now")["word_swap"] == 1)
        #expect(likeness("fly from rome to oslo", "fly from oslo to rome")["roles_swapped"] == 1)
        let unmatched = likeness("the zugzwang", "the card")
        #expect(unmatched["rarest_asked", default: 0] > unmatched["rarest_stored", default: 1])
    }
}
