// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel
package import NIOCore

/// Encodes what a client sends. Belongs to one thread.
package final class ClientMessageEncoder {
    private let arena = ProtobufArena(limit: 4 * Limits.maximumFrameBytes)

    package init() {}

    /// Appends a frame with the message.
    ///
    /// A call whose request is a `.failure` is not a message and traps.
    package func write(_ message: ClientMessage, into buffer: inout ByteBuffer) {
        defer { self.arena.reset() }
        let build = MessageBuilder(arena: self.arena)
        let packed = build.make(semcached__v1__client_message__init)
        switch message {
        case .hello(let hello):
            packed.pointee.kind_case = SEMCACHED__V1__CLIENT_MESSAGE__KIND_HELLO
            packed.pointee.hello = build.make(semcached__v1__hello__init)
            packed.pointee.hello.pointee.minimum_version = hello.minimumVersion
            packed.pointee.hello.pointee.maximum_version = hello.maximumVersion
            packed.pointee.hello.pointee.client_name = build.bytes(hello.clientName)
        case .call(let call):
            packed.pointee.kind_case = SEMCACHED__V1__CLIENT_MESSAGE__KIND_CALL
            packed.pointee.call = build.call(call)
        case .cancel(let id):
            packed.pointee.kind_case = SEMCACHED__V1__CLIENT_MESSAGE__KIND_CANCEL
            packed.pointee.cancel = build.make(semcached__v1__cancel__init)
            packed.pointee.cancel.pointee.id = id
        }
        buffer.writeFrame { $0.writePacked(UnsafeRawPointer(packed)) }
    }
}

extension ByteBuffer {
    /// Appends a message in wire form.
    ///
    /// - Parameter message: Points to a structure of protobuf-c, whose first member is its `ProtobufCMessage`.
    mutating func writePacked(_ message: UnsafeRawPointer) {
        let base = message.assumingMemoryBound(to: ProtobufCMessage.self)
        let size = protobuf_c_message_get_packed_size(base)
        self.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { bytes in
            protobuf_c_message_pack(base, bytes.baseAddress!.assumingMemoryBound(to: UInt8.self))
        }
    }
}

extension MessageBuilder {
    fileprivate func call(_ call: Call) -> UnsafeMutablePointer<Semcached__V1__Call> {
        let packed = self.make(semcached__v1__call__init)
        packed.pointee.id = call.id
        packed.pointee.deadline_ms = call.deadline.map { UInt32(clamping: max(1, $0.wholeMilliseconds)) } ?? 0
        packed.pointee.traceparent = self.bytes(call.traceparent)
        guard case .success(let request) = call.request else { preconditionFailure("a refused call is not sent") }
        switch request {
        case .lookup(let lookup):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_LOOKUP
            packed.pointee.lookup = self.lookup(lookup)
        case .store(let store):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_STORE
            packed.pointee.store = self.store(store)
        case .invalidate(let invalidate):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_INVALIDATE
            packed.pointee.invalidate = self.invalidate(invalidate)
        case .stats(let cache):
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_STATS
            packed.pointee.stats = self.make(semcached__v1__stats_request__init)
            packed.pointee.stats.pointee.cache = self.bytes(cache ?? "")
        case .ping:
            packed.pointee.request_case = SEMCACHED__V1__CALL__REQUEST_PING
            packed.pointee.ping = self.make(semcached__v1__ping_request__init)
        }
        return packed
    }

    private func lookup(_ lookup: LookupRequest) -> UnsafeMutablePointer<Semcached__V1__LookupRequest> {
        let packed = self.make(semcached__v1__lookup_request__init)
        packed.pointee.cache = self.bytes(lookup.cache)
        packed.pointee.prompt = self.bytes(lookup.prompt.text)
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
        return packed
    }

    private func store(_ store: StoreRequest) -> UnsafeMutablePointer<Semcached__V1__StoreRequest> {
        let packed = self.make(semcached__v1__store_request__init)
        packed.pointee.cache = self.bytes(store.cache)
        packed.pointee.prompt = self.bytes(store.prompt.text)
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
        return packed
    }

    private func invalidate(
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
            exact.pointee.prompt = self.bytes(prompt.text)
            (exact.pointee.n_vary, exact.pointee.vary) = self.vary(vary)
            packed.pointee.exact_prompt = exact
        case .semanticRadius(let prompt, let vary, let similarity, let embedding):
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_SEMANTIC_RADIUS
            let radius = self.make(semcached__v1__semantic_radius__init)
            radius.pointee.prompt = self.bytes(prompt.text)
            (radius.pointee.n_vary, radius.pointee.vary) = self.vary(vary)
            radius.pointee.similarity = similarity
            radius.pointee.embedding = self.embedding(embedding)
            packed.pointee.semantic_radius = radius
        case .wholeCache:
            packed.pointee.selector_case = SEMCACHED__V1__INVALIDATE_REQUEST__SELECTOR_WHOLE_CACHE
            packed.pointee.whole_cache = self.make(semcached__v1__whole_cache__init)
        }
        return packed
    }

    private func vary(
        _ parts: [VaryPart]
    ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Semcached__V1__VaryPart>?>?) {
        self.list(parts) { part in
            let packed = self.make(semcached__v1__vary_part__init)
            packed.pointee.name = self.bytes(part.name)
            packed.pointee.value = self.bytes(part.value)
            return packed
        }
    }

    private func embedding(_ values: [Float]?) -> UnsafeMutablePointer<Semcached__V1__Embedding>? {
        guard let values else { return nil }
        let packed = self.make(semcached__v1__embedding__init)
        (packed.pointee.n_values, packed.pointee.values) = self.list(values) { $0 }
        return packed
    }
}
