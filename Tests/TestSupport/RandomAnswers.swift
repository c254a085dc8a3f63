// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CacheWire

// What a server may say.
extension SeededGenerator {
    /// As it looks on the wire: without its prompt.
    package mutating func entry(prompt: CanonicalPrompt? = nil) -> CacheEntry {
        let created = Int64(self.int(0...2_000_000_000_000))
        let fresh = created + Int64(self.int(0...1_000_000_000))
        return CacheEntry(
            id: self.entryID(), prompt: prompt, response: self.response(), contentType: self.text(1...20),
            attributes: self.attributes(), usage: self.usage(), createdAt: Timestamp(milliseconds: created),
            freshUntil: Timestamp(milliseconds: fresh),
            expiresAt: Timestamp(milliseconds: fresh + Int64(self.chance(0.5) ? 0 : self.int(1...1_000_000_000))))
    }

    private mutating func fill() -> FillStatus? {
        let remaining = Duration.milliseconds(self.int(0...600_000))
        return self.pick([nil, .underWay(remaining: remaining), .lease(self.leaseToken(), remaining: remaining)])
    }

    package mutating func lookupOutcome() -> LookupOutcome {
        if self.chance(0.1) { return .bypass(LookupBypass(messages: self.int(1...1000), limit: self.int(0...999))) }
        guard self.chance(0.6) else { return .miss(self.miss()) }
        let matches = (0..<(self.chance(0.7) ? 1 : self.int(1...5))).map { _ in
            LookupMatch(entry: self.entry(), similarity: Float.random(in: -1...1, using: &self))
        }
        var hit = LookupHit(
            kind: self.pick([.exact, .semantic]), tier: self.pick([.l1, .store]), matches: matches,
            at: matches[0].entry.createdAt + .milliseconds(self.int(0...1_000_000_000)), fill: self.fill())
        hit.decision = self.decision()
        hit.lookup = self.chance(0.5) ? nil : self.lookupID()
        return .hit(hit)
    }

    package mutating func lookupID() -> LookupID {
        LookupID(bytes: self.bytes(self.int(1...Limits.maximumLookupIDBytes)))
    }

    private mutating func decision() -> DecisionExplanation? {
        if self.chance(0.3) { return nil }
        let shares: [Float?] = [nil, 0, 1, Float.random(in: 0...1, using: &self)]
        return DecisionExplanation(
            kind: self.pick(DecisionPolicy.Kind.allCases), risk: self.pick(shares), riskLimit: self.pick(shares))
    }

    private mutating func miss() -> LookupMiss {
        let reasons: [LookupMiss.Reason] =
            [
                .noEntry, .notStored, .belowThreshold, .tooOld, .filtered, .tooRisky, .blocked, .judged, .shadow,
                .audited,
            ]
            + Guard.allCases.map { .guarded($0) } + LookupMiss.Degradation.allCases.map { .degraded($0) }
        let nearest = NearestMiss(
            id: self.entryID(), similarity: Float.random(in: -1...1, using: &self), isApproximate: self.chance(0.5))
        var miss = LookupMiss(
            reason: self.pick(reasons), nearest: self.chance(0.5) ? nearest : nil,
            similarityThreshold: Float.random(in: -1...1, using: &self), fill: self.fill())
        miss.decision = self.decision()
        return miss
    }

    package mutating func decisionStatistics() -> DecisionStatistics {
        var statistics = DecisionStatistics()
        statistics.phase = self.pick(DecisionStatistics.Phase.allCases)
        let shares: [WritableKeyPath<DecisionStatistics, Double>] = [
            \.errorBudget, \.wrongHitLimit, \.riskLimit, \.wrongPerLookup, \.wrongPerHit,
        ]
        for share in shares { statistics[keyPath: share] = Double.random(in: 0...1, using: &self) }
        let counters: [WritableKeyPath<DecisionStatistics, UInt64>] = [
            \.labels, \.labelsNeeded, \.rightLabels, \.audits, \.wrongAudits, \.feedbackRight, \.feedbackWrong,
            \.shadowHits, \.judgeCalls, \.judgeFailures, \.judgeTokens,
        ]
        for counter in counters { statistics[keyPath: counter] = self.next() }
        for reason in DecisionStatistics.refusalReasons where self.chance(0.5) {
            statistics.refusals[reason] = self.next()
        }
        return statistics
    }

    private mutating func statistics() -> ServiceStatistics {
        var statistics = ServiceStatistics()
        statistics.caches = (0..<self.int(0...4)).map { _ in
            var cache = CacheStatistics(cache: self.text())
            let counters: [WritableKeyPath<CacheStatistics, UInt64>] = [
                \.entries, \.responseBytes, \.exactHitsL1, \.exactHitsStore, \.semanticHitsL1, \.semanticHitsStore,
                \.missesNoEntry, \.missesNotStored, \.missesBelowThreshold, \.missesTooOld, \.missesDegraded, \.stores,
                \.invalidatedEntries, \.missesFiltered, \.bypasses, \.evictedEntries,
                \.leasesGranted, \.waitsFilled, \.staleHits, \.abortedStores, \.missesRefused,
            ]
            for counter in counters { cache[keyPath: counter] = self.next() }
            if self.chance(0.7) { cache.decision = self.decisionStatistics() }
            return cache
        }
        let counters: [WritableKeyPath<TenantStatistics, UInt64>] = [
            \.entries, \.bytes, \.maximumEntries, \.maximumBytes, \.orphanedEntries, \.evictedEntries, \.refusedByRate,
            \.refusedByCallsInFlight, \.refusedByRequestBytes, \.refusedByRole, \.refusedByQuota,
        ]
        for counter in counters { statistics.tenant[keyPath: counter] = self.next() }
        statistics.uptime = .milliseconds(self.int(0...1_000_000_000))
        statistics.l1Entries = self.next()
        statistics.l1Bytes = self.next()
        statistics.indexBytes = self.next()
        statistics.embeddingsComputed = self.next()
        statistics.embeddingsCached = self.next()
        statistics.connections = self.next()
        statistics.embedder = self.text()
        return statistics
    }

    private mutating func exportPage() -> ExportPage {
        let entries = (0..<self.int(0...5)).map { _ in
            let prompt = self.chance(0.1) ? nil : self.question()
            let context = Digest(words: (self.next(), self.next(), self.next(), self.next()))
            return ExportedEntry(
                entry: self.entry(prompt: prompt), vary: self.chance(0.2) ? nil : self.vary(),
                context: self.chance(0.5) ? nil : context)
        }
        return ExportPage(entries: entries, cursor: self.chance(0.5) ? nil : self.bytes(self.int(1...99)))
    }

    private mutating func error() -> CacheError {
        CacheError(
            self.pick(CacheError.Code.allCases), self.text(), field: self.chance(0.5) ? nil : self.text(1...9),
            retryAfter: self.chance(0.5) ? nil : .milliseconds(max(1, Int64(self.next() >> UInt64(self.int(1...63))))))
    }

    package mutating func serverMessage() -> ServerMessage {
        let response: ServiceResponse
        switch self.int(0...14) {
        case 0:
            var welcome = Welcome(
                version: UInt32(self.int(0...9)), serverVersion: self.text(),
                embeddingDimensions: UInt32(self.int(0...4096)))
            welcome.maximumFrameBytes = UInt32(truncatingIfNeeded: self.next())
            welcome.maximumCallsInFlight = UInt32(truncatingIfNeeded: self.next())
            welcome.maximumPromptBytes = UInt32(truncatingIfNeeded: self.next())
            welcome.maximumResponseBytes = UInt32(truncatingIfNeeded: self.next())
            return .welcome(welcome)
        case 1: return .goAway(reason: self.text())
        case 2: return .reply(Reply(id: self.next() >> UInt64(self.int(0...63)), result: .failure(self.error())))
        case 3...5: response = .lookup(self.lookupOutcome())
        case 6:
            response = .store(
                StoreOutcome(
                    id: self.entryID(), expiresAt: Timestamp(milliseconds: Int64(self.int(0...2_000_000_000_000))),
                    isReplacement: self.chance(0.5)))
        case 7:
            response = .invalidate(
                InvalidateOutcome(
                    count: self.int(0...100_000), sample: (0..<self.int(0...20)).map { _ in self.entryID() },
                    isDryRun: self.chance(0.5)))
        case 8: response = .stats(self.statistics())
        case 9: response = .export(self.exportPage())
        case 10:
            let vectors = (0..<self.int(0...4)).map { _ in (0..<self.int(0...9)).map { Float($0) } }
            response = .embed(EmbedOutcome(identity: self.text(), vectors: vectors))
        case 11:
            response = .lease(
                LeaseOutcome(remaining: .milliseconds(self.int(0...600_000)), isReleased: self.chance(0.5)))
        case 12: response = .feedback(FeedbackOutcome(isBlocked: self.chance(0.5), isLearnt: self.chance(0.5)))
        case 13: response = .labels(self.labelsPage())
        default: response = .ping(serverVersion: self.text())
        }
        return .reply(Reply(id: self.next() >> UInt64(self.int(0...63)), result: .success(response)))
    }
}
