// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore

/// Which of several servers gets a call, and whether it is sent to a second one.
///
/// A call is only ever given to a server to which there is a connection; until there is one, it waits here. So a server
/// that cannot be reached costs nobody any time as long as another can: connections are made beside the calls. Of two
/// servers taken by chance, a call goes to the one where it would wait less. It is sent to another server when its
/// connection is lost (if the call may be repeated and the budget allows), when it was never begun, or as a hedge.
///
/// No clock and no side effects: time comes in, actions come out. Chance is its own, from a seed.
struct Balancer<Context>: ~Copyable {
    struct Policy {
        let retriesLostCalls: Bool
        let waitsForConnection: Bool
        let handoverPatience: TimeAmount
        /// `nil` for no hedges.
        let hedgeDelay: TimeAmount?
        let maximumWaitingCalls: Int
        /// For how long a server is left alone that says that it cannot serve.
        let ejection: Backoff
        let budget: RetryBudget
    }

    typealias Call = PendingCall<Context>

    /// What is to be done, in this order.
    struct Actions {
        var failures: [(call: Call, error: CacheClientError)] = []
        /// Nobody waits any more for the answer of this call from this server.
        var cancels: [(id: UInt64, endpoint: Int)] = []
        var sends: [(call: Call, endpoint: Int)] = []
        var connects: [Int] = []
    }

    /// A call that was given to a server and has no answer from it yet.
    struct Leg {
        let endpoint: Int
        let sentAt: NIODeadline
        let isProbe: Bool
    }

    struct Entry {
        let call: Call
        let isRepeatable: Bool
        var isHedgeable: Bool
        /// At most two, of different servers; none while the call waits.
        var leg: Leg?
        var hedge: Leg?
        /// Connections that were lost with it.
        var losses = 0
        /// Whether the budget has been charged for its repetition.
        var isPaid = false
        /// What one of two servers has said, kept back while the other is at it.
        var keptError: CacheClientError?

        mutating func takeLeg(at endpoint: Int) -> Leg? {
            if let leg, leg.endpoint == endpoint {
                self.leg = self.hedge
                self.hedge = nil
                return leg
            }
            guard let hedge, hedge.endpoint == endpoint else { return nil }
            self.hedge = nil
            return hedge
        }
    }

    let policy: Policy
    var endpoints: [EndpointHealth]
    /// All calls without an answer, by id.
    var entries: [UInt64: Entry] = [:]
    /// Those that no server has. There are none while any server is ready.
    var waiting = WaitingCalls<Context>()
    var hedges = HedgeQueue()
    var budget: RetryBudget
    /// When another server is tried beside the one to which a connection is being made.
    var nextAttempt = NIODeadline.uptimeNanoseconds(0)
    /// Why the last connection ended, or could not be made.
    var lastFault: ConnectionFault?
    /// Until then calls wait though there is no server, as one that stopped has said so.
    var patientUntil = NIODeadline.uptimeNanoseconds(0)
    /// Whether any server has answered since one last said that it stops.
    var hasReplied = true
    var isClosed = false
    private var chance: SplitMix

    init(_ policy: Policy, endpoints: Int, seed: UInt64) {
        self.policy = policy
        self.endpoints = Array(repeating: EndpointHealth(), count: endpoints)
        self.budget = policy.budget
        self.chance = SplitMix(state: seed)
    }

    // MARK: Calls come

    /// - Parameters:
    ///   - isRepeatable: Whether it may be carried out twice.
    ///   - isHedgeable: Whether it may be sent to two servers at once: it only reads.
    mutating func submit(_ call: Call, isRepeatable: Bool, isHedgeable: Bool, at now: NIODeadline) -> Actions {
        var actions = Actions()
        guard !self.isClosed else { return Actions(failures: [(call, .closed)]) }
        guard call.deadline > now else {
            return Actions(failures: [(call, .deadlineExceeded(beforeSending: true))])
        }
        let count = self.waiting.count
        guard count < self.policy.maximumWaitingCalls else {
            let error = CacheClientError(.resourceExhausted, "\(count) calls are waiting for their turn already")
            return Actions(failures: [(call, error)])
        }
        self.budget.callMade()
        self.entries[call.id] = Entry(call: call, isRepeatable: isRepeatable, isHedgeable: isHedgeable)
        guard let endpoint = self.choose(at: now) else {
            self.waiting.append(call)
            self.seekConnection(at: now, &actions)
            return actions
        }
        self.begin(call, at: endpoint, at: now, &actions)
        // With each call one server by chance, so that in time all have a connection.
        let another = self.chance.next(below: self.endpoints.count)
        if self.isConnectable(another, at: now) { self.connect(another, at: now, &actions) }
        return actions
    }

    /// - Returns: The call, to be answered; `nil` if it has its answer.
    mutating func cancel(_ id: UInt64, at now: NIODeadline) -> (call: Call, cancels: [Int])? {
        guard let entry = self.entries.removeValue(forKey: id) else { return nil }
        _ = self.waiting.remove(id)
        return (entry.call, self.abandon(entry, at: now))
    }

    /// Takes no new calls from now on.
    ///
    /// - Returns: Those that no server has, to be failed.
    mutating func close() -> Actions {
        self.isClosed = true
        var actions = Actions()
        self.failWaiting(.closed, &actions)
        return actions
    }

    // MARK: Calls go

    /// Gives a call to a server.
    mutating func begin(_ call: Call, at endpoint: Int, at now: NIODeadline, _ actions: inout Actions) {
        guard var entry = self.entries[call.id] else { return }
        let isProbe = self.endpoints[endpoint].begin(at: now)
        entry.leg = Leg(endpoint: endpoint, sentAt: now, isProbe: isProbe)
        self.entries[call.id] = entry
        actions.sends.append((call, endpoint))
        guard entry.isHedgeable, let delay = self.policy.hedgeDelay, now + delay < call.deadline else { return }
        self.hedges.append(call.id, due: now + delay)
        self.forgetHedges()
    }

    /// Gives it to a second one, if there is one that is well.
    mutating func hedge(_ id: UInt64, at now: NIODeadline, _ actions: inout Actions) {
        guard var entry = self.entries[id], entry.isHedgeable, let leg = entry.leg, entry.call.deadline > now,
            let endpoint = self.choose(at: now, avoiding: leg.endpoint, onlyHealthy: true), self.budget.take()
        else { return }
        entry.isHedgeable = false
        _ = self.endpoints[endpoint].begin(at: now)
        entry.hedge = Leg(endpoint: endpoint, sentAt: now, isProbe: false)
        self.entries[id] = entry
        actions.sends.append((entry.call, endpoint))
    }

    /// Forgets where a call is that has its answer.
    ///
    /// - Returns: The servers that are still at it.
    mutating func abandon(_ entry: Entry, at now: NIODeadline) -> [Int] {
        guard let leg = entry.leg else { return [] }
        self.abandon(leg, at: now)
        guard let hedge = entry.hedge else { return [leg.endpoint] }
        self.abandon(hedge, at: now)
        return [leg.endpoint, hedge.endpoint]
    }

    private mutating func abandon(_ leg: Leg, at now: NIODeadline) {
        self.endpoints[leg.endpoint].end(wasProbe: leg.isProbe)
        self.endpoints[leg.endpoint].isSlow(now - leg.sentAt, at: now)
    }

    mutating func failWaiting(_ error: CacheClientError, _ actions: inout Actions) {
        for call in self.waiting.removeAll() {
            self.entries[call.id] = nil
            actions.failures.append((call, error))
        }
    }

    // MARK: Choice

    /// - Parameters:
    ///   - avoiding: Taken only if there is no other.
    ///   - onlyHealthy: Else one that is left alone is better than none, and one whose time is over is found out about.
    mutating func choose(at now: NIODeadline, avoiding: Int? = nil, onlyHealthy: Bool = false) -> Int? {
        var healthy: UInt64 = 0
        var ejected: UInt64 = 0
        for index in self.endpoints.indices where self.endpoints[index].isReady && index != avoiding {
            switch self.endpoints[index].standing(at: now) {
            case .healthy: healthy |= 1 << UInt64(index)
            case .ejected: ejected |= 1 << UInt64(index)
            case .probeIsDue:
                if !onlyHealthy { return index }
            }
        }
        if healthy != 0 { return self.lessLoaded(of: healthy, at: now) }
        if onlyHealthy { return nil }
        if ejected != 0 { return self.lessLoaded(of: ejected, at: now) }
        return avoiding.flatMap { self.endpoints[$0].isReady ? $0 : nil }
    }

    /// Two by chance, and of these the better one: nearly as even as to look at all, and clients that know the same do
    /// not all run to the same server.
    private mutating func lessLoaded(of candidates: UInt64, at now: NIODeadline) -> Int {
        let count = candidates.nonzeroBitCount
        guard count > 1 else { return candidates.trailingZeroBitCount }
        let place = self.chance.next(below: count)
        var other = self.chance.next(below: count - 1)
        if other >= place { other += 1 }
        let first = candidates.place(ofBit: place)
        let second = candidates.place(ofBit: other)
        if let one = self.endpoints[first].load(at: now), let two = self.endpoints[second].load(at: now) {
            return two < one ? second : first
        }
        return self.endpoints[second].callsInFlight < self.endpoints[first].callsInFlight ? second : first
    }

    /// Rather one against which nothing speaks than one whose turn it is again. Starts at a place by chance, so that the
    /// clients of one list do not all connect to its first server.
    mutating func anyConnectable(at now: NIODeadline) -> Int? {
        let start = self.chance.next(below: self.endpoints.count)
        var again: Int?
        for offset in self.endpoints.indices {
            let index = (start + offset) % self.endpoints.count
            guard self.isConnectable(index, at: now) else { continue }
            if case .idle = self.endpoints[index].link { return index }
            again = again ?? index
        }
        return again
    }

    mutating func jitter() -> Double { Double(self.chance.next() >> 11) * 0x1p-53 }
}

extension UInt64 {
    /// Of the bits that are set, the place of the one with this number, counted from 0.
    fileprivate func place(ofBit number: Int) -> Int {
        var rest = self
        for _ in 0..<number { rest &= rest - 1 }
        return rest.trailingZeroBitCount
    }
}

/// Small and quick; for choices, not for secrets.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (self.state ^ (self.state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// 0 for a bound of 1 and less.
    mutating func next(below bound: Int) -> Int {
        Int(self.next().multipliedFullWidth(by: UInt64(max(1, bound))).high)
    }
}
