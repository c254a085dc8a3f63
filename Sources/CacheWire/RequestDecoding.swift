// SPDX-License-Identifier: Apache-2.0

package import CCacheProto
package import CacheModel

extension LookupRequest {
    /// Checks and copies a request.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field and the limit.
    package init(_ lookup: borrowing Semcached__V1__LookupRequest) throws(CacheError) {
        var threshold: Float?
        if lookup.similarity_threshold_present_case
            == SEMCACHED__V1__LOOKUP_REQUEST__SIMILARITY_THRESHOLD_PRESENT_SIMILARITY_THRESHOLD
        {
            threshold = try similarity(lookup.similarity_threshold, "similarity_threshold")
        }
        var maximumAge: Duration?
        if lookup.max_age_present_case == SEMCACHED__V1__LOOKUP_REQUEST__MAX_AGE_PRESENT_MAX_AGE_MS {
            maximumAge = .milliseconds(Int64(clamping: lookup.max_age_ms))
        }
        guard lookup.top_k <= UInt32(Limits.maximumTopK) else {
            throw .invalidArgument("top_k", "is \(lookup.top_k), the limit is \(Limits.maximumTopK)")
        }
        let mode: Mode
        switch lookup.mode {
        case SEMCACHED__V1__LOOKUP_MODE__LOOKUP_MODE_BOTH: mode = .both
        case SEMCACHED__V1__LOOKUP_MODE__LOOKUP_MODE_EXACT: mode = .exact
        case SEMCACHED__V1__LOOKUP_MODE__LOOKUP_MODE_SEMANTIC: mode = .semantic
        default: throw .invalidArgument("mode", "is unknown")
        }
        self.init(
            cache: try cacheName(lookup.cache), prompt: try Prompt(lookup.prompt, lookup.messages, lookup.n_messages),
            vary: try varyParts(lookup.vary, lookup.n_vary),
            filter: lookup.filter.len == 0 ? nil : try MetadataFilter(lookup.filter.bytes),
            similarityThreshold: threshold, topK: max(1, Int(lookup.top_k)), maximumAge: maximumAge, mode: mode,
            embedding: try vector(lookup.embedding), lease: try wantedLease(lookup), wait: try wantedWait(lookup))
    }
}

extension StoreRequest {
    /// Checks and copies a request.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field and the limit.
    package init(_ store: borrowing Semcached__V1__StoreRequest) throws(CacheError) {
        guard store.response.len > 0 else { throw .invalidArgument("response", "is empty") }
        guard store.response.len <= Limits.maximumResponseBytes else {
            throw .tooLong("response", store.response.len, limit: Limits.maximumResponseBytes)
        }
        var timeToLive: Duration?
        if store.ttl_present_case == SEMCACHED__V1__STORE_REQUEST__TTL_PRESENT_TTL_MS {
            let duration = Duration.milliseconds(Int64(clamping: store.ttl_ms))
            guard duration > .zero, duration <= Limits.maximumTimeToLive else {
                let limit = Limits.maximumTimeToLive.wholeMilliseconds
                throw .invalidArgument("ttl_ms", "is \(store.ttl_ms); it must be 1 to \(limit)")
            }
            timeToLive = duration
        }
        let contentType = try store.content_type.text("content_type", limit: Limits.maximumContentTypeBytes)
        let attributes = try storedAttributes(of: store)
        // What is stored must fit into the reply that serves it.
        let size = MatchSize.bytes(response: store.response.len, contentType: contentType, attributes: attributes)
        guard size <= MatchSize.limit else {
            throw .invalidArgument(
                "attributes", "take \(size) bytes with the response, the limit is \(MatchSize.limit)")
        }
        self.init(
            cache: try cacheName(store.cache), prompt: try Prompt(store.prompt, store.messages, store.n_messages),
            vary: try varyParts(store.vary, store.n_vary), response: [UInt8](store.response.bytes),
            contentType: contentType.isEmpty ? CacheEntry.defaultContentType : contentType,
            attributes: attributes, timeToLive: timeToLive, staleTimeToLive: try wantedStaleTime(store),
            embedding: try vector(store.embedding), usage: try storedUsage(store.usage),
            lease: store.lease_token.len == 0 ? nil : try leaseToken(store.lease_token))
    }
}

private func storedAttributes(of store: borrowing Semcached__V1__StoreRequest) throws(CacheError) -> [Attribute] {
    let count = store.n_attributes + (store.n_tags > 0 ? 1 : 0)
    guard count <= Limits.maximumAttributes else {
        throw .tooMany("attributes", count, limit: Limits.maximumAttributes)
    }
    var attributes: [Attribute] = []
    for attribute in RepeatedMessages(store.attributes, store.n_attributes) {
        let name = try attribute.name.name("attributes.name", limit: Limits.maximumAttributeNameBytes)
        attributes.append(Attribute(name: name, value: try attributeValue(attribute)))
    }
    if store.n_tags > 0 {
        let tags = try strings(store.tags, store.n_tags, "tags")
        attributes.append(Attribute(name: Attribute.tagsName, value: .strings(tags)))
    }
    guard Set(attributes.map { Array($0.name.utf8) }).count == attributes.count else {
        throw .invalidArgument("attributes", "has the same name twice (tags are the attribute \"tags\")")
    }
    return attributes
}
