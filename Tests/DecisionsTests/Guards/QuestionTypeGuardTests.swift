// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct QuestionTypeGuardTests {
    @Test(arguments: [
        ("why should I invest in gold", "how do I invest in gold"),
        ("how did caesar die", "when did caesar die"), ("how was it made", "where was it made"),
        ("who wrote the song", "when was the song written"),
        ("where was the battle fought", "when was the battle fought"),
        ("how many people live there", "how old people live there"), ("why did rome fall", "when did rome fall"),
    ])
    func `another kind of answer is refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.questionType)) == .questionType)
    }

    @Test(arguments: [
        ("when does my card expire", "how long until my card expires"),
        ("how much days do I have", "how many days do I have"),
        ("in what year was it built", "when was it built"), ("how come it was late", "why was it late"),
        ("how do I find it", "where do I find it"),
    ])
    func `the same kind of answer asked otherwise passes`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.questionType)) == nil)
    }
}
