// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore

// What becomes of calls.
extension Balancer {
    /// - Returns: The call, to be answered, and the server that need not answer it any more; `nil` if nobody waits.
    mutating func answered(_ id: UInt64, by endpoint: Int, at now: NIODeadline) -> (call: Call, cancels: [Int])? {
        guard let leg = self.takeLeg(id, at: endpoint), let entry = self.entries.removeValue(forKey: id) else {
            return nil
        }
        self.endpoints[endpoint].measured(now - leg.sentAt, at: now)
        self.endpoints[endpoint].answered()
        self.hasReplied = true
        return (entry.call, self.abandon(entry, at: now))
    }

    /// A call has failed: the server said so, or time is up, or it could not be sent. Never repeated, since it may have
    /// been carried out; only that of two servers the other may still answer.
    mutating func failed(
        _ id: UInt64, at endpoint: Int, _ error: CacheClientError, at now: NIODeadline
    ) -> Actions {
        // It has no connection after all.
        if error.origin == .connection { return self.returned([id], from: endpoint, error, at: now) }
        guard let leg = self.takeLeg(id, at: endpoint), let entry = self.entries[id] else { return Actions() }
        if error.origin == .server {
            self.hasReplied = true
            if error.code == .unavailable {
                let jitter = self.jitter()
                self.endpoints[endpoint].failed(
                    self.policy.ejection, wasProbe: leg.isProbe, at: now, jitter: jitter)
            } else {
                self.endpoints[endpoint].answered()
            }
        } else if error.code == .deadlineExceeded {
            self.endpoints[endpoint].isSlow(now - leg.sentAt, at: now)
        }
        if entry.leg != nil, error.mayDiffer {
            self.entries[id]?.keptError = error
            return Actions()
        }
        self.entries[id] = nil
        let others = self.abandon(entry, at: now)
        return Actions(failures: [(entry.call, error)], cancels: others.map { (id, $0) })
    }

    /// Calls that the server never began: sent elsewhere, as often as it takes.
    mutating func returned(
        _ ids: [UInt64], from endpoint: Int, _ error: CacheClientError, at now: NIODeadline
    ) -> Actions {
        var actions = Actions()
        self.sendAgain(
            ids, from: endpoint, error, at: now, &actions, wasBegun: false, mayRepeat: self.policy.retriesLostCalls)
        return actions
    }

    /// Calls that were under way on a connection that was lost: sent elsewhere once, if that does no harm.
    mutating func lost(
        _ ids: [UInt64], from endpoint: Int, _ fault: ConnectionFault, at now: NIODeadline
    ) -> Actions {
        var actions = Actions()
        self.sendAgain(
            ids, from: endpoint, fault.error, at: now, &actions, wasBegun: true,
            mayRepeat: fault.isLoss && self.policy.retriesLostCalls)
        return actions
    }

    private mutating func sendAgain(
        _ ids: [UInt64], from endpoint: Int, _ error: CacheClientError, at now: NIODeadline,
        _ actions: inout Actions, wasBegun: Bool, mayRepeat: Bool
    ) {
        var kept: [Call] = []
        for id in ids {
            guard let leg = self.takeLeg(id, at: endpoint), var entry = self.entries[id] else { continue }
            if wasBegun {
                entry.losses += 1
                self.endpoints[leg.endpoint].isSlow(now - leg.sentAt, at: now)
            }
            // The other server is at it.
            let isElsewhere = entry.leg != nil
            let mayGo = isElsewhere || self.mayGoAgain(&entry, mayRepeat)
            self.entries[id] = entry
            if isElsewhere { continue }
            guard mayGo, !self.isClosed, entry.call.deadline > now else {
                self.entries[id] = nil
                actions.failures.append((entry.call, entry.keptError ?? error))
                continue
            }
            if let another = self.choose(at: now, avoiding: endpoint) {
                self.begin(entry.call, at: another, at: now, &actions)
            } else {
                kept.append(entry.call)
            }
        }
        self.waiting.prepend(kept)
        self.seekConnection(at: now, &actions)
    }

    /// Whether a call that no server has may go to one: once after a loss, and always if it was never begun, but not after
    /// an answer.
    private mutating func mayGoAgain(_ entry: inout Entry, _ mayRepeat: Bool) -> Bool {
        guard entry.keptError == nil else { return false }
        if entry.losses == 0 { return true }
        guard mayRepeat, entry.isRepeatable, entry.losses < 2 else { return false }
        if !entry.isPaid { entry.isPaid = self.budget.take() }
        return entry.isPaid
    }

    private mutating func takeLeg(_ id: UInt64, at endpoint: Int) -> Leg? {
        guard let leg = self.entries[id]?.takeLeg(at: endpoint) else { return nil }
        self.endpoints[endpoint].end(wasProbe: leg.isProbe)
        return leg
    }
}

extension CacheClientError {
    /// Whether another server might say something better.
    fileprivate var mayDiffer: Bool {
        switch self.code {
        case .unavailable, .resourceExhausted, .internal, .deadlineExceeded: true
        default: false
        }
    }
}
