// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Testing

@testable import HTTPEmbedder

struct JudgeDeskTests {
    private let start = ContinuousClock.now

    private func pair(_ number: Int) -> Digest {
        var fingerprint = Fingerprint(.judgedPair)
        fingerprint.append(UInt64(number))
        return fingerprint.finish()
    }

    @Test func `the first asks, others wait, and all are told in their order`() {
        var desk = JudgeDesk<Int>()
        #expect(desk.rule(self.pair(1), for: 10, at: self.start) == .ask)
        #expect(desk.rule(self.pair(1), for: 11, at: self.start) == .wait)
        #expect(desk.rule(self.pair(2), for: 20, at: self.start) == .ask)
        #expect(desk.settle(self.pair(1), as: true, at: self.start) == [10, 11])
        #expect(desk.settle(self.pair(1), as: true, at: self.start) == [])
        #expect(desk.settle(self.pair(2)) == [20])
    }

    @Test(arguments: [true, false, nil])
    func `a reply is remembered for its time, one without an opinion as well`(_ isSame: Bool?) {
        var desk = JudgeDesk<Int>(time: .seconds(10))
        _ = desk.rule(self.pair(1), for: 1, at: self.start)
        _ = desk.settle(self.pair(1), as: isSame, at: self.start)
        let known = JudgeOpinion(isSame: isSame)
        #expect(desk.rule(self.pair(1), for: 2, at: self.start + .milliseconds(9999)) == .known(known))
        #expect(desk.recall(self.pair(1), at: self.start + .seconds(10)) == nil)
        #expect(desk.rule(self.pair(1), for: 3, at: self.start + .seconds(10)) == .ask)
        #expect(desk.settle(self.pair(1), as: isSame, at: self.start + .seconds(11)) == [3])
        #expect(desk.count == 1)
        #expect(desk.recall(self.pair(1), at: self.start + .seconds(20)) == known)
    }

    @Test func `a failure is not remembered`() {
        var desk = JudgeDesk<Int>()
        _ = desk.rule(self.pair(1), for: 1, at: self.start)
        #expect(desk.settle(self.pair(1)) == [1])
        #expect(desk.rule(self.pair(1), for: 2, at: self.start) == .ask)
    }

    @Test func `the oldest goes when there are too many`() {
        var desk = JudgeDesk<Int>(limit: 3)
        for number in 0..<10 {
            _ = desk.rule(self.pair(number), for: number, at: self.start)
            _ = desk.settle(self.pair(number), as: true, at: self.start)
            #expect(desk.count <= 3)
        }
        for number in 0..<10 { #expect((desk.recall(self.pair(number), at: self.start) != nil) == (number >= 7)) }
    }

    @Test func `no more than so many wait for one reply`() {
        var desk = JudgeDesk<Int>(waiters: 2)
        #expect(desk.rule(self.pair(1), for: 1, at: self.start) == .ask)
        #expect(desk.rule(self.pair(1), for: 2, at: self.start) == .wait)
        #expect(desk.rule(self.pair(1), for: 3, at: self.start) == .refuse)
        #expect(desk.settle(self.pair(1)) == [1, 2])
    }
}
