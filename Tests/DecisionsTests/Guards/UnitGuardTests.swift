// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Testing

@testable import Decisions

@Suite struct UnitGuardTests {
    @Test(arguments: [
        ("take 10 mg of it", "take 10 g of it"), ("set a timer for 2 hours", "set a timer for 2 minutes"),
        ("how long is 6' in cm", "how long is 6\" in cm"),
        ("5 mg of warfarin", "5 mcg of warfarin"), ("what is 5% of it", "what is 5‰ of it"),
        ("what is $5 in yen", "what is €5 in yen"), ("is 10% of it enough", "is 10 grams of it enough"),
    ])
    func `one number of two units is refused`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.unit)) == .unit)
    }

    @Test(arguments: [
        ("a timer for 5 min", "a timer for 5 minutes"), ("pay $5", "pay 5 bucks"), ("run 5 km", "run 5 kilometers"),
        ("10 mg or 10 g", "10 g or 10 mg"), ("run 5 miles", "run 5"),
    ])
    func `names of one unit pass`(_ asked: String, _ stored: String) throws {
        #expect(try guardBetween(asked, stored, by: GuardSet(.unit)) == nil)
    }
}
