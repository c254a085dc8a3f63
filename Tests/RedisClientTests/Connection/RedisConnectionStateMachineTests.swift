// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import RedisClient

private typealias Machine = RedisConnection.StateMachine<String>

private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

private func summary(_ action: Machine.ReceiveAction) -> String {
    switch action {
    case .send: "send"
    case .ready: "ready"
    case .complete(let context, let value, let thenClose): "\(context) \(number(value))\(thenClose ? ", close" : "")"
    case .ignore: "ignore"
    case .fail(let error): "fail \(error.code)"
    }
}

private func number(_ value: RESPValue) -> String { if case .integer(let number) = value { "\(number)" } else { "?" } }

private func summary(_ action: Machine.TimerAction) -> String {
    switch action {
    case .expire(let contexts, let thenClose): "expire \(contexts.joined(separator: " "))\(thenClose ? ", close" : "")"
    case .ping: "ping"
    case .giveUp(let wasConnected): "give up\(wasConnected ? ", was connected" : "")"
    case .lost(let contexts): "lost \(contexts.joined(separator: " "))"
    }
}

/// A machine and what it decides, in a form that can be compared.
private final class Driver {
    private var machine = Machine(RedisNodeConfiguration(), handshakeDeadline: start + .seconds(5), now: start)

    static func makeReady() -> Driver {
        let driver = Driver()
        _ = driver.connected()
        driver.heard(at: start)
        _ = driver.received(.map([]))
        _ = driver.received(bytes("PONG"))
        return driver
    }

    var isReady: Bool { self.machine.isReady }
    var commandsInFlight: Int { self.machine.commandsInFlight }
    var nextDeadline: NIODeadline? { self.machine.nextDeadline }

    func hasRoom(forBytes bytes: Int) -> Bool { self.machine.hasRoom(forBytes: bytes) }
    func connected() -> Bool { self.machine.connected() != nil }
    func heard(at now: NIODeadline) { self.machine.heard(at: now) }
    func received(_ value: RESPValue) -> String { summary(self.machine.received(value)) }
    func received(_ number: Int64) -> String { self.received(.integer(number)) }
    func timerFired(at now: NIODeadline) -> String { summary(self.machine.timerFired(at: now)) }
    func drain() -> Bool { self.machine.drain() }
    func close() -> [String] { self.machine.close() }

    func begin(_ id: UInt64, after: TimeAmount) {
        self.machine.start(id: id, context: "c\(id)", bytes: 100, deadline: start + after, at: start)
    }

    func startPing(at now: NIODeadline) {
        self.machine.start(id: 0, context: nil, bytes: 0, deadline: now + RedisLimits.silence, at: now)
    }

    func cancel(_ id: UInt64) -> String? {
        self.machine.cancel(id).map { $0.thenClose ? "\($0.context), close" : $0.context }
    }
}

@Suite struct RedisConnectionStateMachineTests {
    @Test func `a handshake comes first and has a deadline`() {
        let machine = Driver()
        #expect(machine.nextDeadline == start + .seconds(5))
        #expect(machine.timerFired(at: start + .seconds(4)) == "expire ")
        #expect(machine.connected())
        #expect(!machine.isReady && !machine.hasRoom(forBytes: 1))
        #expect(machine.received(.map([])) == "send")
        #expect(machine.timerFired(at: start + .seconds(5)) == "give up, was connected")
        #expect(machine.received(bytes("PONG")) == "ready")
        #expect(machine.isReady && machine.hasRoom(forBytes: 1))
        let unconnected = Driver()
        #expect(unconnected.timerFired(at: start + .seconds(5)) == "give up")
    }

    @Test func `replies belong to commands in their order`() {
        let machine = Driver.makeReady()
        for id in 1...3 { machine.begin(UInt64(id), after: .seconds(1)) }
        #expect(machine.received(10) == "c1 10")
        #expect(machine.received(20) == "c2 20")
        machine.begin(4, after: .seconds(1))
        #expect(machine.received(30) == "c3 30")
        #expect(machine.received(40) == "c4 40")
        #expect(machine.received(50) == "fail protocolViolation")
    }

    @Test func `a cancelled command's reply is dropped in its place`() {
        let machine = Driver.makeReady()
        for id in 1...3 { machine.begin(UInt64(id), after: .seconds(1)) }
        #expect(machine.cancel(2) == "c2")
        #expect(machine.cancel(2) == nil && machine.cancel(9) == nil)
        #expect(machine.commandsInFlight == 3)
        #expect(machine.received(1) == "c1 1")
        #expect(machine.received(2) == "ignore")
        #expect(machine.received(3) == "c3 3")
    }

    @Test func `commands whose time is up are given up, each once, whatever their order`() {
        let machine = Driver.makeReady()
        machine.begin(1, after: .seconds(30))
        machine.begin(2, after: .milliseconds(200))
        machine.begin(3, after: .milliseconds(300))
        #expect(machine.nextDeadline == start + .milliseconds(200))
        machine.heard(at: start + .milliseconds(10))
        #expect(machine.timerFired(at: start + .milliseconds(250)) == "expire c2")
        #expect(machine.nextDeadline == start + .milliseconds(300))
        #expect(machine.timerFired(at: start + .milliseconds(300)) == "expire c3")
        #expect(machine.nextDeadline == start + .seconds(30))
        #expect(machine.timerFired(at: start + .seconds(5)) == "expire ")
        #expect(machine.received(1) == "c1 1")
        #expect(machine.received(2) == "ignore")
        #expect(machine.received(3) == "ignore")
        #expect(machine.received(4) == "fail protocolViolation")
    }

    @Test func `a server that says nothing after a command's time was up is dead`() {
        let machine = Driver.makeReady()
        machine.begin(1, after: .milliseconds(100))
        machine.begin(2, after: .seconds(30))
        #expect(machine.timerFired(at: start + .milliseconds(100)) == "expire c1")
        #expect(machine.nextDeadline == start + RedisLimits.silence)
        #expect(machine.timerFired(at: start + .milliseconds(999)) == "expire ")
        #expect(machine.timerFired(at: start + .seconds(1)) == "lost ")
        #expect(machine.close() == ["c2"])
        #expect(machine.received(1) == "ignore")
    }

    @Test func `a long command's own time decides when the server is dead`() {
        let machine = Driver.makeReady()
        machine.begin(1, after: .seconds(30))
        #expect(machine.timerFired(at: start + .seconds(29)) == "expire ")
        #expect(machine.timerFired(at: start + .seconds(30)) == "lost c1")
    }

    @Test func `any sign of life is one`() {
        let machine = Driver.makeReady()
        machine.begin(1, after: .milliseconds(100))
        _ = machine.timerFired(at: start + .milliseconds(100))
        machine.heard(at: start + .milliseconds(500))
        #expect(machine.nextDeadline == start + .milliseconds(500) + RedisLimits.silence)
        #expect(machine.timerFired(at: start + .milliseconds(1499)) == "expire ")
        #expect(machine.timerFired(at: start + .milliseconds(1500)) == "lost ")
        let other = Driver.makeReady()
        other.begin(1, after: .milliseconds(100))
        other.heard(at: start + .milliseconds(50))
        #expect(other.timerFired(at: start + .milliseconds(100)) == "expire c1")
        #expect(other.nextDeadline == start + .milliseconds(50) + RedisLimits.silence)
    }

    @Test func `a command behind one that takes long does not tell a dead server`() {
        let machine = Driver.makeReady()
        machine.begin(1, after: .seconds(30))
        machine.begin(2, after: .milliseconds(100))
        #expect(machine.timerFired(at: start + .milliseconds(100)) == "expire c2")
        #expect(machine.timerFired(at: start + .seconds(9)) == "expire ")
        machine.heard(at: start + .seconds(10))
        #expect(machine.received(1) == "c1 1")
        // Now it is the next, and has its time from here.
        #expect(machine.nextDeadline == start + .seconds(10) + RedisLimits.silence)
        #expect(machine.timerFired(at: start + .seconds(11)) == "lost ")
    }

    @Test func `a cancelled command still tells a dead server`() {
        let machine = Driver.makeReady()
        machine.begin(1, after: .milliseconds(100))
        _ = machine.cancel(1)
        #expect(machine.timerFired(at: start + .seconds(1)) == "lost ")
    }

    @Test func `an idle connection is tried, and is dead if nothing comes`() {
        let machine = Driver.makeReady()
        #expect(machine.nextDeadline == start + RedisLimits.idleTime)
        #expect(machine.timerFired(at: start + .seconds(4)) == "expire ")
        let idle = start + RedisLimits.idleTime
        #expect(machine.timerFired(at: idle) == "ping")
        machine.startPing(at: idle)
        #expect(machine.nextDeadline == idle + RedisLimits.silence)
        #expect(machine.timerFired(at: idle + RedisLimits.silence) == "lost ")
    }

    @Test func `an idle connection that answers goes on`() {
        let machine = Driver.makeReady()
        let idle = start + RedisLimits.idleTime
        machine.startPing(at: idle)
        machine.heard(at: idle + .milliseconds(1))
        #expect(machine.received(0) == "ignore")
        #expect(machine.nextDeadline == idle + .milliseconds(1) + RedisLimits.idleTime)
    }

    @Test func `there is room for so many commands and bytes, and for any one when idle`() {
        let machine = Driver.makeReady()
        #expect(machine.hasRoom(forBytes: RedisLimits.maximumBytesInFlight * 2))
        for id in 1..<RedisLimits.maximumCommandsInFlight { machine.begin(UInt64(id), after: .seconds(1)) }
        #expect(!machine.hasRoom(forBytes: 1))
        _ = machine.received(1)
        #expect(machine.hasRoom(forBytes: 1))
        #expect(!machine.hasRoom(forBytes: RedisLimits.maximumBytesInFlight))
    }

    @Test func `a connection that drains closes behind its last reply`() {
        let machine = Driver.makeReady()
        machine.begin(1, after: .seconds(1))
        machine.begin(2, after: .seconds(1))
        _ = machine.cancel(1)
        #expect(!machine.drain() && !machine.drain())
        #expect(!machine.hasRoom(forBytes: 1))
        #expect(machine.received(1) == "ignore")
        #expect(machine.received(2) == "c2 2, close")
        let idle = Driver.makeReady()
        #expect(idle.drain())
        let new = Driver()
        #expect(new.drain())
    }

    @Test func `a connection that drains closes when its last command is given up`() {
        let machine = Driver.makeReady()
        machine.begin(1, after: .milliseconds(100))
        machine.heard(at: start + .milliseconds(1))
        #expect(!machine.drain())
        #expect(machine.timerFired(at: start + .milliseconds(100)) == "expire c1, close")
        let other = Driver.makeReady()
        other.begin(1, after: .seconds(1))
        #expect(!other.drain())
        #expect(other.cancel(1) == "c1, close")
    }

    @Test func `a server that replies before it was asked is refused`() {
        let machine = Driver()
        #expect(machine.received(1) == "fail protocolViolation")
    }
}
