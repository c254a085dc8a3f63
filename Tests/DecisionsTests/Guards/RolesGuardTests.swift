// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct RolesGuardTests {
    @Test(arguments: [
        ("does alice owe bob money", "does bob owe alice money"),
        ("convert british pounds to euros now", "convert euros to british pounds now"),
        ("can I use butter instead of margarine", "can I use margarine instead of butter"),
        ("usd to eur", "eur to usd"), ("miles to km", "km to miles"), ("what is 10 / 2", "what is 2 / 10"),
        ("flights from los angeles to rome", "flights from rome to los angeles"),
        ("übersetze deutsch nach englisch heute", "übersetze englisch nach deutsch heute"),
    ])
    func `two things that changed places are refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.roles)) == .roles)
    }

    @Test(arguments: [
        ("are cats and dogs friends", "are dogs and cats friends"), ("is it a bot or a man", "is it a man or a bot"),
        ("what is the weather tomorrow", "tomorrow what is the weather"), ("can i do it now", "i can do it now"),
        ("how low are my tires", "my tires are how low"),
    ])
    func `things that are joined, and a block that moved, pass`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.roles)) == nil)
    }
}
