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
        /// Whether the cache is gone, and with it what was learnt.
        var isForgotten = false
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
    private let memory: MemoryTier
    private let troubles: TroubleLog
    /// Names this process in the records that it writes.
    private let origin = UInt32.random(in: 1...(.max))
    private let state: Mutex<State>

    init(
        _ cache: CacheScope, _ policy: CachePolicy, store: ObservedStore, memory: MemoryTier, troubles: TroubleLog
    ) {
        self.cache = cache
        self.policy = policy.decision
        self.threshold = policy.threshold(requested: nil)
        self.store = store
        self.memory = memory
        self.troubles = troubles
        self.state = Mutex(State(ledger: DecisionLedger(policy.decision, threshold: policy.threshold(requested: nil))))
    }

    private var isLearner: Bool { self.policy.kind == .calibrated }

    /// Changes what is known. Where less is trusted then, memory forgets what was found by more trust.
    private func changing(_ change: (inout State) -> Void) {
        let isMoreCareful = self.state.withLock { state in
            let trust = state.ledger.phase.trust
            change(&state)
            return state.ledger.phase.trust < trust
        }
        if isMoreCareful { self.memory.removeAll(of: self.cache) }
    }

    // MARK: Deciding

    /// What is known, as it is now; the phase is `.unavailable` if the records could not be read.
    func ledger() -> DecisionLedger {
        self.state.withLock { state in
            var ledger = state.ledger
            if self.isLearner, !state.isLoaded { ledger.suspend() }
            return ledger
        }
    }

    /// Takes note of a Lookup; see ``DecisionLedger/note(_:nearest:)``.
    func note(_ risk: Double, nearest similarity: Float) {
        self.changing { $0.ledger.note(risk, nearest: similarity) }
    }

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

    /// Takes a label. The store is to be told then, see ``tell(isUrgent:)``.
    func learn(_ record: DecisionRecord) {
        self.changing { state in
            state.ledger.learn(record)
            // What could not be told for long is lost: labels are many.
            if state.pending.count < Limits.maximumPendingLabels {
                state.pending.append(record.bytes(origin: self.origin))
                state.pendingSince = state.pendingSince ?? .now
            }
        }
    }

    /// Tells the store of labels if there are a few, or some for long, or at once; and fits the model, if that is due.
    func tell(isUrgent: Bool = false) async {
        let (records, isFitDue) = self.state.withLock { state -> ([[UInt8]], Bool) in
            let isOld = state.pendingSince.map { .now - $0 >= Limits.labelDelay } ?? false
            let isFitDue = state.ledger.isFitDue
            guard !state.isForgotten, isUrgent || isOld || isFitDue || state.pending.count >= Limits.labelBatch else {
                return ([], false)
            }
            defer { (state.pending, state.pendingSince) = ([], nil) }
            return (state.pending, isFitDue)
        }
        if !records.isEmpty { await self.append(records) }
        if isFitDue { await self.fit() }
    }

    private func append(_ records: [[UInt8]]) async {
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
            return state.isForgotten ? nil : DecisionSnapshot(upTo: state.ledger.total, bytes: state.ledger.snapshot)
        }
        guard let snapshot else { return }
        do throws(VectorStoreError) {
            if try await self.store.save(snapshot, of: self.cache, by: .now + Limits.labelTime) { return }
            try await self.adoptSnapshot()
        } catch {
            self.troubles.note("store", error.code.rawValue, error.message)
        }
    }

    /// Nothing of what is known here is told any more.
    func forget() { self.state.withLock { $0.isForgotten = true } }

    private func adoptSnapshot() async throws(VectorStoreError) {
        guard let snapshot = try await self.store.snapshot(of: self.cache, by: .now + Limits.labelTime) else { return }
        self.changing { state in
            if snapshot.upTo > state.ledger.adopted { _ = state.ledger.adopt(snapshot: snapshot.bytes) }
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
            self.changing { state in
                for bytes in page.records where DecisionRecord.origin(of: bytes) != self.origin {
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

extension DecisionStatistics.Phase {
    /// More where more is served.
    fileprivate var trust: Int {
        switch self {
        case .exactOnly: 0
        case .threshold, .learning, .steppedBack, .unavailable: 1
        case .calibrated: 2
        }
    }
}
