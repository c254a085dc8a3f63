// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct NegationGuardTests {
    @Test(arguments: [
        ("why was the lake regulated", "why wasn't the lake regulated"), ("I can use the app", "I can't use the app"),
        ("is it always safe", "is it never safe"), ("is it ever safe to eat", "is it never safe to eat"),
        ("are all of them edible", "are no mushrooms of them edible"), ("I am able to log in", "I am unable to log in"),
        ("does everyone need a visa", "does nobody need a visa"),
        ("pay with my card", "pay without my card"), ("is there a charge for it", "is there no charge for it"),
        ("Warum ist meine Karte aktiv?", "Warum ist meine Karte nicht aktiv?"),
        ("Kann ich mit der Karte zahlen?", "Kann ich ohne die Karte zahlen?"),
        ("Pourquoi ma carte est active ?", "Pourquoi ma carte n'est pas active ?"),
        ("¿Por qué puedo pagar con la tarjeta?", "¿Por qué no puedo pagar con la tarjeta?"),
        ("posso pagare con la carta", "non posso pagare con la carta"),
        ("ik kan betalen met de kaart", "ik kan niet betalen met de kaart"),
        ("posso pagar com o cartão", "não posso pagar com o cartão"),
    ])
    func `a negation of the same words is refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.negation)) == .negation)
    }

    @Test(arguments: [
        ("my card isn't working", "my card doesn't work"), ("that is not right", "that is wrong"),
        ("the rate is not correct", "the rate is incorrect"), ("why is it not here", "why isn't it here"),
        ("which one no what card is it", "what card is it"),
        ("I do not know what to do about the fee on my statement", "there is a fee on the statement of my card"),
        ("Je ne peux pas payer", "Je peux pas payer"),
    ])
    func `the same negation in other words, and other questions, pass`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.negation)) == nil)
    }
}
