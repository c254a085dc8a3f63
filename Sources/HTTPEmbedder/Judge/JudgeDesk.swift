// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import DequeModule

/// What has been judged, what is being judged, and who waits for it: so that no pair is paid for twice. No side effects,
/// no clock.
struct JudgeDesk<Waiter> {
    enum Ruling: Equatable {
        /// Judged before; without an opinion if the reply was neither yes nor no.
        case known(JudgeOpinion)
        /// The model is to be asked; then ``settle(_:)`` or ``settle(_:as:at:)``.
        case ask
        /// It is being asked.
        case wait
        /// Too many wait for it already.
        case refuse
    }

    private struct Known {
        let isSame: Bool?
        let until: ContinuousClock.Instant
    }

    private var known: [Digest: Known] = [:]
    /// As they came: that is the order in which they end.
    private var order = Deque<Digest>()
    private var asked: [Digest: [Waiter]] = [:]
    private let limit: Int
    private let time: Duration
    private let waiterLimit: Int

    init(
        limit: Int = Limits.judgedPairs, time: Duration = Limits.judgedPairTime, waiters: Int = Limits.judgeWaiters
    ) {
        self.limit = limit
        self.time = time
        self.waiterLimit = waiters
    }

    /// Pairs that are remembered, those whose time is up among them.
    var count: Int { self.known.count }

    /// - Returns: `nil` for a pair that was not judged of late.
    func recall(_ pair: Digest, at now: ContinuousClock.Instant) -> JudgeOpinion? {
        guard let known = self.known[pair], now < known.until else { return nil }
        return JudgeOpinion(isSame: known.isSame)
    }

    mutating func rule(_ pair: Digest, for waiter: Waiter, at now: ContinuousClock.Instant) -> Ruling {
        if let opinion = self.recall(pair, at: now) { return .known(opinion) }
        guard let waiters = self.asked[pair] else {
            self.asked[pair] = [waiter]
            return .ask
        }
        guard waiters.count < self.waiterLimit else { return .refuse }
        self.asked[pair]?.append(waiter)
        return .wait
    }

    /// The model has replied.
    ///
    /// - Returns: Who is to be told, in the order in which they came.
    mutating func settle(_ pair: Digest, as isSame: Bool?, at now: ContinuousClock.Instant) -> [Waiter] {
        while let first = self.order.first, self.order.count >= self.limit || self.known[first]?.until ?? now <= now {
            self.order.removeFirst()
            self.known[first] = nil
        }
        self.known[pair] = Known(isSame: isSame, until: now + self.time)
        self.order.append(pair)
        return self.settle(pair)
    }

    /// There is no reply, and nothing to remember.
    mutating func settle(_ pair: Digest) -> [Waiter] { self.asked.removeValue(forKey: pair) ?? [] }
}
