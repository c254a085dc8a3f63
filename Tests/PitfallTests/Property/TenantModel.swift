// SPDX-License-Identifier: Apache-2.0

import CKernels
import CacheEngine
import CacheModel

/// What one tenant must be told: maps of its own, and every search by brute force. It knows nothing of digests,
/// partitions, memory, or other tenants.
struct TenantModel: Sendable {
    struct Row: Sendable {
        let entry: CacheEntry
        let traits: Traits
        let vector: [Float]
    }

    let floor: Float
    private(set) var rows: [Question.Place: [String: Row]] = [:]

    init(floor: Float) { self.floor = floor }

    static let defaultThreshold: Float = 0.8
    static let timeToLive = Duration.seconds(300)
    static let maximumTimeToLive = Duration.seconds(500)
    /// Of a similarity by 16-bit vectors, twice.
    private static let indexError: Float = 2e-4

    // MARK: Lookup

    struct Search {
        var question: Question
        var mode: LookupRequest.Mode
        var threshold: Float?
        var topK: Int
        var maximumAge: Duration?
        var takes: (@Sendable (Traits) -> Bool)?
        var vector: [Float]
    }

    /// - Returns: A hit as if there were no memory: its tier is always the store.
    func lookup(_ search: Search, at now: Timestamp) -> LookupOutcome {
        let place = search.question.place
        if place.isBypassed {
            let count = Vocabulary.contexts[place.context].count + 1
            return .bypass(LookupBypass(messages: count, limit: Vocabulary.maximumMessages))
        }
        let threshold = max(search.threshold ?? Self.defaultThreshold, self.floor)
        let live = (self.rows[place] ?? [:]).filter { $0.value.entry.expiresAt > now }
        let own = search.mode == .semantic ? nil : live[search.question.text]
        var exact: Row?
        var refusal = LookupMiss.Reason.notStored
        if let own {
            if !(search.takes?(own.traits) ?? true) {
                refusal = .filtered
            } else if let age = search.maximumAge, now - own.entry.createdAt > age {
                refusal = .tooOld
            } else {
                exact = own
            }
        }
        let first = exact.map { LookupMatch(entry: $0.entry, similarity: 1) }
        if let first, search.topK == 1 || search.mode == .exact {
            return .hit(LookupHit(kind: .exact, tier: .store, matches: [first], at: now))
        }
        if search.mode == .exact {
            let nearest = own.map { NearestMiss(id: $0.entry.id, similarity: 1, isApproximate: false) }
            return .miss(LookupMiss(reason: refusal, nearest: nearest, similarityThreshold: threshold))
        }
        return self.nearest(search, among: live, first: first, threshold: threshold, at: now)
    }

    private func nearest(
        _ search: Search, among live: [String: Row], first: LookupMatch?, threshold: Float, at now: Timestamp
    ) -> LookupOutcome {
        let ranked = live.values.map { (row: $0, similarity: Self.similarity($0.vector, search.vector)) }.sorted {
            if $0.similarity != $1.similarity { return $0.similarity > $1.similarity }
            let (left, right) = ($0.row.entry, $1.row.entry)
            if left.createdAt != right.createdAt { return left.createdAt > right.createdAt }
            return (left.id.high, left.id.low) < (right.id.high, right.id.low)
        }
        func refusal(_ row: Row, _ similarity: Float) -> LookupMiss.Reason? {
            if similarity < threshold { return .belowThreshold }
            if let takes = search.takes, !takes(row.traits) { return .filtered }
            if let age = search.maximumAge, now - row.entry.createdAt > age { return .tooOld }
            return nil
        }
        let matches = ranked.filter { refusal($0.row, $0.similarity) == nil }.prefix(search.topK)
            .map { LookupMatch(entry: $0.row.entry, similarity: $0.similarity) }
        if let first {
            let all = ([first] + matches.filter { $0.entry.id != first.entry.id }).prefix(search.topK)
            return .hit(LookupHit(kind: .exact, tier: .store, matches: Array(all), at: now))
        }
        guard matches.isEmpty else {
            return .hit(LookupHit(kind: .semantic, tier: .store, matches: matches, at: now))
        }
        let best = ranked.first
        return .miss(
            LookupMiss(
                reason: best.flatMap { refusal($0.row, $0.similarity) } ?? .noEntry,
                nearest: best.map { NearestMiss(id: $0.row.entry.id, similarity: $0.similarity, isApproximate: false) },
                similarityThreshold: threshold))
    }

    /// What is nearest without being near enough is told by the index's 16-bit vectors: of several that they do not tell
    /// apart, a miss may name any, with its own similarity.
    func settlingTies(_ found: LookupOutcome, _ search: Search, at now: Timestamp) -> LookupOutcome {
        guard case .miss(let miss) = found, miss.reason == .belowThreshold, let named = miss.nearest,
            case .miss(let expected) = self.lookup(search, at: now), let best = expected.nearest,
            let row = self.rows[search.question.place]?.values.first(where: { $0.entry.id == named.id }),
            row.entry.expiresAt > now, Self.similarity(row.vector, search.vector) == named.similarity,
            best.similarity - named.similarity < Self.indexError
        else { return found }
        let nearest = NearestMiss(id: best.id, similarity: best.similarity, isApproximate: named.isApproximate)
        return .miss(
            LookupMiss(reason: miss.reason, nearest: nearest, similarityThreshold: miss.similarityThreshold))
    }

    /// By the kernel that decides in the store as well, to the last bit; that it is right is shown elsewhere.
    private static func similarity(_ left: [Float], _ right: [Float]) -> Float {
        min(1, max(-1, ck_dot_f32(ck_isa_best(), left, right, left.count)))
    }

    // MARK: Changes

    /// - Returns: Whether there was a live entry of the same question.
    mutating func store(_ row: Row, of question: Question, at now: Timestamp) -> Bool {
        let old = self.rows[question.place, default: [:]].updateValue(row, forKey: question.text)
        return old.map { $0.entry.expiresAt > now } ?? false
    }

    /// Live entries for which a condition holds.
    func ids(at now: Timestamp, where isMeant: (Question.Place, String, Row) -> Bool) -> [EntryID] {
        self.rows.flatMap { place, rows in
            rows.filter { $0.value.entry.expiresAt > now && isMeant(place, $0.key, $0.value) }.map(\.value.entry.id)
        }
    }

    mutating func remove(_ ids: Set<EntryID>) {
        for (place, rows) in self.rows { self.rows[place] = rows.filter { !ids.contains($0.value.entry.id) } }
    }

    func isWithin(_ similarity: Float, of vector: [Float], _ row: Row) -> Bool {
        Self.similarity(row.vector, vector) >= similarity
    }

    // MARK: Sizes

    /// Entries and bytes of responses of each cache, without those that have none; and what the quota counts.
    func sizes(at now: Timestamp) -> (caches: [String: [UInt64]], entries: UInt64, bytes: UInt64) {
        var caches: [String: [UInt64]] = [:]
        var (entries, bytes) = (UInt64(0), UInt64(0))
        for (place, rows) in self.rows {
            for row in rows.values where row.entry.expiresAt > now {
                let name = Vocabulary.caches[place.cache]
                caches[name, default: [0, 0]][0] += 1
                caches[name, default: [0, 0]][1] += UInt64(row.entry.response.count)
                entries += 1
                bytes += UInt64(row.entry.quotaBytes(dimensions: row.vector.count))
            }
        }
        return (caches, entries, bytes)
    }
}
