// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import CacheClient

/// Calls that are sent a second time: lost, given back, or hedged.
struct BalancerRepetitionTests {
    // MARK: Lost

    @Test func `a call whose connection is lost goes to another server, once`() throws {
        let rig = BalancerRig.ready(3)
        let first = try #require(rig.place(1))
        let again = rig.end(first, inFlight: [1])
        let second = try #require((0..<3).first { again == "send 1@\($0)" })
        #expect(second != first)
        #expect(rig.end(second, inFlight: [1]) == "fail 1 refused")
    }

    @Test func `what may not be repeated fails, and so does all if the client does not want it`() throws {
        for retries in [true, false] {
            let rig = BalancerRig.ready(2, retries: retries)
            let endpoint = try #require(rig.place(1, isRepeatable: !retries))
            #expect(rig.end(endpoint, inFlight: [1]) == "fail 1 refused")
        }
    }

    @Test func `a peer that is at fault costs the call`() throws {
        let rig = BalancerRig.ready(2)
        let endpoint = try #require(rig.place(1))
        #expect(rig.end(endpoint, BalancerRig.alien, inFlight: [1]) == "fail 1 alien")
    }

    @Test func `calls that were not sent yet go elsewhere, whatever they are and without cost`() throws {
        let rig = BalancerRig.ready(2, retries: false, budget: RetryBudget(share: 0, initial: 0))
        let endpoint = try #require(rig.place(1, isRepeatable: false))
        #expect(rig.end(endpoint, unsent: [1]) == "send 1@\(1 - endpoint)")
    }

    @Test func `the last server's calls wait for a connection to any, and fail if there can be none`() throws {
        let rig = BalancerRig.ready(2)
        let endpoint = try #require(rig.place(1))
        _ = rig.end(1 - endpoint)
        let lost = rig.end(endpoint, retryAfter: nil, inFlight: [1])
        #expect(lost == "connect \(endpoint)")
        #expect(rig.end(endpoint) == "fail 1 refused")
    }

    @Test func `repetitions end with the budget, and calls earn it again`() {
        let rig = BalancerRig.ready(2, budget: RetryBudget(share: 0.125, initial: 2))
        var places: [UInt64: Int] = [:]
        for id: UInt64 in 1...8 { places[id] = rig.place(id) }
        let ids = places.filter { $0.value == 0 }.keys.sorted()
        let actions = rig.machine.connectionEnded(
            0, BalancerRig.refused, retryAt: nil, inFlight: ids, unsent: [], at: rig.now)
        // Two to begin with, and one for eight calls.
        #expect(actions.sends.map(\.call.id) == Array(ids.prefix(3)))
        #expect(actions.failures.map(\.call.id) == Array(ids.dropFirst(3)))
    }

    @Test func `a budget has an end upwards too`() {
        var budget = RetryBudget(share: 0.5, initial: 10, maximum: 4)
        for _ in 0..<100 { budget.callMade() }
        var taken = 0
        while budget.take() { taken += 1 }
        #expect(taken == 4)
    }

    // MARK: Go-away

    @Test func `after a go-away new calls go to others at once, and those in flight are let finish`() throws {
        let rig = BalancerRig.ready(2)
        let endpoint = try #require(rig.place(1))
        let draining = BalancerRig.summary(
            rig.machine.connectionDraining(endpoint, retryAt: nil, unsent: [], at: rig.now))
        let next = rig.submit(2)
        #expect(draining == "")
        #expect(next.hasPrefix("send 2@\(1 - endpoint)"))
        #expect(rig.answer(1, by: endpoint) == "done 1")
    }

    @Test func `a call that was given back goes elsewhere, which is no repetition`() throws {
        let rig = BalancerRig.ready(2, retries: false, budget: RetryBudget(share: 0, initial: 0))
        let endpoint = try #require(rig.place(1, isRepeatable: false))
        _ = rig.machine.connectionDraining(endpoint, retryAt: nil, unsent: [], at: rig.now)
        let again = BalancerRig.summary(
            rig.machine.returned([1], from: endpoint, BalancerRig.unavailable, at: rig.now))
        #expect(again == "send 1@\(1 - endpoint)")
    }

    @Test func `when all servers go calls wait for a successor, as long as the patience lasts`() {
        let rig = BalancerRig.ready(2)
        _ = rig.exchange(1)
        for endpoint in 0..<2 {
            _ = rig.machine.connectionDraining(
                endpoint, retryAt: rig.now + .seconds(10), unsent: [], at: rig.now)
        }
        let patient = rig.submit(2, within: .seconds(60))
        let end = rig.timer()
        #expect(patient == "")
        #expect(end == "fail 2 the server is stopping")
        #expect(rig.now - BalancerRig.start == .seconds(5))
        #expect(rig.submit(3) == "fail 3 the server is stopping")
    }

    // MARK: Hedges

    @Test func `a call without an answer is sent to a second server, and the first answer ends the other`() throws {
        for winner in 0..<2 {
            let rig = BalancerRig.ready(2, hedgeDelay: .milliseconds(20))
            let first = try #require(rig.place(1))
            let hedge = rig.timer()
            #expect(rig.now - BalancerRig.start == .milliseconds(20))
            #expect(hedge == "send 1@\(1 - first)")
            #expect(rig.answer(1, by: winner) == "done 1, cancel 1@\(1 - winner)")
            #expect(rig.answer(1, by: 1 - winner) == "ignored")
            #expect(rig.machine.endpoints.allSatisfy { $0.callsInFlight == 0 })
            // And never to a third.
            #expect(rig.machine.nextDeadline == nil || rig.timer() == "")
        }
    }

    @Test func `an answered call, one that writes and one without another server are not hedged`() throws {
        let rig = BalancerRig.ready(2, hedgeDelay: .milliseconds(20))
        _ = rig.exchange(1)
        #expect(rig.timer() == "")
        _ = rig.place(2, isHedgeable: false)
        #expect(rig.machine.nextDeadline == nil)
        let endpoint = try #require(rig.place(3))
        _ = rig.end(1 - endpoint)
        #expect(rig.timer() == "")
    }

    @Test func `hedges are paid for as repetitions are`() {
        let rig = BalancerRig.ready(2, hedgeDelay: .milliseconds(20), budget: RetryBudget(share: 0, initial: 2))
        for id: UInt64 in 1...5 { _ = rig.place(id) }
        let sends = rig.timer()
        #expect(sends.split(separator: ",").count == 2)
    }

    @Test func `an error that another server may not have is kept back while it is at the call`() throws {
        let rig = BalancerRig.ready(2, hedgeDelay: .milliseconds(20))
        let first = try #require(rig.place(1))
        _ = rig.timer()
        #expect(rig.fail(1, at: first) == "")
        #expect(rig.fail(1, at: 1 - first) == "fail 1 no store")
        let second = try #require(rig.place(2))
        _ = rig.timer()
        let invalid = CacheClientError(.invalidArgument, "no", origin: .server)
        #expect(rig.fail(2, at: second, invalid) == "fail 2 no, cancel 2@\(1 - second)")
    }

    @Test func `an error that was kept back is the answer if the other server does not begin the call`() throws {
        let rig = BalancerRig.ready(3, hedgeDelay: .milliseconds(20))
        let first = try #require(rig.place(1))
        let hedge = rig.timer()
        let second = try #require((0..<3).first { hedge == "send 1@\($0)" })
        #expect(rig.fail(1, at: first) == "")
        #expect(rig.end(second, unsent: [1]) == "fail 1 no store")
    }

    @Test func `of two servers one may be lost`() throws {
        let rig = BalancerRig.ready(2, hedgeDelay: .milliseconds(20))
        let first = try #require(rig.place(1))
        _ = rig.timer()
        #expect(rig.end(first, inFlight: [1]) == "")
        #expect(rig.answer(1, by: 1 - first) == "done 1")
    }

    @Test func `a cancelled call is cancelled at both`() throws {
        let rig = BalancerRig.ready(2, hedgeDelay: .milliseconds(20))
        _ = rig.place(1)
        _ = rig.timer()
        let cancelled = try #require(rig.cancel(1))
        #expect(cancelled.call.id == 1)
        #expect(Set(cancelled.cancels) == [0, 1])
        #expect(rig.cancel(1)?.call.id == nil)
    }

    @Test func `the queue of hedges stays as short as the calls that wait for an answer`() {
        let rig = BalancerRig.ready(2, hedgeDelay: .seconds(5))
        // Its answer never comes, so that the head of the queue stays.
        _ = rig.place(1_000_000)
        for id: UInt64 in 1...10_000 { _ = rig.exchange(id) }
        #expect(rig.machine.hedges.count < 100)
    }
}
