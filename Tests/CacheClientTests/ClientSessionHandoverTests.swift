// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import CacheClient

/// What becomes of calls when a server says that it stops.
struct ClientSessionHandoverTests: SessionMachineTests {
    /// With a connection on which a call, whose id is 1, was sent and answered.
    private func makeReady(retries: Bool = true) -> Machine {
        var machine = makeMachine(retries: retries)
        _ = machine.submit(pending(1), at: start)
        machine.connectionReady()
        _ = machine.takeNext(at: start)
        machine.replyReceived()
        return machine
    }

    @Test(arguments: [true, false])
    func `a call that was given back is made on the next connection, as often as it takes`(retries: Bool) {
        var machine = makeReady(retries: retries)
        _ = machine.connectionDraining(at: start, jitter: 1)
        let first = summary(machine.callGivenBack(pending(1, attempts: 1), refused.error, at: start))
        machine.connectionReady()
        let again = machine.takeNext(at: start)
        let second = summary(machine.callGivenBack(pending(2, attempts: 2), refused.error, at: start))
        let late = summary(machine.callGivenBack(pending(3, after: .zero, attempts: 1), refused.error, at: start))
        #expect(first == "failed [], connect")
        guard case .send(let call) = again, call.id == 1 else { Issue.record("it is not sent again"); return }
        #expect(second == "failed []")
        #expect(late == "failed [3 unavailable]")
    }

    @Test func `to be given back is no attempt`() {
        var machine = makeReady()
        _ = machine.connectionDraining(at: start, jitter: 1)
        _ = machine.callGivenBack(pending(1, attempts: 1), refused.error, at: start)
        machine.connectionReady()
        guard case .send(let call) = machine.takeNext(at: start) else { Issue.record("nothing to send"); return }
        #expect(call.attempts == 0)
    }

    @Test func `after a go-away calls wait for the next server, as long as the patience lasts`() {
        var machine = makeReady()
        _ = machine.submit(pending(2, after: .seconds(60)), at: start)
        let connects = machine.connectionDraining(at: start, jitter: 1)
        let first = summary(machine.connectionEnded(refused, calls: [], at: start, jitter: 1))
        let submitted = summary(machine.submit(pending(3, after: .seconds(60)), at: start + .milliseconds(1)))
        var attempts: [Int64] = []
        var last = ""
        while last.isEmpty, let due = machine.nextDeadline {
            guard machine.timerFired(at: due).connect else { Issue.record("nothing was due"); return }
            attempts.append((due - start).nanoseconds / 1_000_000)
            let end = summary(machine.connectionEnded(refused, calls: [], at: due, jitter: 1))
            if end != "failed []" { last = end }
        }
        #expect(connects)
        #expect(first == "failed []")
        #expect(submitted == "wait")
        #expect(attempts == [200, 600, 1400, 2400, 3400, 4400, 5000])
        #expect(last == "failed [2 unavailable, 3 unavailable]")
        #expect(summary(machine.submit(pending(4), at: start + .milliseconds(5001))) == "fail 4 unavailable")
    }

    @Test func `a server that says already at the hello that it stops is waited for in the same way`() {
        var machine = makeMachine()
        _ = machine.submit(pending(1), at: start)
        let stopping = summary(machine.connectionEnded(.stopping, calls: [], at: start, jitter: 1))
        let gone = summary(machine.connectionEnded(refused, calls: [], at: start, jitter: 1))
        let patient = summary(machine.submit(pending(2), at: start + .milliseconds(1)))
        #expect(stopping == "failed []")
        #expect(gone == "failed []")
        #expect(patient == "wait")
    }

    @Test func `what the next server is at fault with is said at once`() {
        var machine = makeReady()
        _ = machine.submit(pending(2), at: start)
        _ = machine.connectionDraining(at: start, jitter: 1)
        let end = summary(machine.connectionEnded(alien, calls: [], at: start, jitter: 1))
        #expect(end == "failed [2 internal]")
    }

    @Test func `servers that go one after the other without a reply are not called in a circle`() {
        var machine = makeReady()
        _ = machine.submit(pending(2, after: .seconds(60)), at: start)
        let first = machine.connectionDraining(at: start, jitter: 1)
        machine.connectionReady()
        let second = machine.connectionDraining(at: start, jitter: 1)
        let due = machine.nextDeadline
        let third = machine.timerFired(at: start + .milliseconds(200)).connect
        #expect(first)
        #expect(!second)
        #expect(due == start + .milliseconds(200))
        #expect(third)
    }

    @Test func `a server that goes again and again does not make calls wait for ever`() {
        var machine = makeReady()
        _ = machine.submit(pending(2, after: .seconds(60)), at: start)
        _ = machine.connectionDraining(at: start, jitter: 1)
        _ = machine.connectionEnded(.stopping, calls: [], at: start + .seconds(4), jitter: 1)
        let last = summary(machine.connectionEnded(.stopping, calls: [], at: start + .seconds(5), jitter: 1))
        #expect(last == "failed [2 unavailable]")
    }
}
