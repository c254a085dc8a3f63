// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

// What a client asks, as protobuf-c's structures.
extension MessageBuilder {
    func lookup(_ lookup: LookupRequest) -> UnsafeMutablePointer<Semcached__V1__LookupRequest> {
        let packed = self.make(semcached__v1__lookup_request__init)
        packed.pointee.cache = self.bytes(lookup.cache)
        (packed.pointee.prompt, packed.pointee.n_messages, packed.pointee.messages) = self.prompt(lookup.prompt)
        (packed.pointee.n_vary, packed.pointee.vary) = self.vary(lookup.vary)
        if let threshold = lookup.similarityThreshold {
            packed.pointee.similarity_threshold_present_case =
                SEMCACHED__V1__LOOKUP_REQUEST__SIMILARITY_THRESHOLD_PRESENT_SIMILARITY_THRESHOLD
            packed.pointee.similarity_threshold = threshold
        }
        packed.pointee.top_k = lookup.topK == 1 ? 0 : UInt32(lookup.topK)
        if let maximumAge = lookup.maximumAge {
            packed.pointee.max_age_present_case = SEMCACHED__V1__LOOKUP_REQUEST__MAX_AGE_PRESENT_MAX_AGE_MS
            packed.pointee.max_age_ms = UInt64(clamping: maximumAge.wholeMilliseconds)
        }
        packed.pointee.mode =
            switch lookup.mode {
            case .both: SEMCACHED__V1__LOOKUP_MODE__LOOKUP_MODE_BOTH
            case .exact: SEMCACHED__V1__LOOKUP_MODE__LOOKUP_MODE_EXACT
            case .semantic: SEMCACHED__V1__LOOKUP_MODE__LOOKUP_MODE_SEMANTIC
            }
        packed.pointee.embedding = self.embedding(lookup.embedding)
        packed.pointee.filter = self.bytes(lookup.filter?.text ?? "")
        self.addLease(of: lookup, to: packed)
        return packed
    }

    func store(_ store: StoreRequest) -> UnsafeMutablePointer<Semcached__V1__StoreRequest> {
        let packed = self.make(semcached__v1__store_request__init)
        packed.pointee.cache = self.bytes(store.cache)
        (packed.pointee.prompt, packed.pointee.n_messages, packed.pointee.messages) = self.prompt(store.prompt)
        (packed.pointee.n_vary, packed.pointee.vary) = self.vary(store.vary)
        packed.pointee.response = self.bytes(store.response)
        packed.pointee.content_type = self.bytes(store.contentType)
        (packed.pointee.n_attributes, packed.pointee.attributes) = self.attributes(store.attributes)
        if let timeToLive = store.timeToLive {
            packed.pointee.ttl_present_case = SEMCACHED__V1__STORE_REQUEST__TTL_PRESENT_TTL_MS
            packed.pointee.ttl_ms = UInt64(clamping: timeToLive.wholeMilliseconds)
        }
        packed.pointee.embedding = self.embedding(store.embedding)
        packed.pointee.usage = self.usage(store.usage)
        if let stale = store.staleTimeToLive {
            packed.pointee.stale_ttl_present_case = SEMCACHED__V1__STORE_REQUEST__STALE_TTL_PRESENT_STALE_TTL_MS
            packed.pointee.stale_ttl_ms = UInt64(clamping: stale.wholeMilliseconds)
        }
        packed.pointee.lease_token = self.bytes(store.lease?.bytes ?? [])
        return packed
    }

    func invalidate(
        _ invalidate: InvalidateRequest
    ) -> UnsafeMutablePointer<Semcached__V1__InvalidateRequest> {
        let packed = self.make(semcached__v1__invalidate_request__init)
        packed.pointee.cache = self.bytes(invalidate.cache)
        packed.pointee.dry_run = invalidate.isDryRun ? 1 : 0
        switch invalidate.selector {
        case .ids(let ids):
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_ENTRY_IDS
            packed.pointee.entry_ids = self.make(semcached__v1__entry_ids__init)
            (packed.pointee.entry_ids.pointee.n_ids, packed.pointee.entry_ids.pointee.ids) =
                self.list(ids) { self.bytes($0.text) }
        case .exactPrompt(let prompt, let vary):
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_EXACT_PROMPT
            let exact = self.make(semcached__v1__exact_prompt__init)
            (exact.pointee.prompt, exact.pointee.n_messages, exact.pointee.messages) = self.prompt(prompt)
            (exact.pointee.n_vary, exact.pointee.vary) = self.vary(vary)
            packed.pointee.exact_prompt = exact
        case .semanticRadius(let prompt, let vary, let similarity, let embedding):
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_SEMANTIC_RADIUS
            let radius = self.make(semcached__v1__semantic_radius__init)
            (radius.pointee.prompt, radius.pointee.n_messages, radius.pointee.messages) = self.prompt(prompt)
            (radius.pointee.n_vary, radius.pointee.vary) = self.vary(vary)
            radius.pointee.similarity = similarity
            radius.pointee.embedding = self.embedding(embedding)
            packed.pointee.semantic_radius = radius
        case .filter(let filter):
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_FILTER
            packed.pointee.filter = self.bytes(filter.text)
        case .tags(let tags):
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_TAGS
            packed.pointee.tags = self.make(semcached__v1__tags__init)
            (packed.pointee.tags.pointee.n_tags, packed.pointee.tags.pointee.tags) = self.list(tags) { self.bytes($0) }
        case .wholeCache:
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_WHOLE_CACHE
            packed.pointee.whole_cache = self.make(semcached__v1__whole_cache__init)
        case .wholeTenant(let confirmation):
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_WHOLE_TENANT
            packed.pointee.whole_tenant = self.make(semcached__v1__whole_tenant__init)
            packed.pointee.whole_tenant.pointee.confirm_tenant = self.bytes(confirmation)
        }
        return packed
    }

    /// A prompt's two fields, of which a request has one.
    func prompt(
        _ prompt: Prompt
    ) -> (
        text: ProtobufCBinaryData, count: Int,
        messages: UnsafeMutablePointer<UnsafeMutablePointer<Semcached__V1__ChatMessage>?>?
    ) {
        switch prompt {
        case .text(let text):
            return (self.bytes(text.text), 0, nil)
        case .chat(let chat):
            let (count, messages) = self.list(chat) { message in
                let packed: UnsafeMutablePointer<Semcached__V1__ChatMessage>? =
                    self.make(semcached__v1__chat_message__init)
                packed?.pointee.role = self.bytes(message.role)
                packed?.pointee.content = self.bytes(message.content)
                return packed
            }
            return (self.bytes(""), count, messages)
        }
    }

    func vary(
        _ parts: [VaryPart]
    ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Semcached__V1__VaryPart>?>?) {
        self.list(parts) { part in
            let packed = self.make(semcached__v1__vary_part__init)
            packed.pointee.name = self.bytes(part.name)
            packed.pointee.value = self.bytes(part.value)
            return packed
        }
    }

    func embedding(_ values: [Float]?) -> UnsafeMutablePointer<Semcached__V1__Embedding>? {
        guard let values else { return nil }
        let packed = self.make(semcached__v1__embedding__init)
        (packed.pointee.n_values, packed.pointee.values) = self.list(values) { $0 }
        return packed
    }
}
