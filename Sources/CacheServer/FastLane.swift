// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheEngine
import CacheModel
import CacheWire
import NIOCore

/// Answers a Lookup from memory, on the event loop that read it: no task, no hop, no copy of the request.
///
/// It only ever says yes to what the slow lane would have answered in the same way; whatever is unusual in a request
/// makes it say no. Belongs to one connection.
struct FastLane {
    private struct RememberedRoute {
        /// Tenant, cache name and vary parts as the peer sent them.
        let request: [UInt8]
        let route: CacheRoute
    }

    /// Cache name and vary parts that are worth keeping, bytes; with all that a request may have, one connection could
    /// hold 9 MB.
    private static let longestKey = 2 << 10

    private let engine: CacheEngine
    private let metrics: ServerMetrics
    /// Whether a call of a sampled trace must leave a span, which the slow lane does.
    private let isTracing: Bool
    private var routes: [RememberedRoute?] = Array(repeating: nil, count: Limits.rememberedPartitions)
    private var scratch: [UInt8] = []
    /// Whether the peer may look up at all.
    private var isOpen = false
    /// Whether it may ask for leases.
    private var mayLease = false
    /// Whether each call is a line of the log, which the slow lane writes.
    var isLogged = false
    /// Whether calls name their tenant.
    private var isGateway = false

    init(_ dispatcher: Dispatcher) {
        self.engine = dispatcher.engine
        self.metrics = dispatcher.metrics
        self.isTracing = dispatcher.isTracing
    }

    mutating func open(to principal: Principal) {
        self.isOpen = principal.roles.contains(.read)
        self.mayLease = principal.roles.contains(.write)
        if case .gateway = principal.tenancy { self.isGateway = true }
    }

    /// The id of a call; `nil` for another message.
    static func callID(_ message: borrowing Semcached__V1__ClientMessage) -> UInt64? {
        message.kind_case == SEMCACHED__V1__CLIENT_MESSAGE__KIND_CALL ? message.call.pointee.id : nil
    }

    /// Writes the reply to a call, if it is a Lookup whose answer is in memory.
    ///
    /// - Parameters:
    ///   - bytes: Of the call.
    ///   - leaseTime: A reading of ``MemoryLease/now`` after the call had come.
    /// - Returns: Whether it is answered.
    mutating func answer(
        _ message: borrowing Semcached__V1__ClientMessage, bytes: Int, at now: Timestamp, leaseTime: Int64,
        into outbound: inout ByteBuffer
    ) -> Bool {
        guard self.isOpen, !self.isLogged, message.kind_case == SEMCACHED__V1__CLIENT_MESSAGE__KIND_CALL
        else { return false }
        let call = message.call!
        guard call.pointee.request_case == SEMCACHED__V1__CALL__REQUEST_LOOKUP, call.pointee.id != 0,
            self.isPlain(call.pointee.traceparent), self.isGateway == (call.pointee.tenant.len > 0)
        else { return false }
        let lookup = call.pointee.lookup!
        let prompt = UnsafeRawBufferPointer(start: lookup.pointee.prompt.data, count: lookup.pointee.prompt.len)
        guard lookup.pointee.top_k <= 1, lookup.pointee.embedding == nil, lookup.pointee.filter.len == 0,
            lookup.pointee.n_messages == 0, prompt.count <= Limits.maximumPromptBytes,
            CanonicalPrompt.isCanonicalASCII(prompt), let mode = Self.mode(lookup.pointee.mode)
        else { return false }
        var threshold: Float?
        if lookup.pointee.similarity_threshold_present_case.rawValue != 0 {
            guard abs(lookup.pointee.similarity_threshold) <= 1 else { return false }
            threshold = lookup.pointee.similarity_threshold
        }
        var maximumAge: Duration?
        if lookup.pointee.max_age_present_case.rawValue != 0 {
            maximumAge = .milliseconds(Int64(clamping: lookup.pointee.max_age_ms))
        }
        let wantsLease = lookup.pointee.lease_present_case.rawValue != 0
        guard wantsLease ? self.mayLease && Self.isLease(lookup.pointee.lease_ttl_ms) : lookup.pointee.wait == 0
        else { return false }
        guard let route = self.route(call) else { return false }
        let id = route.partition.entryID(ofPrompt: prompt)
        guard
            let found = self.engine.remembered(
                id, in: route.partition, by: route.tenant.lease, policy: route.policy, mode: mode,
                threshold: threshold, maximumAge: maximumAge, at: now, leaseTime: leaseTime),
            let prepared = found.item.attachment as? PreparedMatch,
            !wantsLease || !found.item.entry.isStale(at: now),
            // Refused again, and with its reason, in the slow lane.
            route.tenant.takes(bytes: bytes, at: now)
        else { return false }
        self.engine.noteServed(found, in: route.partition, at: now)
        outbound.writeHit(
            id: call.pointee.id, kind: found.kind, prepared: prepared, similarity: found.similarity,
            at: now)
        route.counters.countHit(
            found.kind, .l1, saving: found.item.entry.usage, isStale: found.item.entry.isStale(at: now))
        self.metrics.countFastLookup()
        return true
    }

    /// Keeps where requests of this tenant with this cache and these vary parts go, once one of them was found valid.
    mutating func remember(
        _ message: borrowing Semcached__V1__ClientMessage, _ request: LookupRequest, tenant: Tenant
    ) {
        guard self.isOpen, let position = self.key(message.call!) else { return }
        if let known = self.routes[position], known.request == self.scratch, known.route.tenant === tenant { return }
        guard let route = try? self.engine.route(cache: request.cache, vary: request.vary, tenant: tenant) else {
            self.routes[position] = nil
            return
        }
        self.routes[position] = RememberedRoute(request: self.scratch, route: route)
    }

    private mutating func route(_ call: UnsafeMutablePointer<Semcached__V1__Call>) -> CacheRoute? {
        guard let position = self.key(call), let remembered = self.routes[position],
            remembered.request == self.scratch, self.engine.isCurrent(remembered.route.tenant)
        else { return nil }
        return remembered.route
    }

    /// Writes the call's tenant, cache and vary parts to `scratch`, each with its length, and says where they would be
    /// kept; `nil` for those that are too long to be kept.
    private mutating func key(_ call: UnsafeMutablePointer<Semcached__V1__Call>) -> Int? {
        let lookup = call.pointee.lookup!
        self.scratch.removeAll(keepingCapacity: true)
        guard self.append(call.pointee.tenant), self.append(lookup.pointee.cache) else { return nil }
        for position in 0..<lookup.pointee.n_vary {
            let part = lookup.pointee.vary[position]!
            guard self.append(part.pointee.name), self.append(part.pointee.value) else { return nil }
        }
        // FNV-1a; a collision only makes two lists of parts take turns.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in self.scratch { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int(truncatingIfNeeded: (hash ^ hash >> 32) & UInt64(Limits.rememberedPartitions - 1))
    }

    private mutating func append(_ data: ProtobufCBinaryData) -> Bool {
        guard self.scratch.count + data.len <= Self.longestKey else { return false }
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: data.len)) { self.scratch.append(contentsOf: $0) }
        self.scratch.append(contentsOf: UnsafeRawBufferPointer(start: data.data, count: data.len))
        return true
    }

    /// Whether a `traceparent` is what the slow lane accepts, without a doubt, and asks for no span.
    private func isPlain(_ traceparent: ProtobufCBinaryData) -> Bool {
        let bytes = UnsafeRawBufferPointer(start: traceparent.data, count: traceparent.len)
        return bytes.isEmpty
            || !self.isTracing && bytes.count <= Limits.maximumTraceParentBytes
                && CanonicalPrompt.isCanonicalASCII(bytes)
    }

    /// Whether a lease may last as long; 0 is the default.
    private static func isLease(_ milliseconds: UInt64) -> Bool {
        milliseconds == 0 || Limits.leaseTimeToLive.contains(.milliseconds(Int64(clamping: milliseconds)))
    }

    private static func mode(_ mode: Semcached__V1__LookupMode) -> LookupRequest.Mode? {
        switch mode {
        case SEMCACHED__V1__LOOKUP_MODE__LOOKUP_MODE_BOTH: .both
        case SEMCACHED__V1__LOOKUP_MODE__LOOKUP_MODE_EXACT: .exact
        default: nil
        }
    }
}
