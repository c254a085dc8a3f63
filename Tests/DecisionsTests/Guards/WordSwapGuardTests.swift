// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct WordSwapGuardTests {
    @Test(arguments: [
        ("do I need vaccinations for paris", "do I need vaccinations for berlin"),
        ("flights from boston to new york", "flights from boston to chicago"),
        ("what is on today", "what is on tomorrow"),
        ("a yellow ribbon on the door", "a blue ribbon on the door"),
        ("how many grams of sugar", "how many ounces of sugar"),
        ("who was gulliver by trade", "who was zarathustra by trade"),
        ("put it on my visa card", "put it on my mastercard card"),
    ])
    func `another name in its place is refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.wordSwap)) == .wordSwap)
    }

    @Test(arguments: [
        ("where is the movie shown", "where is the film shown"), ("the colour of it", "the color of it"),
        ("make a withdrawal today", "make a withdraw today"), ("can I do it", "may I do it"),
        ("when is the next holiday", "when is the next holday"), ("tell me about my card", "tell me about my account"),
        ("is new york in the united states", "is new york in the usa"),
    ])
    func `synonyms, spellings and common words pass`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.wordSwap)) == nil)
    }
}
