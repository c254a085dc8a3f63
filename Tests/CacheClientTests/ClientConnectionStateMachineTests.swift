// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import NIOCore
import Testing

@testable import CacheClient

private typealias Machine = ClientConnection.StateMachine<String>

private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

private func pending(_ id: UInt64, after: TimeAmount = .seconds(10), method: ServiceMethod = .ping) -> PendingCall<
    String
> {
    PendingCall(id: id, method: method, deadline: start + after, context: "call \(id)")
}

private func welcome(calls: UInt32 = 10, version: UInt32 = 1) -> ServerMessage {
    var welcome = Welcome(version: version, serverVersion: "1", embeddingDimensions: 4)
    welcome.maximumCallsInFlight = calls
    return .welcome(welcome)
}

private func pong(_ id: UInt64) -> ServerMessage {
    .reply(Reply(id: id, result: .success(.ping(serverVersion: "1"))))
}

private func failed(_ id: UInt64, _ code: CacheError.Code = .internal) -> ServerMessage {
    .reply(Reply(id: id, result: .failure(CacheError(code, "fault"))))
}

/// What a machine decided, in a form that can be compared.
private func summary(_ action: Machine.ReceiveAction) -> String {
    switch action {
    case .ready(let limits): "ready \(limits.maximumCallsInFlight)"
    case .complete(let call, .success, let thenClose): "answer \(call.context)\(thenClose ? ", close" : "")"
    case .complete(let call, .failure(let error), let thenClose):
        "fail \(call.context) \(error.code)\(thenClose ? ", close" : "")"
    case .giveBack(let call, let error, let thenClose):
        "give back \(call.context) \(error.code)\(thenClose ? ", close" : "")"
    case .ignore: "ignore"
    case .drain(let thenClose): "drain\(thenClose ? ", close" : "")"
    case .fail(let fault): "\(fault.isLoss ? "lost" : "refused") \(fault.error.code)"
    }
}

private func summary(_ action: Machine.TimerAction) -> String {
    switch action {
    case .expire(let calls, let thenClose): "expire \(calls.map { $0.id })\(thenClose ? ", close" : "")"
    case .fail(let silence): "\(silence)"
    }
}

private func makeReady(calls: UInt32 = 10, maximumCalls: Int = .max) -> Machine {
    var machine = Machine(handshakeDeadline: start + .seconds(5), maximumCalls: maximumCalls)
    _ = machine.connected()
    _ = machine.received(welcome(calls: calls))
    return machine
}

struct ClientConnectionStateMachineTests {
    @Test func `calls start only after the welcome`() {
        var machine = Machine(handshakeDeadline: start + .seconds(5), maximumCalls: .max)
        let slotsAtFirst = machine.freeSlots
        guard case .sendHello = machine.connected() else { Issue.record("no hello"); return }
        let slotsAfterHello = machine.freeSlots
        let action = summary(machine.received(welcome(calls: 7)))
        let slots = machine.freeSlots
        #expect(slotsAtFirst == 0)
        #expect(slotsAfterHello == 0)
        #expect(action == "ready 7")
        #expect(slots == 7)
    }

    @Test func `the smaller of both limits holds`() {
        let machine = makeReady(calls: 7, maximumCalls: 3)
        let slots = machine.freeSlots
        #expect(slots == 3)
    }

    @Test(arguments: [
        (pong(1), "refused internal"), (.goAway(reason: ""), "lost unavailable"), (failed(0), "refused internal"),
        (failed(0, .unauthenticated), "refused unauthenticated"),
        (failed(0, .resourceExhausted), "lost resourceExhausted"),
        (welcome(calls: 0), "refused internal"), (welcome(version: 2), "refused internal"),
    ])
    func `anything but a welcome that can be used ends the handshake`(message: ServerMessage, expected: String) {
        var machine = Machine(handshakeDeadline: start + .seconds(5), maximumCalls: .max)
        _ = machine.connected()
        let action = summary(machine.received(message))
        let afterwards = summary(machine.received(welcome()))
        #expect(action == expected)
        #expect(afterwards == "ignore")
    }

    @Test func `a server that never answers the hello is given up`() {
        var machine = Machine(handshakeDeadline: start + .seconds(5), maximumCalls: .max)
        _ = machine.connected()
        let early = summary(machine.timerFired(at: start + .seconds(4)))
        let due = machine.nextDeadline
        let late = summary(machine.timerFired(at: start + .seconds(5)))
        #expect(early == "expire []")
        #expect(due == start + .seconds(5))
        #expect(late == "noWelcome")
    }

    @Test func `answers come in any order`() {
        var machine = makeReady()
        for id in 1...3 { machine.start(pending(UInt64(id))) }
        let actions = [3, 1, 2].map { summary(machine.received(pong($0))) }
        let slots = machine.freeSlots
        #expect(actions == ["answer call 3", "answer call 1", "answer call 2"])
        #expect(slots == 10)
    }

    @Test func `an error answers its call and nothing else`() {
        var machine = makeReady()
        machine.start(pending(1))
        machine.start(pending(2))
        let actions = [summary(machine.received(failed(1, .notFound))), summary(machine.received(pong(2)))]
        #expect(actions == ["fail call 1 notFound", "answer call 2"])
    }

    @Test(arguments: [pong(9), failed(9), welcome(), failed(0)])
    func `what was not asked for ends the connection`(message: ServerMessage) {
        var machine = makeReady()
        machine.start(pending(1))
        let action = summary(machine.received(message))
        let slots = machine.freeSlots
        let left = machine.closed().map { $0.id }
        #expect(action == "refused internal")
        #expect(slots == 0)
        #expect(left == [1])
    }

    @Test func `an answer of another kind ends the connection, and its call is not forgotten`() {
        var machine = makeReady()
        machine.start(pending(1, method: .lookup))
        let action = summary(machine.received(pong(1)))
        let left = machine.closed().map { $0.id }
        #expect(action == "refused internal")
        #expect(left == [1])
    }

    @Test func `an answer that comes twice ends the connection`() {
        var machine = makeReady()
        machine.start(pending(1))
        let actions = [summary(machine.received(pong(1))), summary(machine.received(pong(1)))]
        #expect(actions == ["answer call 1", "refused internal"])
    }

    @Test func `a cancelled call keeps its place until the server lets it go`() {
        var machine = makeReady(calls: 1)
        machine.start(pending(1))
        guard case .sendCancel(let call, thenClose: false) = machine.cancel(1) else { Issue.record("not sent"); return }
        guard case .ignore = machine.cancel(1) else { Issue.record("sent twice"); return }
        let slotsBefore = machine.freeSlots
        let action = summary(machine.received(failed(1, .cancelled)))
        let slotsAfter = machine.freeSlots
        #expect(call.context == "call 1")
        #expect(slotsBefore == 0)
        #expect(action == "ignore")
        #expect(slotsAfter == 1)
    }

    @Test func `a call is given up a little after its deadline`() {
        var machine = makeReady()
        machine.start(pending(1, after: .seconds(1)))
        machine.start(pending(2, after: .seconds(2)))
        let due = machine.nextDeadline
        let early = summary(machine.timerFired(at: start + .seconds(1)))
        let first = summary(machine.timerFired(at: start + .seconds(1) + Machine.grace))
        _ = machine.received(failed(1))
        let nextDue = machine.nextDeadline
        let second = summary(machine.timerFired(at: start + .seconds(3)))
        #expect(due == start + .seconds(1) + Machine.grace)
        #expect(early == "expire []")
        #expect(first == "expire [1]")
        #expect(nextDue == start + .seconds(2) + Machine.grace)
        #expect(second == "expire [2]")
    }

    @Test func `a server that stays silent after a deadline is given up`() {
        var machine = makeReady()
        machine.start(pending(1, after: .seconds(1)))
        machine.start(pending(2, after: .seconds(60)))
        let expiry = start + .seconds(2)
        _ = machine.timerFired(at: expiry)
        let due = machine.nextDeadline
        let action = summary(machine.timerFired(at: expiry + Machine.silence))
        let left = machine.closed().map { $0.id }
        #expect(due == expiry + Machine.silence)
        #expect(action == "noReply")
        #expect(left == [2])
    }

    @Test func `a server that answers others after a deadline is not given up`() {
        var machine = makeReady()
        machine.start(pending(1, after: .seconds(1)))
        machine.start(pending(2, after: .seconds(60)))
        _ = machine.timerFired(at: start + .seconds(2))
        _ = machine.received(pong(2))
        let action = summary(machine.timerFired(at: start + .seconds(30)))
        #expect(action == "expire []")
    }

    @Test func `after a go-away the calls in flight finish, and then the connection`() {
        var machine = makeReady()
        machine.start(pending(1))
        machine.start(pending(2))
        let drain = summary(machine.received(.goAway(reason: "")))
        let slots = machine.freeSlots
        let again = summary(machine.received(.goAway(reason: "")))
        let actions = [summary(machine.received(pong(2))), summary(machine.received(pong(1)))]
        #expect(drain == "drain")
        #expect(slots == 0)
        #expect(again == "ignore")
        #expect(actions == ["answer call 2", "answer call 1, close"])
    }

    @Test func `a go-away without calls in flight ends the connection`() {
        var machine = makeReady()
        let drain = summary(machine.received(.goAway(reason: "")))
        #expect(drain == "drain, close")
    }

    @Test func `a call that crossed the go-away is given back`() {
        var machine = makeReady()
        machine.start(pending(1))
        _ = machine.received(.goAway(reason: ""))
        let action = summary(machine.received(failed(1, .unavailable)))
        #expect(action == "give back call 1 unavailable, close")
    }

    @Test func `cancelling the last call of a draining connection ends it`() {
        var machine = makeReady()
        machine.start(pending(1))
        let canCloseAtOnce = machine.drain()
        guard case .sendCancel(_, thenClose: true) = machine.cancel(1) else { Issue.record("not closed"); return }
        #expect(!canCloseAtOnce)
    }

    @Test func `a lost connection hands back its calls in order, without those that were given up`() {
        var machine = makeReady()
        for id in [5, 3, 4, 1] { machine.start(pending(UInt64(id))) }
        _ = machine.cancel(4)
        let left = machine.closed()
        #expect(left.map { $0.id } == [1, 3, 5])
        #expect(left.allSatisfy { $0.attempts == 1 })
    }
}
