// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import CacheClient

/// Long runs of chance against a model that is too simple to be wrong in the same way.
struct BalancerPropertyTests {
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `no call is lost, none is answered twice, each ends in time, and servers that are left alone are`(
        seed: UInt64
    ) {
        let world = BalancerWorld(seed: seed)
        for _ in 0..<3000 { world.step() }
        world.finish()
        #expect(world.faults == [])
        #expect(world.calls > 500)
    }
}

/// Servers, connections and callers, of which only what a call needs is known: who has it, and whether it was answered.
private final class BalancerWorld {
    private struct Open {
        let deadline: NIODeadline
        let isRepeatable: Bool
        let isHedgeable: Bool
        var holders: Set<Int> = []
        /// Times that it was given to a server, but for those that never began it.
        var begun = 0
    }

    private enum Link: Equatable { case none, connecting, ready }

    private let budget: RetryBudget
    private let rig: BalancerRig
    private var chance: SplitMix
    private var open: [UInt64: Open] = [:]
    private var links: [Link]
    private var retryAt: [NIODeadline]
    /// Answers in a row that a server cannot serve.
    private var failures: [Int]
    /// Calls that a server got since it is left alone, while another was well.
    private var probes: [Set<UInt64>]
    /// Calls on connections that only finish what they have.
    private var draining: [Set<UInt64>]
    private var lastID: UInt64 = 0
    private var extra = 0
    private(set) var faults: [String] = []
    private(set) var calls = 0

    init(seed: UInt64) {
        var chance = SplitMix(state: seed)
        let count = 1 + chance.next(below: 5)
        self.budget = RetryBudget(share: 0.1, initial: chance.next(below: 100))
        self.rig = BalancerRig(
            count, hedgeDelay: chance.next(below: 2) == 0 ? nil : .milliseconds(20),
            waits: chance.next(below: 3) == 0, retries: chance.next(below: 4) != 0, maximumWaiting: 50,
            budget: self.budget, seed: seed &* 31)
        self.links = Array(repeating: .none, count: count)
        self.retryAt = Array(repeating: .uptimeNanoseconds(0), count: count)
        self.failures = Array(repeating: 0, count: count)
        self.probes = Array(repeating: [], count: count)
        self.draining = Array(repeating: [], count: count)
        self.chance = chance
    }

    func step() {
        switch self.chance.next(below: 20) {
        case 0...6: self.submit()
        case 7...11: self.reply()
        case 12: self.cancel()
        case 13, 14: self.finishConnecting()
        case 15: self.endConnection()
        case 16: self.drain()
        case 17: self.endDraining()
        default: self.pass(.microseconds(Int64(1 + self.chance.next(below: 30_000))))
        }
        self.checkBudget()
    }

    /// Lets all calls end.
    func finish() {
        self.pass(.seconds(30))
        if !self.open.isEmpty { self.faults.append("lost: \(self.open.keys.sorted())") }
        if !self.rig.machine.entries.isEmpty { self.faults.append("kept after their end") }
        for endpoint in self.links.indices where self.rig.machine.endpoints[endpoint].callsInFlight != 0 {
            self.faults.append("calls in flight at \(endpoint) at the end")
        }
    }

    // MARK: What happens

    private func submit() {
        self.lastID += 1
        self.calls += 1
        let time = TimeAmount.milliseconds(Int64(1 + self.chance.next(below: 400)))
        let open = Open(
            deadline: self.rig.now + time, isRepeatable: self.chance.next(below: 4) != 0,
            isHedgeable: self.chance.next(below: 2) == 0)
        self.open[self.lastID] = open
        self.perform(
            self.rig.machine.submit(
                BalancerRig.call(self.lastID, until: open.deadline), isRepeatable: open.isRepeatable,
                isHedgeable: open.isHedgeable, at: self.rig.now), avoiding: nil)
    }

    private func reply() {
        guard let (id, endpoint) = self.anyHeld() else { return }
        let kind = self.chance.next(below: 8)
        if kind < 5 {
            self.dropHolder(id, endpoint)
            guard let (call, cancels) = self.rig.machine.answered(id, by: endpoint, at: self.rig.now) else {
                return self.faults.append("the answer to \(id) reaches nobody")
            }
            self.well(endpoint)
            for other in cancels { self.dropHolder(id, other) }
            self.ended(call.id)
        } else if kind == 5, self.draining[endpoint].contains(id) {
            self.dropHolder(id, endpoint)
            self.wasNotBegun(id)
            self.perform(
                self.rig.machine.returned([id], from: endpoint, BalancerRig.unavailable, at: self.rig.now),
                avoiding: endpoint)
        } else {
            self.dropHolder(id, endpoint)
            self.failures[endpoint] += 1
            if self.failures[endpoint] == ClientLimits.failuresBeforeEjection { self.probes[endpoint] = [] }
            self.perform(
                self.rig.machine.failed(id, at: endpoint, BalancerRig.unavailable, at: self.rig.now), avoiding: nil)
        }
    }

    private func cancel() {
        guard let id = self.open.keys.sorted().first else { return }
        guard let (call, endpoints) = self.rig.machine.cancel(id, at: self.rig.now) else {
            return self.faults.append("\(id) cannot be cancelled")
        }
        for endpoint in endpoints { self.dropHolder(id, endpoint) }
        self.ended(call.id)
    }

    private func finishConnecting() {
        guard let endpoint = self.any(.connecting) else { return }
        if self.chance.next(below: 3) == 0 {
            self.end(endpoint, inFlight: [], unsent: [])
        } else {
            self.links[endpoint] = .ready
            self.perform(self.rig.machine.connectionReady(endpoint, at: self.rig.now), avoiding: nil)
        }
    }

    private func endConnection() {
        guard let endpoint = self.any(.ready) else { return }
        let held = self.held(by: endpoint).filter { !self.draining[endpoint].contains($0) }
        // Some were not sent yet.
        let sent = self.chance.next(below: held.count + 1)
        self.end(endpoint, inFlight: Array(held.prefix(sent)), unsent: Array(held.dropFirst(sent)))
    }

    private func end(_ endpoint: Int, inFlight: [UInt64], unsent: [UInt64]) {
        self.links[endpoint] = .none
        self.retryAt[endpoint] = self.rig.now + .milliseconds(Int64(self.chance.next(below: 200)))
        for id in inFlight + unsent { self.dropHolder(id, endpoint) }
        for id in unsent { self.wasNotBegun(id) }
        self.perform(
            self.rig.machine.connectionEnded(
                endpoint, BalancerRig.refused, retryAt: self.retryAt[endpoint], inFlight: inFlight, unsent: unsent,
                at: self.rig.now), avoiding: endpoint)
    }

    private func drain() {
        guard let endpoint = self.any(.ready), self.draining[endpoint].isEmpty else { return }
        self.links[endpoint] = .none
        self.retryAt[endpoint] = .uptimeNanoseconds(0)
        self.draining[endpoint] = Set(self.held(by: endpoint))
        self.perform(
            self.rig.machine.connectionDraining(endpoint, retryAt: nil, unsent: [], at: self.rig.now),
            avoiding: endpoint)
    }

    private func endDraining() {
        guard let endpoint = self.draining.indices.first(where: { !self.draining[$0].isEmpty }) else { return }
        let held = self.draining[endpoint].sorted()
        for id in held { self.dropHolder(id, endpoint) }
        self.perform(
            self.rig.machine.lost(held, from: endpoint, BalancerRig.refused, at: self.rig.now), avoiding: endpoint)
    }

    /// Lets time pass, with all that is due in it, and answers what servers have not.
    private func pass(_ time: TimeAmount) {
        let end = self.rig.now + time
        while true {
            let overdue = self.open.values.filter { !$0.holders.isEmpty }.map(\.deadline).min()
            let timer = self.rig.machine.nextDeadline
            guard let next = [overdue, timer].compactMap({ $0 }).min(), next <= end else { break }
            self.rig.now = max(self.rig.now, next)
            if let timer, timer <= self.rig.now {
                self.perform(self.rig.machine.timerFired(at: self.rig.now), avoiding: nil)
            }
            let late = self.open.filter { $0.value.deadline <= self.rig.now && !$0.value.holders.isEmpty }
            for (id, call) in late.sorted(by: { $0.key < $1.key }) {
                let error = CacheClientError.deadlineExceeded(beforeSending: false)
                for endpoint in call.holders.sorted() {
                    self.dropHolder(id, endpoint)
                    self.perform(self.rig.machine.failed(id, at: endpoint, error, at: self.rig.now), avoiding: nil)
                }
            }
        }
        self.rig.now = end
        for (id, call) in self.open where call.deadline < end { self.faults.append("\(id) is overdue") }
    }

    // MARK: What must hold

    private func perform(_ actions: BalancerRig.Machine.Actions, avoiding: Int?) {
        for (call, _) in actions.failures { self.ended(call.id) }
        for (id, endpoint) in actions.cancels { self.dropHolder(id, endpoint) }
        for (call, endpoint) in actions.sends { self.sent(call.id, to: endpoint, avoiding: avoiding) }
        for endpoint in actions.connects {
            if self.links[endpoint] != .none { self.faults.append("two connections to \(endpoint)") }
            if self.retryAt[endpoint] > self.rig.now { self.faults.append("connects too early to \(endpoint)") }
            self.links[endpoint] = .connecting
        }
    }

    private func sent(_ id: UInt64, to endpoint: Int, avoiding: Int?) {
        guard var call = self.open[id] else { return self.faults.append("\(id) is sent though answered") }
        if self.links[endpoint] != .ready { self.faults.append("\(id) is sent to \(endpoint), which is not there") }
        if call.deadline <= self.rig.now { self.faults.append("\(id) is sent too late") }
        if !call.holders.insert(endpoint).inserted { self.faults.append("\(id) is twice at \(endpoint)") }
        if call.holders.count > 2 || (call.holders.count == 2 && !call.isHedgeable) {
            self.faults.append("\(id) is at \(call.holders)")
        }
        if call.begun > 0 {
            self.extra += 1
            if !call.isRepeatable, call.holders.count == 1 { self.faults.append("\(id) is repeated") }
        }
        call.begun += 1
        self.open[id] = call
        let isAlone = self.failures[endpoint] >= ClientLimits.failuresBeforeEjection
        let others = self.links.indices.filter { $0 != endpoint && $0 != avoiding && !call.holders.contains($0) }
        let hasChoice = others.contains {
            self.links[$0] == .ready && self.failures[$0] < ClientLimits.failuresBeforeEjection
        }
        if isAlone, hasChoice {
            self.probes[endpoint].insert(id)
            if self.probes[endpoint].count > 1 { self.faults.append("\(endpoint) is not left alone") }
        }
    }

    private func ended(_ id: UInt64) {
        guard let call = self.open.removeValue(forKey: id) else { return self.faults.append("\(id) ends twice") }
        if !call.holders.isEmpty { self.faults.append("\(id) has ended but \(call.holders) are at it") }
    }

    /// Hedges and repetitions are what calls have earned, and what there was to begin with.
    private func checkBudget() {
        let earned = self.budget.saved + self.budget.share * Double(self.calls)
        if Double(self.extra) > earned + 0.001 { self.faults.append("\(self.extra) of \(self.calls) sent again") }
    }

    private func wasNotBegun(_ id: UInt64) {
        guard let call = self.open[id] else { return }
        self.open[id]?.begun = call.begun - 1
        if call.begun > 1 { self.extra -= 1 }
    }

    private func dropHolder(_ id: UInt64, _ endpoint: Int) {
        self.open[id]?.holders.remove(endpoint)
        self.draining[endpoint].remove(id)
        self.probes[endpoint].remove(id)
    }

    private func well(_ endpoint: Int) {
        self.failures[endpoint] = 0
        self.probes[endpoint] = []
    }

    private func held(by endpoint: Int) -> [UInt64] {
        self.open.filter { $0.value.holders.contains(endpoint) }.keys.sorted()
    }

    private func anyHeld() -> (UInt64, Int)? {
        let held = self.open.keys.sorted().flatMap { id in (self.open[id]?.holders.sorted() ?? []).map { (id, $0) } }
        return held.isEmpty ? nil : held[self.chance.next(below: held.count)]
    }

    private func any(_ link: Link) -> Int? {
        let all = self.links.indices.filter { self.links[$0] == link }
        return all.isEmpty ? nil : all[self.chance.next(below: all.count)]
    }
}
