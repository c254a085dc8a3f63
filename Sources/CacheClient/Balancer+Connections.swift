// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore

// Connections: which to make, and what becomes of them.
extension Balancer {
    func isConnectable(_ endpoint: Int, at now: NIODeadline) -> Bool {
        self.endpoints[endpoint].connectableAt.map { $0 <= now } ?? false
    }

    mutating func connect(_ endpoint: Int, at now: NIODeadline, _ actions: inout Actions) {
        self.endpoints[endpoint].link = .connecting
        self.nextAttempt = now + ClientLimits.connectStagger
        actions.connects.append(endpoint)
    }

    /// A server takes calls: all that wait go to it.
    mutating func connectionReady(_ endpoint: Int, at now: NIODeadline) -> Actions {
        var actions = Actions()
        self.endpoints[endpoint].link = .ready
        // In the order in which they came.
        for call in self.waiting.removeAll() {
            if call.deadline <= now {
                self.entries[call.id] = nil
                actions.failures.append((call, .deadlineExceeded(beforeSending: true)))
            } else if let endpoint = self.choose(at: now) {
                self.begin(call, at: endpoint, at: now, &actions)
            }
        }
        return actions
    }

    /// A server said that it stops: it finishes what it has, and all that is new goes to others.
    ///
    /// - Parameters:
    ///   - retryAt: From when a connection to the same address may be made; `nil` for at once.
    ///   - unsent: Calls that it was given but that were not sent yet.
    mutating func connectionDraining(
        _ endpoint: Int, retryAt: NIODeadline?, unsent: [UInt64], at now: NIODeadline
    ) -> Actions {
        self.linkEnded(endpoint, .stopping, retryAt: retryAt, at: now)
        return self.returned(unsent, from: endpoint, .stopping, at: now)
    }

    /// The connection that took new calls has ended, or could not be made.
    ///
    /// - Parameters:
    ///   - retryAt: From when the next may be made; `nil` for at once.
    ///   - inFlight: Calls that were under way on it.
    ///   - unsent: Calls that were yet to be sent on it.
    mutating func connectionEnded(
        _ endpoint: Int, _ fault: ConnectionFault, retryAt: NIODeadline?, inFlight: [UInt64], unsent: [UInt64],
        at now: NIODeadline
    ) -> Actions {
        self.linkEnded(endpoint, fault, retryAt: retryAt, at: now)
        let lost = self.lost(inFlight, from: endpoint, fault, at: now)
        let returned = self.returned(unsent, from: endpoint, fault.error, at: now)
        return Actions(
            failures: lost.failures + returned.failures, cancels: lost.cancels + returned.cancels,
            sends: lost.sends + returned.sends, connects: lost.connects + returned.connects)
    }

    private mutating func linkEnded(
        _ endpoint: Int, _ fault: ConnectionFault, retryAt: NIODeadline?, at now: NIODeadline
    ) {
        self.lastFault = fault
        // Calls that wait have waited for this one long enough.
        self.nextAttempt = now
        self.endpoints[endpoint].link = if let retryAt { .unreachable(until: retryAt, fault) } else { .idle }
        // Once for all servers that go one after the other without a reply of any.
        if fault.isHandover, self.hasReplied {
            self.hasReplied = false
            self.patientUntil = now + self.policy.handoverPatience
        }
    }

    /// Makes a connection for the calls that wait for one, or fails them if there can be none now.
    mutating func seekConnection(at now: NIODeadline, _ actions: inout Actions) {
        guard !self.waiting.isEmpty else { return }
        let isConnecting = self.endpoints.contains { $0.isConnecting }
        if !isConnecting || now >= self.nextAttempt, let endpoint = self.anyConnectable(at: now) {
            return self.connect(endpoint, at: now, &actions)
        }
        guard !isConnecting, !self.waits(at: now), let lastFault else { return }
        self.failWaiting(lastFault.error, &actions)
    }

    /// Whether calls wait though no server can be reached now. Not if all of them are at fault, and would be again.
    private func waits(at now: NIODeadline) -> Bool {
        guard self.policy.waitsForConnection || now < self.patientUntil else { return false }
        return self.endpoints.contains {
            if case .unreachable(_, let fault) = $0.link { fault.isLoss } else { false }
        }
    }

    // MARK: Time

    /// When ``timerFired(at:)`` is due.
    var nextDeadline: NIODeadline? {
        var next = self.hedges.nextDue
        func consider(_ deadline: NIODeadline) { next = next.map { min($0, deadline) } ?? deadline }
        guard !self.waiting.isEmpty else { return next }
        consider(self.waiting.earliestDeadline)
        let isConnecting = self.endpoints.contains { $0.isConnecting }
        if let connectable = self.endpoints.compactMap({ $0.connectableAt }).min() {
            consider(isConnecting ? max(connectable, self.nextAttempt) : connectable)
        }
        if !isConnecting, !self.policy.waitsForConnection { consider(self.patientUntil) }
        return next
    }

    mutating func timerFired(at now: NIODeadline) -> Actions {
        var actions = Actions()
        let late = CacheClientError.deadlineExceeded(beforeSending: true)
        // What is said is why there was no connection, not only that time was up.
        let isConnecting = self.endpoints.contains { $0.isConnecting }
        let error = isConnecting ? late : self.lastFault?.error ?? late
        for call in self.waiting.removeExpired(at: now) {
            self.entries[call.id] = nil
            actions.failures.append((call, error))
        }
        self.seekConnection(at: now, &actions)
        while let id = self.hedges.popDue(at: now) { self.hedge(id, at: now, &actions) }
        self.forgetHedges()
        return actions
    }

    mutating func forgetHedges() {
        // Of its own, since a closure must not look at what is being changed.
        let entries = self.entries
        self.hedges.dropHead { entries[$0] == nil }
        self.hedges.forget(moreThan: entries.count) { entries[$0] != nil }
    }
}
