// SPDX-License-Identifier: Apache-2.0

package import CCacheProto
package import CacheModel

extension InvalidateRequest {
    /// Checks and copies a request.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field and the limit.
    package init(_ invalidate: borrowing Semcached__V1__InvalidateRequest) throws(CacheError) {
        let selector: Selector
        switch invalidate.selector_case {
        case SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_ENTRY_IDS:
            selector = .ids(try entryIDs(invalidate.entry_ids.pointee))
        case SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_EXACT_PROMPT:
            let exact = invalidate.exact_prompt.pointee
            selector = .exactPrompt(
                try Prompt(exact.prompt, exact.messages, exact.n_messages),
                vary: try varyParts(exact.vary, exact.n_vary))
        case SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_SEMANTIC_RADIUS:
            let radius = invalidate.semantic_radius.pointee
            selector = .semanticRadius(
                try Prompt(radius.prompt, radius.messages, radius.n_messages),
                vary: try varyParts(radius.vary, radius.n_vary),
                similarity: try similarity(radius.similarity, "semantic_radius.similarity"),
                embedding: try vector(radius.embedding))
        case SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_WHOLE_CACHE:
            selector = .wholeCache
        case SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_FILTER:
            guard invalidate.filter.len > 0 else {
                throw .invalidArgument("filter", "is empty: it would mean everything, which whole_cache says")
            }
            selector = .filter(try MetadataFilter(invalidate.filter.bytes))
        case SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_TAGS:
            selector = .tags(try tags(invalidate.tags.pointee))
        case SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_WHOLE_TENANT:
            let confirmation = invalidate.whole_tenant.pointee.confirm_tenant
            selector = .wholeTenant(
                confirmation: try confirmation.name("confirm_tenant", limit: Limits.maximumTenantNameBytes))
        default:
            throw .invalidArgument("selector", "is missing; nothing is removed without one")
        }
        self.init(
            cache: try cacheName(invalidate.cache, for: selector), selector: selector,
            isDryRun: invalidate.dry_run != 0)
    }
}

private func cacheName(
    _ data: ProtobufCBinaryData, for selector: InvalidateRequest.Selector
) throws(CacheError) -> String {
    guard case .wholeTenant = selector else { return try cacheName(data) }
    guard data.len == 0 else { throw .invalidArgument("cache", "is given, but the whole tenant is to be removed") }
    return ""
}

private func entryIDs(_ list: Semcached__V1__EntryIDs) throws(CacheError) -> [EntryID] {
    guard list.n_ids > 0 else { throw .invalidArgument("entry_ids", "is empty") }
    guard list.n_ids <= Limits.maximumEntryIDs else {
        throw .tooMany("entry_ids", list.n_ids, limit: Limits.maximumEntryIDs)
    }
    var ids: [EntryID] = []
    for data in UnsafeBufferPointer(start: list.ids, count: list.n_ids) {
        guard let id = EntryID(text: data.bytes) else {
            throw .invalidArgument("entry_ids", "has an id that is not 32 lower-case hexadecimal digits")
        }
        ids.append(id)
    }
    return ids
}

/// An empty list is refused as an empty filter is, and so is an empty tag, which no caller means.
private func tags(_ list: Semcached__V1__Tags) throws(CacheError) -> [String] {
    guard list.n_tags > 0 else { throw .invalidArgument("tags", "is empty") }
    guard list.n_tags <= Limits.maximumFilterTags else {
        throw .tooMany("tags", list.n_tags, limit: Limits.maximumFilterTags)
    }
    var tags: [String] = []
    for data in UnsafeBufferPointer(start: list.tags, count: list.n_tags) {
        tags.append(try data.name("tags", limit: Limits.maximumAttributeStringBytes))
    }
    return tags
}
