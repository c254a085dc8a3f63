// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct DirectionGuardTests {
    @Test(arguments: [
        ("turn on dark mode", "turn off dark mode"), ("turn the volume up", "turn the volume down"),
        ("close it before noon", "close it after noon"),
        ("send 20 dollars from savings to checking", "send 20 dollars from checking to savings"),
        ("book a flight to miami from dallas", "book a flight to dallas from miami"),
        ("move from 6 to 7", "move from 7 to 6"), ("how do I log in", "how do I log out"),
        ("when is check-in", "when is check-out"), ("sign in to the app", "sign out of the app"),
        ("opt in to marketing emails", "opt out of marketing emails"), ("how do I zoom in", "how do I zoom out"),
        ("transfer money to my savings account", "transfer money from my savings account"),
        ("flights to london", "flights from london"), ("move into the flat", "move out of the flat"),
        ("wie schalte ich das WLAN ein", "wie schalte ich das WLAN aus"),
        ("a refund within 30 days", "a refund after 30 days"),
        ("will it rain today", "did it rain today"),
    ])
    func `the other direction is refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.direction)) == .direction)
    }

    @Test(arguments: [
        ("from rome to oslo by train", "to oslo from rome by train"), ("turn on dark mode", "turn dark mode on"),
        ("how to get from home", "how to get to work"), ("what is in the box", "what is out of stock"),
        ("how do I get money from an atm", "how to get money at an atm"),
        ("log in to my account", "log into my account"),
    ])
    func `the same direction in another order passes`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.direction)) == nil)
    }
}
