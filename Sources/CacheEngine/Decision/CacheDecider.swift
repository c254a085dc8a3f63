// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Decisions
import Synchronization

/// What one cache has learnt, shared with the other replicas through the store.
///
/// Labels go to the store's log a few at a time, and come from there; whoever finds a fit due makes it and leaves it as
/// the snapshot that all go by. A replica that cannot read them says so and lets the threshold decide.
final class CacheDecider: Sendable {
    private struct State {
        var ledger: DecisionLedger
        var isLoading = false
        /// Whether the store's records are in the ledger.
        var isLoaded = false
        var nextReading: ContinuousClock.Instant?
        /// Number of the last record that was read.
        var lastRead: UInt64 = 0
        var pending: [[UInt8]] = []
        var pendingSince: ContinuousClock.Instant?
        var refusals: [String: UInt64] = [:]
        var shadowHits: UInt64 = 0
        var judge = JudgeFigures()
    }

    struct JudgeFigures {
        var calls: UInt64 = 0
        var failures: UInt64 = 0
        var tokens: UInt64 = 0
    }

    let cache: CacheScope
    let policy: DecisionPolicy
    let threshold: Float
    private let store: ObservedStore
    private let troubles: TroubleLog
    /// Names this process in the records that it writes.
    private let origin = UInt32.random(in: 1...(.max))
    private let state: Mutex<State>

    init(_ cache: CacheScope, _ policy: CachePolicy, store: ObservedStore, troubles: TroubleLog) {
        self.cache = cache
        self.policy = policy.decision
        self.threshold = policy.threshold(requested: nil)
        self.store = store
        self.troubles = troubles
        self.state = Mutex(State(ledger: DecisionLedger(policy.decision, threshold: policy.threshold(requested: nil))))
    }

    private var isLearner: Bool { self.policy.kind == .calibrated }

    // MARK: Deciding

    /// What is known, as it is now; the phase is `.unavailable` if the records could not be read.
    func ledger() -> DecisionLedger {
        self.state.withLock { state in
            var ledger = state.ledger
            if self.isLearner, !state.isLoaded { ledger.suspend() }
            return ledger
        }
    }

    /// Takes note of a Lookup's risk; see ``DecisionLedger/note(_:)``.
    func note(_ risk: Double) { self.state.withLock { $0.ledger.note(risk) } }

    func noteServed() { self.state.withLock { $0.ledger.noteServed() } }

    func noteRefusal(_ name: String) { self.state.withLock { $0.refusals[name, default: 0] += 1 } }

    func noteShadowHit() { self.state.withLock { $0.shadowHits += 1 } }

    func noteJudge(failed: Bool, tokens: UInt64) {
        self.state.withLock { state in
            state.judge.calls += 1
            state.judge.failures += failed ? 1 : 0
            state.judge.tokens += tokens
        }
    }

    /// Counts are added; what is no count becomes that of this cache.
    func add(to sum: inout DecisionStatistics) {
        var own = self.ledger().statistics
        own.labels += sum.labels
        own.rightLabels += sum.rightLabels
        own.audits += sum.audits
        own.wrongAudits += sum.wrongAudits
        own.feedbackRight += sum.feedbackRight
        own.feedbackWrong += sum.feedbackWrong
        self.state.withLock { state in
            own.refusals = sum.refusals.merging(state.refusals, uniquingKeysWith: +)
            own.shadowHits = sum.shadowHits + state.shadowHits
            own.judgeCalls = sum.judgeCalls + state.judge.calls
            own.judgeFailures = sum.judgeFailures + state.judge.failures
            own.judgeTokens = sum.judgeTokens + state.judge.tokens
        }
        sum = own
    }

    // MARK: Learning

    /// Takes a label, and tells the store when there are a few, or at once.
    func learn(_ record: DecisionRecord, isUrgent: Bool) async {
        let (isDue, isFitDue) = self.state.withLock { state -> (Bool, Bool) in
            state.ledger.learn(record)
            // What could not be told for long is lost: labels are many.
            if state.pending.count < Limits.maximumPendingLabels {
                state.pending.append(record.bytes(origin: self.origin))
                state.pendingSince = state.pendingSince ?? .now
            }
            let isOld = state.pendingSince.map { .now - $0 >= Limits.labelDelay } ?? false
            return (isUrgent || isOld || state.pending.count >= Limits.labelBatch, state.ledger.isFitDue)
        }
        if isDue || isFitDue { await self.tell() }
        if isFitDue { await self.fit() }
    }

    private func tell() async {
        let records = self.state.withLock { state in
            let records = state.pending
            (state.pending, state.pendingSince) = ([], nil)
            return records
        }
        if records.isEmpty { return }
        do throws(VectorStoreError) {
            _ = try await self.store.append(records, to: self.cache, by: .now + Limits.labelTime)
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
            self.state.withLock { state in
                state.pending = Array((records + state.pending).prefix(Limits.maximumPendingLabels))
                state.pendingSince = .now
            }
        }
    }

    private func fit() async {
        let ledger = self.state.withLock { state -> DecisionLedger? in
            guard state.ledger.isFitDue else { return nil }
            let ledger = state.ledger
            // Others find it done.
            state.ledger.adopt(ledger.model)
            return ledger
        }
        guard let ledger else { return }
        let model = ledger.fittedModel()
        let snapshot = self.state.withLock { state in
            state.ledger.adopt(model)
            return DecisionSnapshot(upTo: state.ledger.total, bytes: state.ledger.snapshot)
        }
        do throws(VectorStoreError) {
            if try await self.store.save(snapshot, of: self.cache, by: .now + Limits.labelTime) { return }
            try await self.adoptSnapshot()
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
        }
    }

    private func adoptSnapshot() async throws(VectorStoreError) {
        guard let snapshot = try await self.store.snapshot(of: self.cache, by: .now + Limits.labelTime) else { return }
        self.state.withLock { state in
            if snapshot.upTo >= state.ledger.adopted { _ = state.ledger.adopt(snapshot: snapshot.bytes) }
        }
    }

    // MARK: Reading what others know

    /// Reads what is new in the store, if that is due: all of it the first time, and now and then what others have added.
    func refresh() async {
        guard self.isLearner else { return }
        let start = self.state.withLock { state -> (after: UInt64, isFirst: Bool)? in
            guard !state.isLoading, !state.isLoaded || self.store.isShared,
                state.nextReading.map({ $0 <= .now }) ?? true
            else { return nil }
            state.isLoading = true
            return (state.lastRead, !state.isLoaded)
        }
        guard let start else { return }
        var isRead = false
        do throws(VectorStoreError) {
            let count = try await self.read(after: start.after, isFirst: start.isFirst)
            if count > 0 || start.isFirst { try await self.adoptSnapshot() }
            isRead = true
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
        }
        self.state.withLock { state in
            state.isLoading = false
            // Once read they stay known; what others add meanwhile comes later.
            state.isLoaded = state.isLoaded || isRead
            state.nextReading = .now + Limits.labelRefresh
        }
    }

    /// - Returns: How many records of others there were.
    private func read(after number: UInt64, isFirst: Bool) async throws(VectorStoreError) -> Int {
        var number = number
        var count = 0
        while true {
            let page = try await self.store.records(of: self.cache, after: number)
            self.state.withLock { state in
                for bytes in page.records where isFirst || DecisionRecord.origin(of: bytes) != self.origin {
                    guard let record = DecisionRecord(bytes: bytes) else { continue }
                    // One of another replica counts as one's own; in those of an earlier life the snapshot has the say.
                    if isFirst { state.ledger.recall(record) } else { state.ledger.learn(record) }
                    count += 1
                }
                if !page.records.isEmpty { state.lastRead = page.first + UInt64(page.records.count) - 1 }
            }
            guard !page.records.isEmpty, page.first + UInt64(page.records.count) - 1 < page.last else { return count }
            number = page.first + UInt64(page.records.count) - 1
        }
    }
}

/// The deciders of all caches that are in use.
final class Deciders: Sendable {
    private let known = Mutex<[Digest: CacheDecider]>([:])
    private let store: ObservedStore
    private let troubles: TroubleLog

    init(_ store: ObservedStore, _ troubles: TroubleLog) {
        self.store = store
        self.troubles = troubles
    }

    /// That of a route's cache; another one if its policy has changed.
    func decider(of route: CacheRoute) -> CacheDecider {
        let (cache, policy) = (route.partition.cache, route.policy)
        return self.known.withLock { known in
            if let decider = known[cache.key], decider.policy == policy.decision,
                decider.threshold == policy.threshold(requested: nil)
            {
                return decider
            }
            let decider = CacheDecider(cache, policy, store: self.store, troubles: self.troubles)
            // What one of them knew is in the store.
            if known.count >= Limits.maximumDeciders, known[cache.key] == nil, let other = known.keys.first {
                known[other] = nil
            }
            known[cache.key] = decider
            route.counters.include(decider)
            return decider
        }
    }
}
