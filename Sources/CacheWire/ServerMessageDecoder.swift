// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

/// Decodes what a server sends. Belongs to one thread.
package final class ServerMessageDecoder {
    private let arena = ProtobufArena(limit: 4 * Limits.maximumFrameBytes)

    package init() {}

    /// Decodes a frame's body into nouns.
    ///
    /// - Throws: ``WireError`` with `.malformedMessage`.
    package func decode(_ body: UnsafeRawBufferPointer) throws(WireError) -> ServerMessage {
        defer { self.arena.reset() }
        let start = body.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard let message = semcached__v1__server_message__unpack(self.arena.allocator, body.count, start) else {
            throw WireError(.malformedMessage, "message is no valid protobuf or takes too much memory")
        }
        switch message.pointee.kind_case {
        case SEMCACHED__V1__SERVER_MESSAGE__KIND_WELCOME:
            return .welcome(try Self.welcome(message.pointee.welcome.pointee))
        case SEMCACHED__V1__SERVER_MESSAGE__KIND_REPLY:
            return .reply(try Self.reply(message.pointee.reply.pointee))
        case SEMCACHED__V1__SERVER_MESSAGE__KIND_GO_AWAY:
            return .goAway(reason: String(decoding: message.pointee.go_away.pointee.reason.bytes, as: UTF8.self))
        default:
            throw WireError(.malformedMessage, "message is neither welcome, reply nor go-away")
        }
    }

    private static func welcome(_ packed: Semcached__V1__Welcome) throws(WireError) -> Welcome {
        var welcome = Welcome(
            version: packed.version, serverVersion: String(decoding: packed.server_version.bytes, as: UTF8.self),
            embeddingDimensions: packed.embedding_dimensions)
        welcome.maximumFrameBytes = packed.maximum_frame_bytes
        welcome.maximumCallsInFlight = packed.maximum_calls_in_flight
        welcome.maximumPromptBytes = packed.maximum_prompt_bytes
        welcome.maximumResponseBytes = packed.maximum_response_bytes
        return welcome
    }

    private static func reply(_ packed: Semcached__V1__Reply) throws(WireError) -> Reply {
        if let status = packed.status?.pointee {
            let field = String(decoding: status.field.bytes, as: UTF8.self)
            let error = CacheError(
                CacheError.Code(rawValue: status.code) ?? .internal,
                String(decoding: status.message.bytes, as: UTF8.self), field: field.isEmpty ? nil : field,
                retryAfter: status.retry_after_ms == 0
                    ? nil : .milliseconds(Int64(clamping: status.retry_after_ms)))
            return Reply(id: packed.id, result: .failure(error))
        }
        do {
            return Reply(id: packed.id, result: .success(try self.response(packed)))
        } catch {
            // A reply of this client's calls must be whole; its sender is not the server that was expected.
            throw WireError(.malformedMessage, error.message)
        }
    }

    private static func response(_ packed: Semcached__V1__Reply) throws(CacheError) -> ServiceResponse {
        switch packed.response_case {
        case SEMCACHED__V1__REPLY__RESPONSE_LOOKUP:
            return .lookup(try LookupOutcome(packed.lookup.pointee))
        case SEMCACHED__V1__REPLY__RESPONSE_STORE:
            let store = packed.store.pointee
            return .store(
                StoreOutcome(
                    id: try entryID(store.entry_id), freshUntil: timestamp(store.expires_at_ms),
                    expiresAt: end(store.expires_at_ms, store.stale_until_ms), isReplacement: store.replaced != 0))
        case SEMCACHED__V1__REPLY__RESPONSE_INVALIDATE:
            let invalidate = packed.invalidate.pointee
            var sample: [EntryID] = []
            for id in UnsafeBufferPointer(start: invalidate.sample_ids, count: invalidate.n_sample_ids) {
                sample.append(try entryID(id))
            }
            return .invalidate(
                InvalidateOutcome(
                    count: Int(clamping: invalidate.count), sample: sample, isDryRun: invalidate.dry_run != 0))
        case SEMCACHED__V1__REPLY__RESPONSE_STATS:
            return .stats(ServiceStatistics(packed.stats.pointee))
        case SEMCACHED__V1__REPLY__RESPONSE_EXPORT:
            return .export(try ExportPage(packed.export.pointee))
        case SEMCACHED__V1__REPLY__RESPONSE_EMBED:
            return .embed(try EmbedOutcome(packed.embed.pointee))
        case SEMCACHED__V1__REPLY__RESPONSE_LEASE:
            return .lease(LeaseOutcome(packed.lease.pointee))
        case SEMCACHED__V1__REPLY__RESPONSE_FEEDBACK:
            return .feedback(FeedbackOutcome(packed.feedback.pointee))
        case SEMCACHED__V1__REPLY__RESPONSE_LABELS:
            return .labels(LabelsPage(packed.labels.pointee))
        case SEMCACHED__V1__REPLY__RESPONSE_PING:
            return .ping(serverVersion: String(decoding: packed.ping.pointee.server_version.bytes, as: UTF8.self))
        default:
            throw CacheError(.internal, "the reply names no response that this client knows")
        }
    }
}

extension LookupOutcome {
    fileprivate init(_ packed: Semcached__V1__LookupResponse) throws(CacheError) {
        switch packed.outcome {
        case SEMCACHED__V1__OUTCOME__OUTCOME_HIT_EXACT, SEMCACHED__V1__OUTCOME__OUTCOME_HIT_SEMANTIC:
            var matches: [LookupMatch] = []
            var age: UInt64 = 0
            for packed in RepeatedMessages(packed.matches, packed.n_matches) {
                if matches.isEmpty { age = packed.age_ms }
                matches.append(LookupMatch(entry: try CacheEntry(packed), similarity: packed.similarity))
            }
            guard let best = matches.first else { throw CacheError(.internal, "the hit has no match") }
            var hit = LookupHit(
                kind: packed.outcome == SEMCACHED__V1__OUTCOME__OUTCOME_HIT_EXACT ? .exact : .semantic,
                tier: packed.tier == SEMCACHED__V1__TIER__TIER_L1 ? .l1 : .store, matches: matches,
                at: best.entry.createdAt + .milliseconds(Int64(clamping: age)), fill: try FillStatus?(packed.fill))
            hit.decision = DecisionExplanation?(packed.decision)
            hit.lookup = try lookupID(packed.lookup_id)
            self = .hit(hit)
        case SEMCACHED__V1__OUTCOME__OUTCOME_MISS:
            var miss = try LookupMiss(packed.miss?.pointee)
            miss.fill = try FillStatus?(packed.fill)
            self = .miss(miss)
        case SEMCACHED__V1__OUTCOME__OUTCOME_BYPASS:
            guard let bypass = packed.bypass?.pointee else {
                throw CacheError(.internal, "the bypass does not say why")
            }
            self = .bypass(LookupBypass(messages: Int(bypass.messages), limit: Int(bypass.maximum_messages)))
        default:
            throw CacheError(.internal, "the outcome is none that this client knows")
        }
    }
}

extension LookupMiss {
    fileprivate init(_ packed: Semcached__V1__Miss?) throws(CacheError) {
        guard let packed else { throw CacheError(.internal, "the miss does not say why") }
        var nearest: NearestMiss?
        if packed.nearest_similarity_present_case
            == SEMCACHED__V1__MISS__NEAREST_SIMILARITY_PRESENT_NEAREST_SIMILARITY
        {
            nearest = NearestMiss(
                id: try entryID(packed.nearest_entry_id), similarity: packed.nearest_similarity,
                isApproximate: packed.nearest_is_approximate != 0)
        }
        self.init(reason: Reason(packed), nearest: nearest, similarityThreshold: packed.similarity_threshold)
        self.decision = DecisionExplanation?(packed.decision)
    }
}

private func lookupID(_ data: ProtobufCBinaryData) throws(CacheError) -> LookupID? {
    guard data.len > 0 else { return nil }
    guard data.len <= Limits.maximumLookupIDBytes else {
        throw CacheError(.internal, "the reply has a lookup id that is too long")
    }
    return LookupID(bytes: [UInt8](data.bytes))
}

extension CacheEntry {
    /// The prompt is not in a match; the caller knows the one it asked, and must not take it for the stored one.
    fileprivate init(_ packed: Semcached__V1__Match) throws(CacheError) {
        self.init(
            id: try entryID(packed.entry_id), prompt: nil, response: [UInt8](packed.response.bytes),
            contentType: String(decoding: packed.content_type.bytes, as: UTF8.self),
            attributes: try answeredAttributes(packed.attributes, packed.n_attributes),
            usage: try storedUsage(packed.usage), createdAt: timestamp(packed.created_at_ms),
            freshUntil: timestamp(packed.expires_at_ms), expiresAt: end(packed.expires_at_ms, packed.stale_until_ms))
    }
}

func entryID(_ data: ProtobufCBinaryData) throws(CacheError) -> EntryID {
    guard let id = EntryID(text: data.bytes) else { throw CacheError(.internal, "the reply has a malformed entry id") }
    return id
}

func timestamp(_ milliseconds: UInt64) -> Timestamp { Timestamp(milliseconds: Int64(clamping: milliseconds)) }
