// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CoreMetrics
import Tracing

/// A store whose operations are timed, and are spans of the request that they serve.
struct ObservedStore: VectorStore {
    enum Operation: String, CaseIterable {
        case entry
        case nearest
        case put
        case remove
        case scan
        case sizes
        case version
        case lease
        case records
        case block
        case blocks
        case assign
    }

    /// One that was given up by its caller is not the store's fault.
    private static let givenUp = "cancelled"

    let store: any VectorStore
    private let spans: Spans
    private let durations: [Operation: Timer]
    private let errors: [Operation: [String: Counter]]

    init(_ store: any VectorStore, metrics factory: any MetricsFactory, spans: Spans) {
        self.store = store
        self.spans = spans
        self.durations = .init(
            each: { ("semcache_store_operation_duration_seconds", [("operation", $0.rawValue)]) }, factory)
        self.errors = Dictionary(
            uniqueKeysWithValues: Operation.allCases.map { operation in
                let codes = VectorStoreError.Code.allCases.map(\.rawValue) + [Self.givenUp]
                let counters = codes.map { code in
                    let labels = [("operation", operation.rawValue), ("code", code)]
                    return (code, Counter(label: "semcache_store_errors_total", dimensions: labels, factory: factory))
                }
                return (operation, Dictionary(uniqueKeysWithValues: counters))
            })
    }

    var indexBytes: Int { self.store.indexBytes }
    var systemName: String? { self.store.systemName }
    var isShared: Bool { self.store.isShared }

    func entry(_ id: EntryID, in partition: Partition, at now: Timestamp) async throws(VectorStoreError) -> CacheEntry?
    {
        try await self.observe(.entry) { () async throws(VectorStoreError) -> CacheEntry? in
            try await self.store.entry(id, in: partition, at: now)
        }
    }

    func nearest(
        _ query: NearestQuery, in partition: Partition, at now: Timestamp
    ) async throws(VectorStoreError) -> NearestResult {
        try await self.observe(.nearest) { () async throws(VectorStoreError) -> NearestResult in
            try await self.store.nearest(query, in: partition, at: now)
        }
    }

    func put(
        _ entry: CacheEntry, embedding: Embedding, in partition: Partition, quota: StoreQuota,
        lease: LeaseToken?, by deadline: ContinuousClock.Instant
    ) async throws(VectorStoreError) -> PutResult {
        try await self.observe(.put) { () async throws(VectorStoreError) -> PutResult in
            try await self.store.put(
                entry, embedding: embedding, in: partition, quota: quota, lease: lease, by: deadline)
        }
    }

    func touch(_ id: EntryID, in partition: Partition, at now: Timestamp) {
        self.store.touch(id, in: partition, at: now)
    }

    func remove(
        _ selector: RemovalSelector, dryRun: Bool, at now: Timestamp
    ) async throws(VectorStoreError) -> RemovalResult {
        try await self.observe(.remove) { () async throws(VectorStoreError) -> RemovalResult in
            try await self.store.remove(selector, dryRun: dryRun, at: now)
        }
    }

    func scan(_ query: ScanQuery, at now: Timestamp) async throws(VectorStoreError) -> ScanPage {
        try await self.observe(.scan) { () async throws(VectorStoreError) -> ScanPage in
            try await self.store.scan(query, at: now)
        }
    }

    func sizes(
        of tenant: TenantScope, identities: Set<Digest>, at now: Timestamp
    ) async throws(VectorStoreError) -> TenantSize {
        try await self.observe(.sizes) { () async throws(VectorStoreError) -> TenantSize in
            try await self.store.sizes(of: tenant, identities: identities, at: now)
        }
    }

    func version(of cache: CacheScope) async throws(VectorStoreError) -> CacheVersion {
        try await self.observe(.version) { () async throws(VectorStoreError) -> CacheVersion in
            try await self.store.version(of: cache)
        }
    }

    func acquireLease(
        on id: EntryID, in partition: Partition, for time: Duration, seen: Timestamp?, at now: Timestamp
    ) async throws(VectorStoreError) -> LeaseGrant {
        try await self.observe(.lease) { () async throws(VectorStoreError) -> LeaseGrant in
            try await self.store.acquireLease(on: id, in: partition, for: time, seen: seen, at: now)
        }
    }

    func extendLease(
        _ token: LeaseToken, in cache: CacheScope, for time: Duration
    ) async throws(VectorStoreError) -> Duration {
        try await self.observe(.lease) { () async throws(VectorStoreError) -> Duration in
            try await self.store.extendLease(token, in: cache, for: time)
        }
    }

    func releaseLease(_ token: LeaseToken, in cache: CacheScope) async throws(VectorStoreError) -> Bool {
        try await self.observe(.lease) { () async throws(VectorStoreError) -> Bool in
            try await self.store.releaseLease(token, in: cache)
        }
    }

    func observe<Answer>(
        _ operation: Operation, _ body: () async throws(VectorStoreError) -> Answer
    ) async throws(VectorStoreError) -> Answer {
        let span = self.spans.begin("store \(operation.rawValue)", .client)
        if let span {
            span.attributes["db.operation.name"] = operation.rawValue
            if let name = self.store.systemName { span.attributes["db.system.name"] = name }
        }
        let began = ContinuousClock.now
        defer { self.durations[operation]?.record(.now - began) }
        do throws(VectorStoreError) {
            let answer = try await body()
            span?.end()
            return answer
        } catch {
            let code = Task.isCancelled ? Self.givenUp : error.code.rawValue
            self.errors[operation]?[code]?.increment()
            span?.end(failing: code)
            throw error
        }
    }
}
