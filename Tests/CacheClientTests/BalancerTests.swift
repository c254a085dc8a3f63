// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import CacheClient

/// Which server gets a call, and which are left alone.
struct BalancerTests {
    @Test func `the first call makes one connection and goes when it is there`() throws {
        let rig = BalancerRig(3)
        let first = rig.submit(1)
        let endpoint = try #require((0..<3).first { first == "connect \($0)" })
        let second = rig.submit(2)
        let ready = rig.ready(endpoint)
        #expect(second == "")
        #expect(ready == "send 1@\(endpoint), send 2@\(endpoint)")
    }

    @Test func `a connection that takes long is joined by another, and one that fails is followed at once`() throws {
        let rig = BalancerRig(3)
        _ = rig.submit(1)
        let joined = rig.timer()
        let waited = rig.now - BalancerRig.start
        let second = try #require((0..<3).first { joined == "connect \($0)" })
        rig.now = rig.now + .milliseconds(10)
        let third = rig.end(second)
        #expect(waited == .milliseconds(250))
        #expect(third != joined)
        #expect(third.hasPrefix("connect "))
    }

    @Test func `when no server can be reached calls fail at once with the last reason, until it is time to try`() {
        let rig = BalancerRig(2)
        var next = rig.submit(1)
        for _ in 0..<2 { next = rig.end(next == "connect 0" ? 0 : 1) }
        let soon = rig.submit(2)
        rig.now = rig.now + .milliseconds(100)
        let later = rig.submit(3)
        #expect(next == "fail 1 refused")
        #expect(soon == "fail 2 refused")
        #expect(later.hasPrefix("connect "))
    }

    @Test func `a client that waits for its servers keeps its calls and tries again`() {
        let rig = BalancerRig(2, waits: true)
        var next = rig.submit(1, within: .milliseconds(150))
        for _ in 0..<2 { next = rig.end(next == "connect 0" ? 0 : 1) }
        let kept = next
        let retry = rig.timer()
        let tried = rig.now - BalancerRig.start
        _ = rig.end(retry == "connect 0" ? 0 : 1)
        _ = rig.end(retry == "connect 0" ? 1 : 0)
        let expiry = rig.timer()
        #expect(kept == "")
        #expect(tried == .milliseconds(100))
        #expect(retry.hasPrefix("connect "))
        #expect(expiry == "fail 1 refused")
    }

    @Test func `servers that are none are an error even for a client that waits`() {
        let rig = BalancerRig(2, waits: true)
        var next = rig.submit(1)
        for _ in 0..<2 { next = rig.end(next == "connect 0" ? 0 : 1, BalancerRig.alien) }
        #expect(next == "fail 1 alien")
    }

    @Test func `calls do not wait for connections that are being made beside them, and in time all are made`() {
        let rig = BalancerRig(4)
        let first = rig.submit(1)
        let endpoint = (0..<4).first { first == "connect \($0)" } ?? 0
        _ = rig.ready(endpoint)
        var connects = Set<Int>()
        for id in 2..<200 {
            let actions = rig.machine.submit(
                BalancerRig.call(UInt64(id), until: rig.now + .seconds(1)), isRepeatable: true, isHedgeable: true,
                at: rig.now)
            #expect(actions.sends.map(\.endpoint) == [endpoint])
            for connect in actions.connects { #expect(connects.insert(connect).inserted) }
        }
        #expect(connects == Set(0..<4).subtracting([endpoint]))
    }

    @Test func `a call goes to the server that is less busy`() {
        let rig = BalancerRig.ready(2)
        var counts = [0, 0]
        for id in 1...100 { counts[rig.place(UInt64(id)) ?? 0] += 1 }
        #expect(counts == [50, 50])
    }

    @Test func `a slow server gets fewer calls, and some again when that was long ago`() {
        let rig = BalancerRig.ready(2)
        func share(_ rig: BalancerRig, _ ids: Range<UInt64>, slow: TimeAmount) -> Int {
            var count = 0
            for id in ids {
                guard let endpoint = rig.place(id) else { continue }
                count += endpoint
                let time: TimeAmount = endpoint == 0 ? .milliseconds(1) : slow
                _ = rig.machine.answered(id, by: endpoint, at: rig.now + time)
            }
            return count
        }
        // Until both were measured they take turns by chance.
        _ = share(rig, 0..<50, slow: .milliseconds(50))
        let soon = share(rig, 50..<150, slow: .milliseconds(50))
        rig.now = rig.now + .seconds(60)
        let later = share(rig, 150..<250, slow: .milliseconds(1))
        #expect(soon == 0)
        #expect(later > 0)
    }

    @Test func `a server that keeps saying that it cannot serve is left alone, but for one call when its time is over`()
        throws
    {
        let rig = BalancerRig.ready(2)
        var failures = 0
        var id: UInt64 = 0
        while failures < ClientLimits.failuresBeforeEjection {
            id += 1
            let endpoint = try #require(rig.place(id))
            if endpoint == 1 {
                #expect(rig.fail(id, at: 1) == "fail \(id) no store")
                failures += 1
            }
        }
        var places: [Int?] = []
        for id in 100..<200 { places.append(rig.place(UInt64(id))) }
        #expect(places.allSatisfy { $0 == 0 })
        rig.now = rig.now + .milliseconds(100)
        let probes = [rig.place(200), rig.place(201), rig.place(202)]
        #expect(probes == [1, 0, 0])
        // Still not: twice as long.
        _ = rig.fail(200, at: 1)
        rig.now = rig.now + .milliseconds(99)
        let early = rig.place(203)
        rig.now = rig.now + .milliseconds(101)
        let again = rig.place(204)
        _ = rig.answer(204, by: 1)
        // The other has the calls of before.
        var after = Set<Int?>()
        for id in 300..<320 { after.insert(rig.place(UInt64(id))) }
        #expect(early == 0)
        #expect(again == 1)
        #expect(after == [1])
    }

    @Test func `a probe that nobody answers does not keep the next one away`() {
        let rig = BalancerRig.ready(2)
        var id: UInt64 = 10
        while rig.machine.endpoints[1].isHealthy(at: rig.now) {
            if rig.place(id) == 1 { _ = rig.fail(id, at: 1) }
            id += 1
        }
        rig.now = rig.now + .seconds(1)
        let first = rig.place(1000)
        _ = rig.machine.cancel(1000, at: rig.now)
        let second = rig.place(1001)
        #expect(first == 1)
        #expect(second == 1)
    }

    @Test func `servers that all say that they cannot serve are asked all the same`() {
        let rig = BalancerRig.ready(2)
        var places: [Int?] = []
        for id in 1...50 {
            let endpoint = rig.place(UInt64(id))
            places.append(endpoint)
            if let endpoint { _ = rig.fail(UInt64(id), at: endpoint) }
        }
        #expect(places.allSatisfy { $0 != nil })
    }

    @Test func `what is wrong with a call does not make its server ill`() {
        let rig = BalancerRig.ready(2)
        let invalid = CacheClientError(.invalidArgument, "no", origin: .server)
        for id in 1...50 { if let endpoint = rig.place(UInt64(id)) { _ = rig.fail(UInt64(id), at: endpoint, invalid) } }
        #expect(rig.machine.endpoints[0].isHealthy(at: rig.now))
        #expect(rig.machine.endpoints[1].isHealthy(at: rig.now))
    }

    @Test func `a closed client fails what waits and takes nothing new`() {
        let rig = BalancerRig(2)
        _ = rig.submit(1)
        let closed = BalancerRig.summary(rig.machine.close())
        let late = rig.submit(2)
        #expect(closed == "fail 1 the client is closed")
        #expect(late == "fail 2 the client is closed")
    }

    @Test func `the line of calls that wait for a connection has an end`() {
        let rig = BalancerRig(2, maximumWaiting: 2)
        let all = [rig.submit(1), rig.submit(2), rig.submit(3)]
        #expect(all[2] == "fail 3 2 calls are waiting for their turn already")
    }
}

extension EndpointHealth {
    func isHealthy(at now: NIODeadline) -> Bool {
        if case .healthy = self.standing(at: now) { true } else { false }
    }
}
