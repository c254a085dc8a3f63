// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel
package import NIOCore

/// Encodes what a server sends. Belongs to one thread.
package final class ServerMessageEncoder {
    // Responses are limited to a frame; with their structures they take less than four.
    private let arena = ProtobufArena(limit: 4 * Limits.maximumFrameBytes)

    package init() {}

    /// Appends a frame with the message.
    package func write(_ message: ServerMessage, into buffer: inout ByteBuffer) {
        defer { self.arena.reset() }
        let build = MessageBuilder(arena: self.arena)
        let packed = build.make(semcached__v1__server_message__init)
        switch message {
        case .welcome(let welcome):
            packed.pointee.kind_case = SEMCACHED__V1__SERVER_MESSAGE__KIND_WELCOME
            packed.pointee.welcome = build.welcome(welcome)
        case .reply(let reply):
            packed.pointee.kind_case = SEMCACHED__V1__SERVER_MESSAGE__KIND_REPLY
            packed.pointee.reply = build.reply(reply)
        case .goAway(let reason):
            packed.pointee.kind_case = SEMCACHED__V1__SERVER_MESSAGE__KIND_GO_AWAY
            packed.pointee.go_away = build.make(semcached__v1__go_away__init)
            packed.pointee.go_away.pointee.reason = build.bytes(reason)
        }
        buffer.writeFrame { $0.writePacked(UnsafeRawPointer(packed)) }
    }
}

extension MessageBuilder {
    fileprivate func welcome(_ welcome: Welcome) -> UnsafeMutablePointer<Semcached__V1__Welcome> {
        let packed = self.make(semcached__v1__welcome__init)
        packed.pointee.version = welcome.version
        packed.pointee.server_version = self.bytes(welcome.serverVersion)
        packed.pointee.maximum_frame_bytes = welcome.maximumFrameBytes
        packed.pointee.maximum_calls_in_flight = welcome.maximumCallsInFlight
        packed.pointee.maximum_prompt_bytes = welcome.maximumPromptBytes
        packed.pointee.maximum_response_bytes = welcome.maximumResponseBytes
        packed.pointee.embedding_dimensions = welcome.embeddingDimensions
        return packed
    }

    fileprivate func reply(_ reply: Reply) -> UnsafeMutablePointer<Semcached__V1__Reply> {
        let packed = self.make(semcached__v1__reply__init)
        packed.pointee.id = reply.id
        switch reply.result {
        case .failure(let error):
            packed.pointee.status = self.make(semcached__v1__status__init)
            packed.pointee.status.pointee.code = error.code.rawValue
            packed.pointee.status.pointee.message = self.bytes(error.message)
            packed.pointee.status.pointee.field = self.bytes(error.field ?? "")
            packed.pointee.status.pointee.retry_after_ms = error.retryAfter.map { $0.millisecondsRoundedUp } ?? 0
        case .success(.lookup(let outcome)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_LOOKUP
            packed.pointee.lookup = self.lookup(outcome)
        case .success(.store(let outcome)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_STORE
            packed.pointee.store = self.store(outcome)
        case .success(.invalidate(let outcome)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_INVALIDATE
            packed.pointee.invalidate = self.invalidate(outcome)
        case .success(.stats(let statistics)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_STATS
            packed.pointee.stats = self.statistics(statistics)
        case .success(.export(let page)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_EXPORT
            packed.pointee.export = self.page(page)
        case .success(.embed(let outcome)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_EMBED
            packed.pointee.embed = self.embed(outcome)
        case .success(.lease(let outcome)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_LEASE
            packed.pointee.lease = self.lease(outcome)
        case .success(.feedback(let outcome)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_FEEDBACK
            packed.pointee.feedback = self.feedback(outcome)
        case .success(.labels(let page)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_LABELS
            packed.pointee.labels = self.labels(page)
        case .success(.ping(let serverVersion)):
            packed.pointee.response_case = SEMCACHED__V1__REPLY__RESPONSE_PING
            packed.pointee.ping = self.ping(serverVersion)
        }
        return packed
    }

    func store(_ outcome: StoreOutcome) -> UnsafeMutablePointer<Semcached__V1__StoreResponse> {
        let packed = self.make(semcached__v1__store_response__init)
        packed.pointee.entry_id = self.bytes(outcome.id.text)
        packed.pointee.expires_at_ms = UInt64(clamping: outcome.freshUntil.milliseconds)
        packed.pointee.stale_until_ms = Self.staleUntil(outcome.freshUntil, outcome.expiresAt)
        packed.pointee.replaced = outcome.isReplacement ? 1 : 0
        return packed
    }

    func invalidate(_ outcome: InvalidateOutcome) -> UnsafeMutablePointer<Semcached__V1__InvalidateResponse> {
        let packed = self.make(semcached__v1__invalidate_response__init)
        packed.pointee.count = UInt64(outcome.count)
        packed.pointee.dry_run = outcome.isDryRun ? 1 : 0
        (packed.pointee.n_sample_ids, packed.pointee.sample_ids) = self.list(outcome.sample) { self.bytes($0.text) }
        return packed
    }

    func ping(_ serverVersion: String) -> UnsafeMutablePointer<Semcached__V1__PingResponse> {
        let packed = self.make(semcached__v1__ping_response__init)
        packed.pointee.server_version = self.bytes(serverVersion)
        return packed
    }

    func lookup(_ outcome: LookupOutcome) -> UnsafeMutablePointer<Semcached__V1__LookupResponse> {
        let packed = self.make(semcached__v1__lookup_response__init)
        switch outcome {
        case .hit(let hit):
            packed.pointee.outcome =
                hit.kind == .exact
                ? SEMCACHED__V1__OUTCOME__OUTCOME_HIT_EXACT : SEMCACHED__V1__OUTCOME__OUTCOME_HIT_SEMANTIC
            packed.pointee.tier =
                hit.tier == .l1 ? SEMCACHED__V1__TIER__TIER_L1 : SEMCACHED__V1__TIER__TIER_STORE
            (packed.pointee.n_matches, packed.pointee.matches) =
                self.list(Self.fitting(hit.matches)) { self.match($0, at: hit.at) }
            packed.pointee.fill = self.fill(hit.fill)
            packed.pointee.decision = self.decision(hit.decision)
            packed.pointee.lookup_id = self.bytes(hit.lookup?.bytes ?? [])
        case .miss(let miss):
            packed.pointee.outcome = SEMCACHED__V1__OUTCOME__OUTCOME_MISS
            packed.pointee.miss = self.miss(miss)
            packed.pointee.fill = self.fill(miss.fill)
        case .bypass(let bypass):
            packed.pointee.outcome = SEMCACHED__V1__OUTCOME__OUTCOME_BYPASS
            packed.pointee.bypass = self.make(semcached__v1__bypass__init)
            packed.pointee.bypass.pointee.messages = UInt32(clamping: bypass.messages)
            packed.pointee.bypass.pointee.maximum_messages = UInt32(clamping: bypass.limit)
        }
        return packed
    }

    /// As many of the matches, from the best, as one frame holds; the first always fits, for a Store sees to it.
    private static func fitting(_ matches: [LookupMatch]) -> [LookupMatch] {
        var room = MatchSize.limit
        let fitting = matches.prefix { match in
            room -= MatchSize.bytes(
                response: match.entry.response.count, contentType: match.entry.contentType,
                attributes: match.entry.attributes)
            return room >= 0
        }
        return Array(fitting.isEmpty ? matches.prefix(1) : fitting)
    }

    private func match(_ match: LookupMatch, at now: Timestamp) -> UnsafeMutablePointer<Semcached__V1__Match> {
        let packed = self.matchHead(match.entry)
        packed.pointee.similarity = match.similarity
        packed.pointee.response = self.bytes(match.entry.response)
        packed.pointee.age_ms = now.ageMilliseconds(since: match.entry.createdAt)
        packed.pointee.stale = match.entry.isStale(at: now) ? 1 : 0
        return packed
    }

    /// What of a match does not change from one hit to the next, without the response.
    func matchHead(_ entry: CacheEntry) -> UnsafeMutablePointer<Semcached__V1__Match> {
        let packed = self.make(semcached__v1__match__init)
        packed.pointee.entry_id = self.bytes(entry.id.text)
        packed.pointee.content_type = self.bytes(entry.contentType)
        (packed.pointee.n_attributes, packed.pointee.attributes) = self.attributes(entry.attributes)
        packed.pointee.created_at_ms = UInt64(clamping: entry.createdAt.milliseconds)
        packed.pointee.expires_at_ms = UInt64(clamping: entry.freshUntil.milliseconds)
        packed.pointee.stale_until_ms = Self.staleUntil(entry.freshUntil, entry.expiresAt)
        packed.pointee.usage = self.usage(entry.usage)
        return packed
    }

    private func miss(_ miss: LookupMiss) -> UnsafeMutablePointer<Semcached__V1__Miss> {
        let packed = self.make(semcached__v1__miss__init)
        packed.pointee.reason = miss.reason.wire
        if case .degraded(let degradation) = miss.reason { packed.pointee.degraded = degradation.wire }
        if case .guarded(let name) = miss.reason { packed.pointee.guard = self.bytes(name.rawValue) }
        packed.pointee.decision = self.decision(miss.decision)
        if let nearest = miss.nearest {
            packed.pointee.nearest_similarity_present_case =
                SEMCACHED__V1__MISS__NEAREST_SIMILARITY_PRESENT_NEAREST_SIMILARITY
            packed.pointee.nearest_similarity = nearest.similarity
            packed.pointee.nearest_entry_id = self.bytes(nearest.id.text)
            packed.pointee.nearest_is_approximate = nearest.isApproximate ? 1 : 0
        }
        packed.pointee.similarity_threshold = miss.similarityThreshold
        return packed
    }
}

extension Timestamp {
    /// Milliseconds since an earlier moment; 0 if the clock has been set back since.
    func ageMilliseconds(since earlier: Timestamp) -> UInt64 { UInt64(clamping: (self - earlier).wholeMilliseconds) }
}

extension Duration {
    /// At least 1, and never sooner than the duration.
    package var millisecondsRoundedUp: UInt64 {
        let whole = self.wholeMilliseconds
        return max(1, UInt64(clamping: whole) + (.milliseconds(whole) < self ? 1 : 0))
    }
}
