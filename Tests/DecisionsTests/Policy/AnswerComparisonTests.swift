// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Decisions

@Suite struct AnswerComparisonTests {
    private func areSame(_ one: String, _ other: String) -> Bool? {
        let result = AnswerComparison.areSame(Array(one.utf8), Array(other.utf8))
        #expect(AnswerComparison.areSame(Array(other.utf8), Array(one.utf8)) == result)
        return result
    }

    @Test(arguments: [
        ("Yes", "Yes, you can."), ("Paris", "It is in Paris."), ("42", "The answer is 42."), ("Paris", "paris!"),
        ("10 kg", "10kg"), ("No.", "no"), ("5 dollars", "$5"),
    ])
    func `short answers of the same content say the same`(_ one: String, _ other: String) {
        #expect(areSame(one, other) == true)
    }

    @Test(arguments: [
        ("Yes", "No"), ("Yes, you can.", "No, you can't."), ("You can.", "You cannot."), ("Paris", "It is in London."),
        ("42", "The answer is 43."), ("New York", "New Jersey"), ("in May", "in 1972"), ("C", "C++"),
    ])
    func `short answers of other content say something else`(_ one: String, _ other: String) {
        #expect(areSame(one, other) == false)
    }

    @Test(arguments: [
        ("card_arrival", "card_linking"), ("exchange_rate", "wrong_exchange_rate_for_cash_withdrawal"),
        ("pending_top_up", "top_up_pending"), ("insurance", "insurance_change"), ("what_is_your_name", "who_made_you"),
        ("time", "timer"), ("yes", "maybe"), ("gas", "gas_type"), ("income", "taxes"), ("car", "automobile"),
    ])
    func `names that are fixed are the same or others`(_ one: String, _ other: String) {
        #expect(areSame(one, other) == false)
    }

    private static let reset =
        "Open the settings page, choose security, follow the link that we send by mail, type a new password twice, "
        + "and confirm the change with the code from your phone before you log in again on any other device."
    private static let help =
        "You will find the option under your profile: after you have asked for it a message arrives within minutes, "
        + "and once its address has been visited you may pick another secret and begin to use the service as usual."

    @Test(arguments: [
        ("Paris", "Paris, in the north of France"), ("Yes", "Yes, but only on weekdays"), ("You can.", "We do."),
        ("the doctor", "a physician"), (reset, help), ("Paris", reset),
        ("It takes 3 days.", "Transfers to other banks usually take 3 days to arrive."),
    ])
    func `what only says more, or the same at length in other words, is uncertain`(_ one: String, _ other: String) {
        #expect(areSame(one, other) == nil)
    }
}
