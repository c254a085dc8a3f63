// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct NumberGuardTests {
    @Test(arguments: [
        ("sound the alarm at 6 am tomorrow", "sound the alarm at 9 am tomorrow"),
        ("why was I charged $1", "why was I charged $8"), ("the first day of school", "the second day of school"),
        ("what was the total in 2011", "what was the total in 2008"), ("a fee of €1", "a fee of €7"),
        ("what is new in python 3.1", "what is new in python 3.10"), ("what is IPv4", "what is IPv6"),
        ("how big is gpt3", "how big is gpt4"), ("who was Henry VIII", "who was Henry VII"),
        ("world war I", "world war II"), ("what is 2/3 of 9", "what is 3/2 of 9"),
        ("what is 10-2", "what is 10/2"), ("what is 2^-1", "what is 2^1"),
        ("what is 1e3", "what is 1e-3"), ("who is Charles I", "who is Charles II"), ("what is CO", "what is CO2"),
        ("is O(n^2) slow", "is O(n) slow"), ("كم عمر ٣٥", "كم عمر ٤٥"),
        ("roll over my 401k", "roll over my 471k"), ("a meeting at 5 pm", "a meeting pm"),
        ("Wie wird das Wetter am 3. Mai?", "Wie wird das Wetter am 4. Mai?"),
    ])
    func `other numbers in the same words are refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.number)) == .number)
    }

    @Test(arguments: [
        ("pay 1,000 dollars", "pay 1000 dollars"), ("a table for two", "a table for 2"), ("5% off", "five percent off"),
        ("pay $20", "pay 20 dollars"), ("world war two", "World War II"),
        ("more than one account", "more than 1 account"),
        ("how many days does one transfer take", "how many days does 1 transfer take"),
        ("at 5:00 pm", "at 5 pm"), ("24/7 support for all of us", "24-7 support for all of us"),
        ("$3.10 in all", "$3.1 in all"),
        ("on the 3rd", "on the third"), ("at two:30 pm", "at 2:30 pm"),
        ("I tried 4 times to make a transfer, is the system broken", "my transfer failed 5 times, what is going on"),
        ("set an alarm for my flight tomorrow morning at 6", "wake me tomorrow"),
    ])
    func `the same number written otherwise, and other questions, pass`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.number)) == nil)
    }
}
