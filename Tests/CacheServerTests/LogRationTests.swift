// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CacheServer

@Suite struct LogRationTests {
    @Test func `lines above the ration are left out, and the next interval's first one says how many`() {
        let ration = LogRation(lines: 2, per: .seconds(10))
        let start = ContinuousClock.now
        let actions = [0, 1, 2, 9].map { ration.take(at: start + .seconds($0)) }
        #expect(actions == [.write(leftOut: 0), .write(leftOut: 0), .leaveOut, .leaveOut])
        let later = [10, 11, 25].map { ration.take(at: start + .seconds($0)) }
        #expect(later == [.write(leftOut: 2), .write(leftOut: 0), .write(leftOut: 0)])
    }
}
