// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct AntonymGuardTests {
    @Test(arguments: [
        ("most common cause", "least common cause"), ("a better credit card", "a better debit card"),
        ("how do I activate my card", "how do I deactivate my card"), ("is it legal here", "is it illegal here"),
        ("the largest city", "the smallest city"), ("the cheapest flight", "the most expensive flight"),
        ("where was he born", "where was he buried"), ("send money to a friend", "receive money to a friend"),
        ("where is the money I sent", "where is the money I received"), ("who bought it last", "who sold it last"),
        ("is it hypotension", "is it hypertension"), ("the payee of a cheque", "the payer of a cheque"),
        ("cómo puedo activar mi tarjeta", "cómo puedo desactivar mi tarjeta"), ("meet at 5 am", "meet at 5 pm"),
        ("emigration from ireland", "immigration from ireland"), ("my systolic pressure", "my diastolic pressure"),
        ("wie kann ich mich anmelden", "wie kann ich mich abmelden"), ("a problem with login", "a problem with logout"),
        ("freeze my account", "unfreeze my account"), ("the first team to win", "the last team to win"),
    ])
    func `an opposite in its place is refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.antonym)) == .antonym)
    }

    @Test(arguments: [
        ("start my card", "begin my card"), ("a big city", "a large city"), ("is it right", "is it not wrong"),
        ("is the rate not right", "is the rate wrong"), ("buy and sell stocks", "sell and buy stocks"),
        ("press the button", "impress the button of the coat at home"),
    ])
    func `synonyms, and opposites under a negation, pass`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.antonym)) == nil)
    }
}
