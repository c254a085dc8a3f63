// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import TestSupport

/// One tenant's random operations on an engine that it shares with others, and what its model says of them.
struct TenantRun: Sendable {
    /// Where the engine and the model part.
    struct Difference: Error, CustomStringConvertible {
        let description: String
    }

    let scope: TenantScope
    private(set) var model: TenantModel
    /// Of all entries that it ever had.
    private(set) var ids: [EntryID] = []
    private var known: [Question: EntryID] = [:]
    private(set) var operations = 0
    /// Hits by memory and by the store: whether the run was worth anything.
    private(set) var hits: [Tier: Int] = [:]
    private var random: SeededGenerator
    private var counted: [String: CacheStatistics] = [:]
    private var prompts = Vocabulary.prompts[...]

    init(_ name: String, floor: Float, seed: UInt64) {
        self.scope = TenantScope(authenticated: TenantID(name))
        self.model = TenantModel(floor: floor)
        self.random = SeededGenerator(seed)
    }

    /// Begins with an engine that has counted nothing yet.
    mutating func restart(prompts: ArraySlice<String>) {
        self.counted = [:]
        self.prompts = prompts
    }

    /// - Parameters:
    ///   - strangers: Ids of other tenants' entries.
    ///   - isQuiet: Whether nothing is to be changed.
    mutating func step(_ engine: CacheEngine, strangers: [EntryID], isQuiet: Bool) async throws {
        self.operations += 1
        switch isQuiet ? 0 : self.random.int(0...99) {
        case 0..<62: try await self.look(engine)
        case 62..<90: try await self.store(engine)
        case 90..<98: try await self.invalidate(engine, strangers)
        default: try await self.compareSizes(engine)
        }
    }

    private func expect<Value: Equatable>(_ found: Value, _ expected: Value, _ what: @autoclosure () -> String) throws {
        guard found != expected else { return }
        throw Difference(
            description: "operation \(self.operations) of \(self.scope.tenant.name.debugDescription), \(what()): "
                + "found \(found), expected \(expected)")
    }

    private var later: ContinuousClock.Instant { .now + .seconds(60) }

    // MARK: Lookup

    private mutating func look(_ engine: CacheEngine) async throws {
        let question = Question(&self.random, prompts: self.prompts)
        let filter = self.random.chance(0.25) ? self.random.pick(Vocabulary.filters) : nil
        var search = TenantModel.Search(
            question: question, mode: self.random.pick([.both, .both, .both, .exact, .semantic]),
            threshold: self.random.chance(0.5) ? nil : self.random.pick([-1, 0, 0.3, 0.6, 0.7, 0.75, 0.9, 1]),
            topK: self.random.chance(0.85) ? 1 : self.random.pick([2, 5, 100]),
            maximumAge: self.random.chance(0.8) ? nil : .seconds(self.random.pick([0, 5, 30, 120])),
            takes: filter?.takes, vector: Vocabulary.vectors[question.text]!)
        var request = LookupRequest(
            cache: question.cache, prompt: question.prompt(&self.random), vary: question.vary(&self.random),
            filter: try filter.map { try MetadataFilter($0.text) }, similarityThreshold: search.threshold,
            topK: search.topK, maximumAge: search.maximumAge, mode: search.mode)
        if let given = try self.vector() {
            request.embedding = given
            search.vector = try Embedding(normalising: given, dimensions: given.count).values
        }
        let expected = self.model.lookup(search, at: engine.now)
        // What is asked again is often in memory.
        for _ in 0..<(self.random.chance(0.3) ? 2 : 1) {
            try await self.look(engine, request, search, expected)
            self.count(expected, in: question.cache)
        }
    }

    private mutating func look(
        _ engine: CacheEngine, _ request: LookupRequest, _ search: TenantModel.Search, _ expected: LookupOutcome
    ) async throws {
        let found = try await engine.lookup(request, scope: self.scope, by: self.later)
        if case .hit(let hit) = found {
            self.hits[hit.tier, default: 0] += 1
            let stored = LookupHit(kind: hit.kind, tier: .store, matches: hit.matches, at: hit.at)
            try self.expect(.hit(stored), expected, "\(request)")
        } else {
            try self.expect(self.model.settlingTies(found, search, at: engine.now), expected, "\(request)")
        }
    }

    /// Now and then another prompt's vector, of another length.
    private mutating func vector() throws -> [Float]? {
        guard self.random.chance(0.05) else { return nil }
        return Vocabulary.vectors[self.random.pick(Array(self.prompts))]!.map { $0 * 3 }
    }

    private mutating func count(_ outcome: LookupOutcome, in cache: String) {
        var statistics = self.counted[cache] ?? CacheStatistics(cache: cache)
        switch outcome {
        case .hit(let hit) where hit.kind == .exact: statistics.exactHitsStore += 1
        case .hit: statistics.semanticHitsStore += 1
        case .bypass: statistics.bypasses += 1
        case .miss(let miss):
            switch miss.reason {
            case .noEntry: statistics.missesNoEntry += 1
            case .notStored: statistics.missesNotStored += 1
            case .belowThreshold: statistics.missesBelowThreshold += 1
            case .tooOld: statistics.missesTooOld += 1
            case .filtered: statistics.missesFiltered += 1
            case .guarded, .tooRisky, .blocked, .judged, .shadow, .audited: statistics.missesRefused += 1
            case .degraded: statistics.missesDegraded += 1
            }
        }
        self.counted[cache] = statistics
    }

    // MARK: Store

    private mutating func store(_ engine: CacheEngine) async throws {
        let question = Question(&self.random, prompts: self.prompts)
        let traits = Traits(&self.random)
        let given = try self.vector()
        let timeToLive: Duration? = self.random.chance(0.3) ? nil : .seconds(self.random.int(1...900))
        // Whose it is, so that a stranger's is seen as one.
        let response = "\(self.scope.tenant.name) \(self.operations)"
        let request = StoreRequest(
            cache: question.cache, prompt: question.prompt(&self.random), vary: question.vary(&self.random),
            response: Array(response.utf8), attributes: traits.attributes, timeToLive: timeToLive, embedding: given)
        let outcome: StoreOutcome
        do {
            outcome = try await engine.store(request, scope: self.scope, by: self.later)
        } catch {
            return try self.expect(
                error.code, question.place.isBypassed ? .failedPrecondition : .cancelled, "\(request)")
        }
        let now = engine.now
        let lasts = min(timeToLive ?? TenantModel.timeToLive, TenantModel.maximumTimeToLive)
        let entry = CacheEntry(
            id: outcome.id, prompt: try CanonicalPrompt(question.text), response: request.response,
            contentType: CacheEntry.defaultContentType, attributes: traits.attributes, usage: nil, createdAt: now,
            expiresAt: now + lasts)
        let vector =
            try given.map { try Embedding(normalising: $0, dimensions: $0.count).values }
            ?? Vocabulary.vectors[question.text]!
        if let known = self.known.updateValue(outcome.id, forKey: question) {
            try self.expect(outcome.id, known, "the id of \(request)")
        } else {
            self.ids.append(outcome.id)
        }
        let row = TenantModel.Row(entry: entry, traits: traits, vector: vector)
        let isReplacement = self.model.store(row, of: question, at: now)
        try self.expect(
            outcome, StoreOutcome(id: outcome.id, expiresAt: entry.expiresAt, isReplacement: isReplacement),
            "\(request)")
        self.counted[question.cache, default: CacheStatistics(cache: question.cache)].stores += 1
    }

    // MARK: Invalidate

    private mutating func invalidate(_ engine: CacheEngine, _ strangers: [EntryID]) async throws {
        let question = Question(&self.random, prompts: self.prompts)
        let (place, now) = (question.place, engine.now)
        let expected: [EntryID]
        var request = InvalidateRequest(
            cache: question.cache, selector: .wholeCache, isDryRun: self.random.chance(0.4))
        // What removes much is rare, or there would be nothing left to find.
        switch self.random.int(0...29) {
        case 0..<8:
            let mine = self.ids.isEmpty ? [] : (0..<3).map { _ in self.random.pick(self.ids) }
            let others = strangers.isEmpty ? [] : (0..<3).map { _ in self.random.pick(strangers) }
            request.selector = .ids(mine + others + [self.random.entryID()] + mine)
            expected = self.model.ids(at: now) { $0.cache == place.cache && mine.contains($2.entry.id) }
        case 8..<16:
            request.selector = .exactPrompt(question.prompt(&self.random), vary: question.vary(&self.random))
            expected = self.model.ids(at: now) { $0 == place && $1 == question.text && $2.entry.expiresAt > now }
        case 16..<21:
            let similarity = self.random.pick([0.75, 0.9, 1] as [Float])
            let vector = Vocabulary.vectors[question.text]!
            request.selector = .semanticRadius(
                question.prompt(&self.random), vary: question.vary(&self.random), similarity: similarity,
                embedding: nil)
            let model = self.model
            expected = model.ids(at: now) { $0 == place && model.isWithin(similarity, of: vector, $2) }
        case 21..<24:
            let filter = self.random.pick(Vocabulary.filters)
            request.selector = .filter(try MetadataFilter(filter.text))
            expected = self.model.ids(at: now) { $0.cache == place.cache && filter.takes($2.traits) }
        case 24..<27:
            let tag = self.random.pick(["doc-1", "doc-2", "doc-3", "doc-", "*"])
            request.selector = .tags([tag, "doc-9"])
            expected = self.model.ids(at: now) { $0.cache == place.cache && $2.traits.tags.contains(tag) }
        case 27: expected = self.model.ids(at: now) { place, _, _ in place.cache == question.place.cache }
        case 28: return try await self.invalidateAll(engine)
        default: return try await self.confirmWrongly(engine)
        }
        let outcome = try await engine.invalidate(request, scope: self.scope, by: self.later)
        try self.settle(outcome, expected, request)
        if !request.isDryRun {
            self.counted[question.cache, default: CacheStatistics(cache: question.cache)].invalidatedEntries +=
                UInt64(expected.count)
        }
    }

    private mutating func invalidateAll(_ engine: CacheEngine) async throws {
        let request = InvalidateRequest(
            cache: "", selector: .wholeTenant(confirmation: self.scope.tenant.name), isDryRun: self.random.chance(0.4))
        let expected = self.model.ids(at: engine.now) { _, _, _ in true }
        let outcome = try await engine.invalidate(request, scope: self.scope, by: self.later)
        try self.settle(outcome, expected, request)
    }

    private mutating func confirmWrongly(_ engine: CacheEngine) async throws {
        let wrong = self.scope.tenant.name + self.random.pick(["|", "\u{301}", "*"])
        do {
            _ = try await engine.invalidate(
                InvalidateRequest(cache: "", selector: .wholeTenant(confirmation: wrong)), scope: self.scope,
                by: self.later)
        } catch {
            return try self.expect(error.code, .invalidArgument, "a wrong confirmation")
        }
        throw Difference(description: "a wrong confirmation was accepted")
    }

    private mutating func settle(
        _ outcome: InvalidateOutcome, _ expected: [EntryID], _ request: InvalidateRequest
    ) throws {
        try self.expect(outcome.count, expected.count, "\(request)")
        try self.expect(outcome.isDryRun, request.isDryRun, "\(request)")
        let sample = Set(outcome.sample)
        try self.expect(sample.count, min(expected.count, Limits.maximumSampleIDs), "the sample of \(request)")
        try self.expect(sample.isSubset(of: expected), true, "the sample of \(request)")
        if !request.isDryRun { self.model.remove(Set(expected)) }
    }

    // MARK: Stats

    func compareSizes(_ engine: CacheEngine) async throws {
        let expected = self.model.sizes(at: engine.now)
        let found = try await engine.statistics(cache: nil, scope: self.scope)
        try self.expect([found.tenant.entries, found.tenant.bytes], [expected.entries, expected.bytes], "sizes")
        try self.expect(found.tenant.orphanedEntries + found.tenant.evictedEntries, 0, "orphans and evictions")
        try self.expect(
            found.caches.allSatisfy { Vocabulary.caches.contains($0.cache) }, true, "the caches of \(found.caches)")
        for name in Vocabulary.caches {
            var wanted = self.counted[name] ?? CacheStatistics(cache: name)
            let sizes = expected.caches[name] ?? [0, 0]
            (wanted.entries, wanted.responseBytes) = (sizes[0], sizes[1])
            var cache = found.caches.first { $0.cache == name } ?? CacheStatistics(cache: name)
            // Which tier it was is memory's business.
            (cache.exactHitsStore, cache.exactHitsL1) = (cache.exactHitsStore + cache.exactHitsL1, 0)
            (cache.semanticHitsStore, cache.semanticHitsL1) = (cache.semanticHitsStore + cache.semanticHitsL1, 0)
            try self.expect(cache, wanted, "the statistics of \(name)")
        }
    }
}
