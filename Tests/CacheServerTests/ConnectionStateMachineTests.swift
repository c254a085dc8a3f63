// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Testing

@testable import CacheServer

@Suite struct ConnectionStateMachineTests {
    private typealias Machine = ConnectionStateMachine<String>

    private static func hello(_ minimum: UInt32 = 1, _ maximum: UInt32 = 1) -> Hello {
        Hello(minimumVersion: minimum, maximumVersion: maximum, clientName: "")
    }

    private static func open(_ maximumInFlight: Int = 2) -> Machine {
        var machine = Machine(maximumInFlight: maximumInFlight)
        _ = machine.hello(Self.hello())
        _ = machine.authenticated()
        return machine
    }

    /// Begins a call that must be let in.
    private static func begin(_ id: UInt64, _ work: String, _ machine: inout Machine) -> UInt64? {
        guard case .start(let serial) = machine.call(id) else {
            Issue.record("call \(id) is not let in")
            return nil
        }
        machine.started(id, serial: serial, work)
        return serial
    }

    private static func refusal(_ machine: inout Machine, _ id: UInt64) -> CacheError? {
        guard case .refuse(let error) = machine.call(id) else { return nil }
        return error
    }

    @Test(arguments: [(1, 1), (0, 1), (1, 9), (0, .max)] as [(UInt32, UInt32)])
    func `a hello whose versions meet ours is welcome with the highest of both`(minimum: UInt32, maximum: UInt32) {
        var machine = Machine(maximumInFlight: 1)
        #expect(machine.isStranger == true && machine.isOpen == false)
        guard case .authenticate(.none) = machine.hello(Self.hello(minimum, maximum)) else {
            Issue.record("not asked for its credential")
            return
        }
        #expect(machine.isStranger == true && machine.canAccept == false)
        guard case .welcome(let version) = machine.authenticated() else {
            Issue.record("not welcome")
            return
        }
        #expect(version == 1)
        #expect(machine.isOpen == true && machine.isStranger == false)
    }

    @Test(arguments: [(2, 2), (2, .max), (0, 0), (1, 0), (9, 1)] as [(UInt32, UInt32)])
    func `a hello whose versions do not meet ours ends the connection`(minimum: UInt32, maximum: UInt32) {
        var machine = Machine(maximumInFlight: 1)
        _ = machine.hello(Self.hello(minimum, maximum))
        guard case .closeWithError(let error) = machine.authenticated() else {
            Issue.record("welcome")
            return
        }
        #expect(error == WireError(.unsupportedVersion, "this server speaks protocol versions 1 to 1"))
        #expect(machine.isOpen == false)
    }

    @Test func `a connection that ends while its credential is looked at is not welcome`() {
        var machine = Machine(maximumInFlight: 1)
        _ = machine.hello(Self.hello())
        #expect(machine.drain() == .goAwayAndClose)
        guard case .none = machine.authenticated() else {
            Issue.record("welcome")
            return
        }
    }

    @Test func `a second hello and a call before the first end the connection`() {
        var early = Machine(maximumInFlight: 1)
        guard case .closeWithError(let error) = early.call(1) else {
            Issue.record("let in")
            return
        }
        #expect(error == WireError(.unexpectedMessage, "a call before hello"))
        var machine = Self.open()
        guard case .closeWithError(let error) = machine.hello(Self.hello()) else {
            Issue.record("welcome again")
            return
        }
        #expect(error == WireError(.unexpectedMessage, "a second hello"))
    }

    @Test func `an id in flight is refused, and free again once answered`() {
        var machine = Self.open()
        let first = Self.begin(7, "a", &machine)
        #expect(machine.isInFlight(7) == true && machine.isInFlight(8) == false)
        #expect(Self.refusal(&machine, 7) == .invalidArgument("id", "is that of a call in flight"))
        #expect(machine.answer(7, serial: first) == "a")
        #expect(machine.isInFlight(7) == false)
        _ = Self.begin(7, "b", &machine)
    }

    @Test func `a call is answered once, whatever comes first`() {
        var machine = Self.open()
        let serial = Self.begin(7, "a", &machine)
        #expect(machine.answer(7) == "a")
        #expect(machine.answer(7, serial: serial) == nil)
        #expect(machine.answer(7) == nil)
        #expect(machine.answer(8) == nil)
    }

    @Test func `the late result of a call is not the answer to the next one with its id`() {
        var machine = Self.open()
        let old = Self.begin(7, "old", &machine)
        #expect(machine.answer(7) == "old")
        let new = Self.begin(7, "new", &machine)
        #expect(machine.answer(7, serial: old) == nil)
        #expect(machine.answer(7, serial: new) == "new")
    }

    @Test func `a call takes its slot until its work has ended, answered or not`() {
        var machine = Self.open(2)
        _ = Self.begin(1, "a", &machine)
        #expect(machine.canAccept == true)
        _ = Self.begin(2, "b", &machine)
        #expect(machine.canAccept == false && machine.callsInFlight == 2)
        _ = machine.answer(1)
        #expect(machine.canAccept == false)
        #expect(machine.ended() == .resumeReading)
        #expect(machine.canAccept == true && machine.callsInFlight == 1)
        #expect(machine.ended() == .none)
    }

    @Test func `a connection whose requests take too many bytes is full until one of them has ended`() {
        var machine = Machine(maximumInFlight: 100, maximumBytesInFlight: 1000)
        _ = machine.hello(Self.hello())
        _ = machine.authenticated()
        for (id, bytes) in [(1, 999), (2, 500)] as [(UInt64, Int)] {
            #expect(machine.canAccept == true)
            guard case .start(let serial) = machine.call(id) else {
                Issue.record("not let in")
                return
            }
            machine.started(id, serial: serial, bytes: bytes, "a")
        }
        #expect(machine.canAccept == false)
        #expect(machine.ended(bytes: 999) == .resumeReading)
        #expect(machine.canAccept == true)
        #expect(machine.ended(bytes: 500) == .none)
    }

    @Test func `a draining connection refuses calls and ends with the last of those it has`() {
        var machine = Self.open(5)
        _ = Self.begin(1, "a", &machine)
        _ = Self.begin(2, "b", &machine)
        #expect(machine.drain() == .goAway)
        #expect(machine.drain() == .none)
        #expect(machine.isOpen == false)
        let stopping = CacheError(.unavailable, "the server is about to stop; call another one")
        #expect(Self.refusal(&machine, 3) == stopping)
        #expect(Self.refusal(&machine, 1) == stopping)
        #expect(machine.answer(1) == "a")
        #expect(machine.ended() == .none)
        #expect(machine.answer(2) == "b")
        #expect(machine.ended() == .linger)
    }

    @Test func `a draining connection that was full reads on, to refuse what waits and to hear of cancels`() {
        var machine = Self.open(2)
        _ = Self.begin(1, "a", &machine)
        _ = Self.begin(2, "b", &machine)
        #expect(machine.drain() == .goAway)
        #expect(machine.canAccept == false)
        #expect(machine.ended() == .resumeReading)
        #expect(machine.canAccept == true)
        #expect(machine.ended() == .linger)
    }

    @Test func `an idle connection is told before it is closed; a stranger is just closed`() {
        var idle = Self.open()
        #expect(idle.drain() == .goAwayAndLinger)
        var stranger = Machine(maximumInFlight: 1)
        #expect(stranger.drain() == .goAwayAndClose)
        #expect(stranger.canAccept == false)
    }

    @Test func `a closed connection gives up its calls and does nothing more`() {
        var machine = Self.open(5)
        let serial = Self.begin(1, "a", &machine)
        _ = Self.begin(2, "b", &machine)
        _ = machine.answer(2)
        #expect(machine.closed() == ["a"])
        #expect(machine.closed().isEmpty)
        #expect(machine.canAccept == false && machine.isOpen == false)
        #expect(machine.answer(1, serial: serial) == nil)
        #expect(machine.ended() == .none)
        #expect(machine.ended() == .none)
        #expect(machine.drain() == .none)
        #expect(Self.refusal(&machine, 3)?.code == .unavailable)
    }
}
