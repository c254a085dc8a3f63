// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import CacheClient

struct ClientSessionStateMachineTests: SessionMachineTests {
    private func takeAll(_ machine: inout Machine, at now: NIODeadline? = nil) -> [String] {
        var taken: [String] = []
        while let action = machine.takeNext(at: now ?? self.start) {
            switch action {
            case .send(let call): taken.append("send \(call.id)")
            case .fail(let call, let error): taken.append("fail \(call.id) \(error.code)")
            }
        }
        return taken
    }

    @Test func `the first call connects and the next ones wait with it`() {
        var machine = makeMachine()
        let actions = (1...3).map { summary(machine.submit(pending($0), at: start)) }
        let before = takeAll(&machine)
        machine.connectionReady()
        let after = takeAll(&machine)
        #expect(actions == ["connect", "wait", "wait"])
        #expect(before == [])
        #expect(after == ["send 1", "send 2", "send 3"])
    }

    @Test func `calls that cannot connect fail at once, and so do those of the time until the next attempt`() {
        var machine = makeMachine()
        _ = machine.submit(pending(1), at: start)
        _ = machine.submit(pending(2), at: start)
        let end = summary(machine.connectionEnded(refused, calls: [], at: start, jitter: 1))
        let soon = summary(machine.submit(pending(3), at: start + .milliseconds(99)))
        let later = summary(machine.submit(pending(4), at: start + .milliseconds(100)))
        #expect(end == "failed [1 unavailable, 2 unavailable]")
        #expect(soon == "fail 3 unavailable")
        #expect(later == "connect")
    }

    @Test func `a client that waits for its server keeps its calls and tries again`() {
        var machine = makeMachine(waits: true)
        _ = machine.submit(pending(1), at: start)
        let end = summary(machine.connectionEnded(refused, calls: [], at: start, jitter: 1))
        let soon = summary(machine.submit(pending(2, after: .milliseconds(50)), at: start))
        let due = machine.nextDeadline
        let expiry = machine.timerFired(at: start + .milliseconds(50))
        let retryDue = machine.nextDeadline
        let retry = machine.timerFired(at: start + .milliseconds(100))
        #expect(end == "failed []")
        #expect(soon == "wait")
        #expect(due == start + .milliseconds(50))
        // What is said is why there was no connection, not only that time was up.
        #expect(expiry.expired.map { "\($0.call.id) \($0.error.message)" } == ["2 refused"])
        #expect(!expiry.connect)
        #expect(retryDue == start + .milliseconds(100))
        #expect(retry.connect)
        #expect(retry.expired.isEmpty)
    }

    @Test func `a peer that is no server fails the calls even of a client that waits`() {
        var machine = makeMachine(waits: true)
        _ = machine.submit(pending(1), at: start)
        let end = summary(machine.connectionEnded(alien, calls: [pending(2)], at: start, jitter: 1))
        #expect(end == "failed [2 internal, 1 internal]")
    }

    @Test func `a refused credential fails all that wait, and nothing is tried again until somebody calls`() {
        let unauthenticated = ConnectionFault.refused(CacheClientError(.unauthenticated, "no", origin: .server))
        for waits in [false, true] {
            var machine = makeMachine(waits: waits)
            _ = machine.submit(pending(1), at: start)
            _ = machine.submit(pending(2), at: start)
            let end = summary(machine.connectionEnded(unauthenticated, calls: [], at: start, jitter: 1))
            let due = machine.nextDeadline
            let later = machine.timerFired(at: start + .seconds(100))
            let next = summary(machine.submit(pending(3, after: .seconds(200)), at: start + .seconds(100)))
            let again = summary(machine.connectionEnded(unauthenticated, calls: [], at: start, jitter: 1))
            #expect(end == "failed [1 unauthenticated, 2 unauthenticated]")
            #expect(due == nil)
            #expect(!later.connect)
            #expect(next == "connect")
            #expect(again == "failed [3 unauthenticated]")
        }
    }

    @Test func `a lost connection is made again at once and its calls go first`() {
        var machine = makeMachine()
        _ = machine.submit(pending(1), at: start)
        machine.connectionReady()
        _ = takeAll(&machine)
        machine.replyReceived()
        _ = machine.submit(pending(9), at: start)
        let lost = [pending(7, attempts: 1), pending(8, attempts: 1)]
        let end = summary(machine.connectionEnded(refused, calls: lost, at: start, jitter: 1))
        machine.connectionReady()
        let taken = takeAll(&machine)
        #expect(end == "failed [], connect")
        #expect(taken == ["send 7", "send 8", "send 9"])
    }

    @Test func `a call is made twice at most, and not after its deadline`() {
        var machine = makeMachine()
        _ = machine.submit(pending(1), at: start)
        machine.connectionReady()
        _ = takeAll(&machine)
        let calls = [pending(2, attempts: 2), pending(3, after: .zero, attempts: 1), pending(4, attempts: 1)]
        let end = summary(machine.connectionEnded(refused, calls: calls, at: start, jitter: 1))
        #expect(end == "failed [2 unavailable, 3 unavailable], connect")
    }

    @Test func `a client that does not retry fails the calls of a lost connection`() {
        var machine = makeMachine(retries: false)
        _ = machine.submit(pending(1), at: start)
        machine.connectionReady()
        _ = takeAll(&machine)
        let end = summary(machine.connectionEnded(refused, calls: [pending(1, attempts: 1)], at: start, jitter: 1))
        #expect(end == "failed [1 unavailable]")
    }

    @Test func `a server that drops each connection before a reply is left in peace for a while`() {
        var machine = makeMachine()
        _ = machine.submit(pending(1), at: start)
        machine.connectionReady()
        _ = takeAll(&machine)
        let first = summary(machine.connectionEnded(refused, calls: [pending(1, attempts: 1)], at: start, jitter: 1))
        machine.connectionReady()
        _ = takeAll(&machine)
        let second = summary(machine.connectionEnded(refused, calls: [], at: start, jitter: 1))
        let next = summary(machine.submit(pending(2), at: start + .milliseconds(1)))
        #expect(first == "failed [], connect")
        #expect(second == "failed []")
        #expect(next == "fail 2 unavailable")
    }

    @Test func `a connection that drains is replaced when the next call comes`() {
        var machine = makeMachine()
        _ = machine.submit(pending(1), at: start)
        machine.connectionReady()
        _ = takeAll(&machine)
        let connectsAtOnce = machine.connectionDraining(at: start, jitter: 1)
        let next = summary(machine.submit(pending(2), at: start))
        #expect(!connectsAtOnce)
        #expect(next == "connect")
    }

    @Test func `calls that wait when a connection drains get the next one at once`() {
        var machine = makeMachine()
        _ = machine.submit(pending(1), at: start)
        machine.connectionReady()
        let connectsAtOnce = machine.connectionDraining(at: start, jitter: 1)
        #expect(connectsAtOnce)
    }

    @Test func `the line is bounded`() {
        var machine = makeMachine(maximumWaiting: 2)
        let actions = (1...3).map { summary(machine.submit(pending($0), at: start)) }
        _ = machine.cancel(1)
        let afterCancel = summary(machine.submit(pending(4), at: start))
        #expect(actions == ["connect", "wait", "fail 3 resourceExhausted"])
        #expect(afterCancel == "wait")
    }

    @Test func `a call whose time is up is neither queued nor sent`() {
        var machine = makeMachine()
        let late = summary(machine.submit(pending(1, after: .zero), at: start))
        _ = machine.submit(pending(2, after: .seconds(1)), at: start)
        machine.connectionReady()
        let taken = takeAll(&machine, at: start + .seconds(1))
        #expect(late == "fail 1 deadlineExceeded")
        #expect(taken == ["fail 2 deadlineExceeded"])
    }

    @Test func `a closed client fails what waits and what comes`() {
        var machine = makeMachine()
        _ = machine.submit(pending(1), at: start)
        let failed = machine.close().map { $0.call.id }
        let next = summary(machine.submit(pending(2), at: start))
        let end = summary(machine.drainingConnectionEnded(refused, calls: [pending(3)], at: start))
        #expect(failed == [1])
        #expect(next == "fail 2 unavailable")
        #expect(end == "failed [3 unavailable]")
    }
}

struct BackoffTests {
    @Test func `the delay doubles up to its maximum, and half of it is left to chance`() {
        let backoff = Backoff(minimum: .milliseconds(100), maximum: .seconds(1))
        let longest = [1, 2, 3, 4, 5, 60].map { backoff.delay(afterFailures: $0, jitter: 1) }
        #expect(longest == [100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
        #expect(backoff.delay(afterFailures: 1, jitter: 0) == .milliseconds(50))
        #expect(backoff.delay(afterFailures: 1, jitter: 0.5) == .milliseconds(75))
    }

    @Test func `no configuration makes it overflow or spin`() {
        #expect(Backoff(minimum: .zero, maximum: .zero).delay(afterFailures: 3, jitter: 1) > .zero)
        let endless = Backoff(minimum: .seconds(Int64.max), maximum: .seconds(Int64.max))
        #expect(endless.delay(afterFailures: .max, jitter: 1) <= .hours(24))
    }
}

struct WaitingCallsTests: SessionMachineTests {
    /// Random comings and goings, against an array.
    @Test func `the line behaves like an array`() {
        var line = WaitingCalls<String>()
        var model: [PendingCall<String>] = []
        var nextID: UInt64 = 1
        for _ in 0..<4_000 {
            switch Int.random(in: 0..<7) {
            case 0...2:
                let call = pending(nextID, after: .seconds(Int64.random(in: 1...100)))
                nextID += 1
                line.append(call)
                model.append(call)
            case 3:
                let first = model.isEmpty ? nil : model.removeFirst()
                #expect(line.popFirst()?.id == first?.id)
                if let first, Bool.random() {
                    line.prepend([first])
                    model.insert(first, at: 0)
                }
            case 4, 5:
                let id = UInt64.random(in: 1...nextID)
                let expected = model.first { $0.id == id }
                model.removeAll { $0.id == id }
                #expect(line.remove(id)?.id == expected?.id)
            default:
                let now = start + .seconds(Int64.random(in: 0...30))
                let expected = model.filter { $0.deadline <= now }
                model.removeAll { $0.deadline <= now }
                #expect(line.removeExpired(at: now).map { $0.id } == expected.map { $0.id })
            }
            #expect(line.count == model.count)
            if let first = model.map({ $0.deadline }).min() { #expect(line.earliestDeadline <= first) }
        }
        #expect(line.removeAll().map { $0.id } == model.map { $0.id })
    }
}
