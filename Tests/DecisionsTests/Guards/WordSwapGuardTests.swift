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
        ("a billion dollars", "a million dollars"), ("capital of Niger", "capital of Nigeria"),
        ("population of Gambia", "population of Zambia"), ("boiling point of ethane", "boiling point of methane"),
        ("dose of prednisone", "dose of prednisolone"), ("my weekly limit", "my monthly limit"),
        ("can dogs eat grapes", "can cats eat grapes"), ("what is 7 + 3", "what is 7 - 3"),
        ("what is 10 - 2", "what is 10 : 2"), ("what is 7 plus 3", "what is 7 times 3"), ("is x <= 5", "is x < 5"),
        ("T-shirt size S", "T-shirt size M"),
        ("What does :) mean?", "What does :( mean?"), ("what does ? mean in regex", "what does ! mean in regex"),
        ("hepatitis A vaccine", "hepatitis B vaccine"), ("a list and a tuple", "a list and a set"),
        ("what is C in programming", "what is C++ in programming"), ("what is C++", "what is C#"),
        ("what is 5!?", "what is 5?"), ("what is 2 * (3 + 4)?", "what is 2 * 3 + 4?"), ("a grade A- ", "a grade A"),
        ("what is .NET?", "what is net?"), ("what is 5% of 200", "what is 5 of 200"),
        ("weather on 3 May", "weather on 3 June"),
        ("the French word for thank you", "the French word for please"), ("who directed Jaws", "who wrote Jaws"),
        ("put it on my visa card", "put it on my mastercard card"),
    ])
    func `another name in its place is refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.wordSwap)) == .wordSwap)
    }

    @Test(arguments: [
        ("a grey squirrel in Ohio", "a gray squirrel in Ohio"),
        ("open a saving account", "open a savings account"), ("is it open in January", "is it open in Jan"),
        ("the first president of USA", "the first president of America"), ("see you at 5!", "see you at 5"),
        ("what is 10/2", "what is 10 / 2"), ("what is 5-3", "what is 5 - 3"),
        ("the catalogue number of it", "the catalog number of it"), ("the fee of tommorow", "the fee of tomorrow"),
        ("who wrote (1984)?", "who wrote 1984?"), ("what is 2 + 2", "what is two plus two"), ("5 % off", "5% off"),
        ("how do I find a cafe there", "how do I find a café there"), ("order #5", "order 5"),
        ("a *good* plan", "a good plan"),
        ("where is the movie shown", "where is the film shown"), ("the colour of it", "the color of it"),
        ("make a withdrawal today", "make a withdraw today"), ("can I do it", "may I do it"),
        ("when is the next holiday", "when is the next holday"), ("tell me about my card", "tell me about my account"),
        ("is new york in the united states", "is new york in the usa"),
    ])
    func `synonyms, spellings and common words pass`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.wordSwap)) == nil)
    }
}
