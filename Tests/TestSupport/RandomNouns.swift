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

    /// A text most of the time, else a chat.
    package mutating func prompt() -> Prompt {
        if self.chance(0.7) { return .text(self.question()) }
        let messages = (0..<self.int(1...6)).map { _ in
            ChatMessage(role: self.pick(["user", "assistant", "system", self.text(1...8)]), content: self.text(0...40))
        }
        return .chat(messages)
    }

    package mutating func filter() -> MetadataFilter {
        let texts = [
            "draft", "not draft", "lang == \"de\"", "score >= \(self.int(0...99))",
            "tags contains \"doc-\(self.int(0...9))\"",
            "(tier in [\"gold\", \"silver\"] or exists(author)) and n < -\(self.int(0...9)).5",
        ]
        // A filter of our own is never refused.
        return try! MetadataFilter(self.pick(texts))
    }

    package mutating func question() -> CanonicalPrompt {
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

    package mutating func leaseToken() -> LeaseToken {
        // Of one byte at least, which is never refused.
        self.chance(0.5) ? LeaseToken(for: self.entryID()) : LeaseToken(bytes: self.bytes(self.int(1...64)))!
    }

    package mutating func leaseRequest() -> LeaseRequest {
        LeaseRequest(
            cache: self.text(1...8), token: self.leaseToken(),
            action: self.chance(0.5) ? .release : .extend(.milliseconds(self.int(1000...600_000))))
    }

    package mutating func lookupRequest() -> LookupRequest {
        let lease: Duration? = self.chance(0.5) ? nil : .milliseconds(self.int(1000...600_000))
        return LookupRequest(
            cache: self.text(1...8), prompt: self.prompt(), vary: self.vary(),
            filter: self.chance(0.7) ? nil : self.filter(),
            similarityThreshold: self.chance(0.5) ? nil : Float.random(in: -1...1, using: &self),
            topK: self.chance(0.7) ? 1 : self.int(1...100),
            maximumAge: self.chance(0.5) ? nil : .milliseconds(Int64(self.next() >> UInt64(self.int(1...60)))),
            mode: self.pick([.both, .exact, .semantic]), embedding: self.embedding(), lease: lease,
            wait: lease == nil
                ? .none : self.pick([.none, .untilDeadline, .atMost(.milliseconds(self.int(1...1_000_000)))]))
    }

    package mutating func storeRequest() -> StoreRequest {
        StoreRequest(
            cache: self.text(1...8), prompt: self.prompt(), vary: self.vary(), response: self.response(),
            contentType: self.text(1...20), attributes: self.attributes(),
            timeToLive: self.chance(0.5) ? nil : .milliseconds(self.int(1...100_000_000)),
            staleTimeToLive: self.chance(0.5) ? nil : .milliseconds(self.int(0...100_000_000)),
            embedding: self.embedding(), usage: self.usage(), lease: self.chance(0.5) ? nil : self.leaseToken())
    }

    package mutating func invalidateRequest() -> InvalidateRequest {
        var cache = self.text(1...8)
        let selector: InvalidateRequest.Selector
        switch self.int(0...6) {
        case 0: selector = .ids((0..<self.int(1...20)).map { _ in self.entryID() })
        case 1: selector = .exactPrompt(self.prompt(), vary: self.vary())
        case 2:
            selector = .semanticRadius(
                self.prompt(), vary: self.vary(), similarity: Float.random(in: -1...1, using: &self),
                embedding: self.embedding())
        case 3: selector = .filter(self.filter())
        case 4: selector = .tags((0..<self.int(1...9)).map { _ in self.text(1...12) })
        case 5:
            cache = ""
            selector = .wholeTenant(confirmation: self.text(1...20))
        default: selector = .wholeCache
        }
        return InvalidateRequest(cache: cache, selector: selector, isDryRun: self.chance(0.5))
    }

    package mutating func exportRequest() -> ExportRequest {
        ExportRequest(
            cache: self.text(1...8), filter: self.chance(0.5) ? nil : self.filter(),
            cursor: self.chance(0.5) ? nil : self.bytes(self.int(1...256)),
            pageSize: self.int(1...Limits.maximumExportPage))
    }

    package mutating func embedRequest() -> EmbedRequest {
        EmbedRequest(
            cache: self.text(1...8), texts: (0..<self.int(1...Limits.maximumEmbedTexts)).map { _ in self.question() })
    }

    package mutating func feedbackRequest() -> FeedbackRequest {
        FeedbackRequest(
            cache: self.text(1...8), entry: self.entryID(),
            question: self.chance(0.5)
                ? .lookup(self.lookupID())
                : .prompt(self.prompt(), vary: self.vary(), embedding: self.chance(0.5) ? nil : self.embedding()),
            verdict: self.pick([.right, .wrong]))
    }

    package mutating func labelsRequest() -> LabelsRequest {
        LabelsRequest(
            cache: self.text(1...8), after: self.next(), pageSize: self.int(1...Limits.maximumLabelsPage))
    }

    package mutating func clientMessage() -> ClientMessage {
        switch self.int(0...11) {
        case 0:
            return .hello(
                Hello(
                    minimumVersion: UInt32(truncatingIfNeeded: self.next()),
                    maximumVersion: UInt32(truncatingIfNeeded: self.next()), clientName: self.text(),
                    credential: self.pick([.none, .apiKey(self.text(1...60)), .token(self.text(1...400))])))
        case 1: return .cancel(id: self.next())
        default: break
        }
        let request: ServiceRequest =
            switch self.int(0...14) {
            case 0...3: .lookup(self.lookupRequest())
            case 4...6: .store(self.storeRequest())
            case 7: .invalidate(self.invalidateRequest())
            case 8: .stats(cache: self.chance(0.5) ? nil : self.text(1...8))
            case 9: .export(self.exportRequest())
            case 10: .embed(self.embedRequest())
            case 11: .lease(self.leaseRequest())
            case 12: .feedback(self.feedbackRequest())
            case 13: .labels(self.labelsRequest())
            default: .ping
            }
        return .call(
            Call(
                id: max(1, self.next() >> UInt64(self.int(0...63))),
                deadline: self.chance(0.5) ? nil : .milliseconds(self.int(1...Int(UInt32.max))),
                traceparent: self.chance(0.5) ? "" : self.text(),
                tenant: self.chance(0.7) ? nil : self.text(1...20), request: .success(request)))
    }
}
