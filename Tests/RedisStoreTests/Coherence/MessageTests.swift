// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

enum RedisCommandFixture {
    static func hset(_ key: RedisKey) -> RedisCommand { RedisCommand("HSET", on: key, isRepeatable: true) }
    static func hkeys(_ key: RedisKey) -> RedisCommand { RedisCommand("HKEYS", on: key, isRepeatable: true) }
}

@Suite struct MessageTests {
    @Test func `what is told is what is heard, and a part of it is nothing`() {
        var random = SeededGenerator(7)
        for _ in 0..<500 {
            let message = ChangeMessage(.random(), by: ReplicaID(), random.news())
            let bytes = message.encoded()
            #expect(ChangeMessage(bytes) == message)
            for count in 0..<bytes.count {
                // Of a list, any number of whole entries is one.
                if let part = ChangeMessage(bytes.prefix(count)) {
                    guard case .removed = part.news else {
                        Issue.record("\(count) of \(bytes.count) bytes are a message")
                        continue
                    }
                }
            }
        }
    }

    @Test func `what nobody of us says is not understood, and harmless`() {
        var random = SeededGenerator(8)
        for _ in 0..<2000 {
            let bytes = (0..<random.int(0...100)).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            _ = ChangeMessage(bytes)
            _ = Acknowledgement(bytes)
        }
        #expect(ChangeMessage([]) == nil)
        #expect(Acknowledgement([1]) == nil)
        let acknowledgement = Acknowledgement(.random(), by: ReplicaID())
        #expect(Acknowledgement(acknowledgement.encoded()) == acknowledgement)
    }
}

@Suite(.timeLimit(.minutes(1))) struct AcknowledgementsTests {
    private let a = ReplicaID()
    private let b = ReplicaID()

    @Test func `who has heard before it is known who must is not waited for`() async {
        let acknowledgements = Acknowledgements()
        let change = ChangeID.random()
        acknowledgements.expect(change)
        acknowledgements.heard(Acknowledgement(change, by: self.a))
        acknowledgements.heard(Acknowledgement(.random(), by: self.b))
        #expect(await acknowledgements.wait(for: change, from: [self.a], until: .now + .seconds(60)) == [])
    }

    @Test func `the last one ends the wait`() async {
        let acknowledgements = Acknowledgements()
        let change = ChangeID.random()
        acknowledgements.expect(change)
        async let missing = acknowledgements.wait(for: change, from: [self.a, self.b], until: .now + .seconds(60))
        acknowledgements.heard(Acknowledgement(change, by: self.b))
        acknowledgements.heard(Acknowledgement(change, by: self.a))
        #expect(await missing == [])
    }

    @Test func `those who say nothing are known when the time is over`() async {
        let acknowledgements = Acknowledgements()
        let change = ChangeID.random()
        acknowledgements.expect(change)
        acknowledgements.heard(Acknowledgement(change, by: self.b))
        let missing = await acknowledgements.wait(
            for: change, from: [self.a, self.b], until: .now + .milliseconds(5))
        #expect(missing == [self.a])
        #expect(await acknowledgements.wait(for: change, from: [self.a], until: .now - .seconds(1)) == [self.a])
    }

    @Test func `who is cancelled waits no longer`() async {
        let acknowledgements = Acknowledgements()
        let change = ChangeID.random()
        acknowledgements.expect(change)
        let wait = Task { await acknowledgements.wait(for: change, from: [self.a], until: .now + .seconds(600)) }
        wait.cancel()
        #expect(await wait.value == [self.a])
    }
}

extension SeededGenerator {
    fileprivate mutating func id() -> EntryID { EntryID(high: self.next(), low: self.next()) }

    fileprivate mutating func news() -> StoreNews {
        let cache = Digest(words: (self.next(), self.next(), self.next(), self.next()))
        switch self.int(0...4) {
        case 0: return .stored(self.id(), partition: self.id(), cache: cache)
        case 1: return .removed((0..<self.int(0...5)).map { _ in self.id() }, cache: cache)
        case 2: return .emptied(cache: cache)
        case 3: return .released(self.id())
        default: return .emptiedTenant
        }
    }
}
