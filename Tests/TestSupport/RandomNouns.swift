// SPDX-License-Identifier: Apache-2.0

package import CacheModel
package import CacheWire

// Any noun that may travel, small ones most of the time.
extension SeededGenerator {
    /// Valid UTF-8 without NUL.
    package mutating func text(_ scalars: ClosedRange<Int> = 0...12) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<self.int(scalars) {
            let planes: [ClosedRange<UInt32>] = [
                0x20...0x7e, 0x20...0x7e, 0xa0...0x7ff, 0x4e00...0x4fff, 0x1f600...0x1f64f,
            ]
            text.append(Unicode.Scalar(UInt32.random(in: self.pick(planes), using: &self))!)
        }
        return String(text)
    }

    package mutating func prompt() -> CanonicalPrompt {
        let words = ["how", "do", "I", "reset", "my", "password", "étude", "日本", "\u{1f600}", "billing", "2FA"]
        let text = (0..<self.int(1...9)).map { _ in self.pick(words) }.joined(separator: " ")
        // A question of our own is never refused.
        return try! CanonicalPrompt(text)
    }

    package mutating func entryID() -> EntryID { EntryID(high: self.next(), low: self.next()) }

    package mutating func vary() -> [VaryPart] {
        let count = self.chance(0.5) ? 0 : self.int(1...4)
        return (0..<count).map { VaryPart(name: "\($0)" + self.text(), value: self.text()) }
    }

    package mutating func attributes() -> [Attribute] {
        let count = self.chance(0.4) ? 0 : self.int(1...5)
        return (0..<count).map { Attribute(name: "\($0)" + self.text(0...6), value: self.attributeValue()) }
    }

    private mutating func attributeValue() -> AttributeValue {
        switch self.int(0...3) {
        case 0: .string(self.text())
        case 1: .number(Double.random(in: -1e9...1e9, using: &self))
        case 2: .boolean(self.chance(0.5))
        default: .strings((0..<self.int(0...4)).map { _ in self.text() })
        }
    }

    package mutating func usage() -> Usage? {
        guard self.chance(0.5) else { return nil }
        return Usage(
            promptTokens: self.next(), completionTokens: self.next() >> 40, cost: Double(self.int(0...900)) / 7)
    }

    package mutating func embedding() -> [Float]? {
        guard self.chance(0.3) else { return nil }
        return (0..<self.int(0...9)).map { _ in Float.random(in: -2...2, using: &self) }
    }

    package mutating func response() -> [UInt8] {
        self.bytes(self.chance(0.05) ? self.int(1...70_000) : self.int(1...300))
    }

    package mutating func lookupRequest() -> LookupRequest {
        LookupRequest(
            cache: self.text(1...8), prompt: self.prompt(), vary: self.vary(),
            similarityThreshold: self.chance(0.5) ? nil : Float.random(in: -1...1, using: &self),
            topK: self.chance(0.7) ? 1 : self.int(1...100),
            maximumAge: self.chance(0.5) ? nil : .milliseconds(Int64(self.next() >> UInt64(self.int(1...60)))),
            mode: self.pick([.both, .exact, .semantic]), embedding: self.embedding())
    }

    package mutating func storeRequest() -> StoreRequest {
        StoreRequest(
            cache: self.text(1...8), prompt: self.prompt(), vary: self.vary(), response: self.response(),
            contentType: self.text(1...20), attributes: self.attributes(),
            timeToLive: self.chance(0.5) ? nil : .milliseconds(self.int(1...100_000_000)), embedding: self.embedding(),
            usage: self.usage())
    }

    package mutating func invalidateRequest() -> InvalidateRequest {
        let selector: InvalidateRequest.Selector =
            switch self.int(0...3) {
            case 0: .ids((0..<self.int(1...20)).map { _ in self.entryID() })
            case 1: .exactPrompt(self.prompt(), vary: self.vary())
            case 2:
                .semanticRadius(
                    self.prompt(), vary: self.vary(), similarity: Float.random(in: -1...1, using: &self),
                    embedding: self.embedding())
            default: .wholeCache
            }
        return InvalidateRequest(cache: self.text(1...8), selector: selector, isDryRun: self.chance(0.5))
    }

    package mutating func clientMessage() -> ClientMessage {
        switch self.int(0...11) {
        case 0:
            return .hello(
                Hello(
                    minimumVersion: UInt32(truncatingIfNeeded: self.next()),
                    maximumVersion: UInt32(truncatingIfNeeded: self.next()), clientName: self.text()))
        case 1: return .cancel(id: self.next())
        default: break
        }
        let request: ServiceRequest =
            switch self.int(0...9) {
            case 0...3: .lookup(self.lookupRequest())
            case 4...6: .store(self.storeRequest())
            case 7: .invalidate(self.invalidateRequest())
            case 8: .stats(cache: self.chance(0.5) ? nil : self.text(1...8))
            default: .ping
            }
        return .call(
            Call(
                id: max(1, self.next() >> UInt64(self.int(0...63))),
                deadline: self.chance(0.5) ? nil : .milliseconds(self.int(1...Int(UInt32.max))),
                traceparent: self.chance(0.5) ? "" : self.text(), request: .success(request)))
    }
}

extension SeededGenerator {
    /// As it looks on the wire: without its prompt.
    package mutating func entry() -> CacheEntry {
        let created = Int64(self.int(0...2_000_000_000_000))
        return CacheEntry(
            id: self.entryID(), prompt: nil, response: self.response(), contentType: self.text(1...20),
            attributes: self.attributes(), usage: self.usage(), createdAt: Timestamp(milliseconds: created),
            expiresAt: Timestamp(milliseconds: created + Int64(self.int(0...1_000_000_000))))
    }

    package mutating func lookupOutcome() -> LookupOutcome {
        guard self.chance(0.6) else { return .miss(self.miss()) }
        let matches = (0..<(self.chance(0.7) ? 1 : self.int(1...5))).map { _ in
            LookupMatch(entry: self.entry(), similarity: Float.random(in: -1...1, using: &self))
        }
        return .hit(
            LookupHit(
                kind: self.pick([.exact, .semantic]), tier: self.pick([.l1, .store]), matches: matches,
                at: matches[0].entry.createdAt + .milliseconds(self.int(0...1_000_000_000))))
    }

    private mutating func miss() -> LookupMiss {
        let reasons: [LookupMiss.Reason] =
            [.noEntry, .notStored, .belowThreshold, .tooOld] + LookupMiss.Degradation.allCases.map { .degraded($0) }
        let nearest = NearestMiss(
            id: self.entryID(), similarity: Float.random(in: -1...1, using: &self), isApproximate: self.chance(0.5))
        return LookupMiss(
            reason: self.pick(reasons), nearest: self.chance(0.5) ? nearest : nil,
            similarityThreshold: Float.random(in: -1...1, using: &self))
    }

    private mutating func statistics() -> ServiceStatistics {
        var statistics = ServiceStatistics()
        statistics.caches = (0..<self.int(0...4)).map { _ in
            var cache = CacheStatistics(cache: self.text())
            let counters: [WritableKeyPath<CacheStatistics, UInt64>] = [
                \.entries, \.responseBytes, \.exactHitsL1, \.exactHitsStore, \.semanticHitsL1, \.semanticHitsStore,
                \.missesNoEntry, \.missesNotStored, \.missesBelowThreshold, \.missesTooOld, \.missesDegraded, \.stores,
                \.invalidatedEntries,
            ]
            for counter in counters { cache[keyPath: counter] = self.next() }
            return cache
        }
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

    private mutating func error() -> CacheError {
        CacheError(self.pick(CacheError.Code.allCases), self.text(), field: self.chance(0.5) ? nil : self.text(1...9))
    }

    package mutating func serverMessage() -> ServerMessage {
        let response: ServiceResponse
        switch self.int(0...9) {
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
        default: response = .ping(serverVersion: self.text())
        }
        return .reply(Reply(id: self.next() >> UInt64(self.int(0...63)), result: .success(response)))
    }
}
