// SPDX-License-Identifier: Apache-2.0

import CacheModel

// The server checks every request and says which field is at fault. Checked here is only what could not be sent: what a
// message has no form for, or what no frame holds.
extension ServiceRequest {
    /// - Throws: ``CacheClientError`` with `.invalidArgument`.
    func checked() throws(CacheClientError) -> Self {
        let bytes: Int
        switch self {
        case .lookup(let lookup):
            guard (1...Limits.maximumTopK).contains(lookup.topK) else {
                throw .invalid("top_k", "is \(lookup.topK); it must be 1 to \(Limits.maximumTopK)")
            }
            if let age = lookup.maximumAge, age < .zero { throw .invalid("max_age_ms", "is negative") }
            try checkCount("vary", lookup.vary.count, Limits.maximumVaryParts)
            try lookup.checkLease()
            bytes =
                lookup.cache.utf8.count + lookup.prompt.wireBytesAtMost + lookup.vary.wireBytesAtMost
                + wireBytesAtMost(lookup.embedding)
        case .store(let store):
            if let timeToLive = store.timeToLive, timeToLive < .milliseconds(1) {
                throw .invalid("ttl_ms", "is less than a millisecond")
            }
            if let stale = store.staleTimeToLive, stale < .zero { throw .invalid("stale_ttl_ms", "is negative") }
            try checkCount("vary", store.vary.count, Limits.maximumVaryParts)
            try checkCount("attributes", store.attributes.count, Limits.maximumAttributes)
            for case .strings(let strings) in store.attributes.map({ $0.value }) {
                try checkCount("attributes.strings", strings.count, Limits.maximumAttributeListCount)
            }
            bytes =
                store.cache.utf8.count + store.prompt.wireBytesAtMost + store.response.count
                + store.contentType.utf8.count + store.vary.wireBytesAtMost
                + store.attributes.reduce(0) { $0 + $1.wireBytesAtMost } + wireBytesAtMost(store.embedding)
        case .invalidate(let invalidate):
            bytes = invalidate.cache.utf8.count + (try invalidate.selector.checkedBytesAtMost())
        case .stats(let cache):
            bytes = cache?.utf8.count ?? 0
        case .export(let export):
            guard (1...Limits.maximumExportPage).contains(export.pageSize) else {
                throw .invalid("page_size", "is \(export.pageSize); it must be 1 to \(Limits.maximumExportPage)")
            }
            bytes = export.cache.utf8.count + (export.cursor?.count ?? 0)
        case .embed(let embed):
            guard (1...Limits.maximumEmbedTexts).contains(embed.texts.count) else {
                throw .invalid("texts", "has \(embed.texts.count) texts; it must be 1 to \(Limits.maximumEmbedTexts)")
            }
            bytes = embed.cache.utf8.count + embed.texts.reduce(0) { $0 + $1.text.utf8.count + 8 }
        case .lease(let lease):
            if case .extend(let time) = lease.action { try checkLeaseTime(time, "extend_ttl_ms") }
            bytes = lease.cache.utf8.count
        case .feedback(let feedback):
            bytes = feedback.cache.utf8.count + (try feedback.question.checkedBytesAtMost())
        case .labels(let labels):
            guard (1...Limits.maximumLabelsPage).contains(labels.pageSize) else {
                throw .invalid("page_size", "is \(labels.pageSize); it must be 1 to \(Limits.maximumLabelsPage)")
            }
            bytes = labels.cache.utf8.count
        case .ping:
            bytes = 0
        }
        guard bytes <= Limits.maximumFrameBytes else {
            throw CacheClientError(
                .invalidArgument, "the request has some \(bytes) bytes, the limit is \(Limits.maximumFrameBytes)")
        }
        return self
    }
}

extension InvalidateRequest.Selector {
    fileprivate func checkedBytesAtMost() throws(CacheClientError) -> Int {
        switch self {
        case .ids(let ids):
            guard (1...Limits.maximumEntryIDs).contains(ids.count) else {
                throw .invalid("entry_ids", "has \(ids.count) ids; it must be 1 to \(Limits.maximumEntryIDs)")
            }
            return 0
        case .exactPrompt(let prompt, let vary):
            try checkCount("vary", vary.count, Limits.maximumVaryParts)
            return prompt.wireBytesAtMost + vary.wireBytesAtMost
        case .semanticRadius(let prompt, let vary, _, let embedding):
            try checkCount("vary", vary.count, Limits.maximumVaryParts)
            return prompt.wireBytesAtMost + vary.wireBytesAtMost + wireBytesAtMost(embedding)
        case .tags(let tags):
            guard (1...Limits.maximumFilterTags).contains(tags.count) else {
                throw .invalid("tags", "has \(tags.count) elements; it must be 1 to \(Limits.maximumFilterTags)")
            }
            return tags.reduce(0) { $0 + $1.utf8.count + 8 }
        case .wholeTenant(let confirmation):
            return confirmation.utf8.count
        case .filter, .wholeCache:
            return 0
        }
    }
}

extension FeedbackRequest.Question {
    fileprivate func checkedBytesAtMost() throws(CacheClientError) -> Int {
        switch self {
        case .prompt(let prompt, let vary, let embedding):
            try checkCount("vary", vary.count, Limits.maximumVaryParts)
            return prompt.wireBytesAtMost + vary.wireBytesAtMost + wireBytesAtMost(embedding)
        case .lookup:
            return Limits.maximumLookupIDBytes
        }
    }
}

/// Each element becomes a structure many times its size on the wire.
private func checkCount(_ field: String, _ count: Int, _ limit: Int) throws(CacheClientError) {
    guard count <= limit else { throw .invalid(field, "has \(count) elements, the limit is \(limit)") }
}

extension CanonicalPrompt {
    static func make(_ text: String, field: StaticString = "prompt") throws(CacheClientError) -> Self {
        do throws(CacheError) {
            return try Self(text, field: field)
        } catch {
            throw CacheClientError(error, origin: .client)
        }
    }
}

extension Prompt {
    static func make(_ text: String) throws(CacheClientError) -> Self { .text(try CanonicalPrompt.make(text)) }

    static func make(_ messages: [CacheChatMessage]) throws(CacheClientError) -> Self {
        guard !messages.isEmpty else { throw .invalid("messages", "is empty") }
        try checkCount("messages", messages.count, Limits.maximumMessages)
        let bytes = messages.reduce(0) { $0 + $1.content.utf8.count }
        guard bytes <= Limits.maximumChatBytes else {
            throw .invalid("messages", "has \(bytes) bytes, the limit is \(Limits.maximumChatBytes)")
        }
        return .chat(messages.map { ChatMessage(role: $0.role, content: $0.content) })
    }

    /// A prompt of text was checked when it was made canonical.
    fileprivate var wireBytesAtMost: Int {
        guard case .chat(let messages) = self else { return 0 }
        return messages.reduce(0) { $0 + $1.role.utf8.count + $1.content.utf8.count + 24 }
    }
}

extension MetadataFilter {
    static func make(_ text: String) throws(CacheClientError) -> Self {
        do throws(CacheError) {
            return try Self(text)
        } catch {
            throw CacheClientError(error, origin: .client)
        }
    }
}

extension MetadataFilter? {
    /// An empty text is an error, not no filter.
    static func make(_ text: String?) throws(CacheClientError) -> Self {
        guard let text else { return nil }
        return try MetadataFilter.make(text)
    }
}

extension VaryPart {
    static func parts(_ vary: [String: String]) -> [Self] { vary.map { Self(name: $0.key, value: $0.value) } }
}

extension Attribute {
    static func attributes(_ attributes: [String: CacheAttribute], tags: [String]) throws(CacheClientError) -> [Self] {
        var all = attributes.map { Self(name: $0.key, value: $0.value.value) }
        if !tags.isEmpty {
            guard attributes[Self.tagsName] == nil else {
                throw .invalid("attributes", "has \"\(Self.tagsName)\", and there are tags too")
            }
            all.append(Self(name: Self.tagsName, value: .strings(tags)))
        }
        return all
    }

    fileprivate var wireBytesAtMost: Int {
        let value: Int
        switch self.value {
        case .string(let text): value = text.utf8.count
        case .strings(let strings): value = strings.reduce(0) { $0 + $1.utf8.count + 8 }
        case .number, .boolean: value = 16
        }
        return self.name.utf8.count + value + 32
    }
}

extension [VaryPart] {
    fileprivate var wireBytesAtMost: Int { self.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 24 } }
}

private func wireBytesAtMost(_ embedding: [Float]?) -> Int { (embedding?.count ?? 0) * MemoryLayout<Float>.size }

extension CacheClientError {
    static func invalid(_ field: String, _ fault: String) -> Self {
        Self(.invalidArgument, "\(field) \(fault)", field: field)
    }
}
