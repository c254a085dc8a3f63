// SPDX-License-Identifier: Apache-2.0

package import CacheModel

/// What a tenant may use; `nil` for what is not limited.
package struct TenantQuota: Sendable, Hashable {
    /// Entries stored.
    package var entries: Int?
    /// Bytes stored, as ``CacheEntry/quotaBytes(dimensions:)`` counts them.
    package var bytes: Int?
    /// Requests per second over time.
    package var requestsPerSecond: Double?
    /// Requests that may come at once after a pause; a second's worth if `nil`.
    package var burst: Int?
    /// Calls in flight over all of its connections. What the memory answers is not in flight.
    package var callsInFlight: Int?
    /// Body of a request, bytes.
    package var requestBytes: Int?

    package init(
        entries: Int? = nil, bytes: Int? = nil, requestsPerSecond: Double? = nil, burst: Int? = nil,
        callsInFlight: Int? = nil, requestBytes: Int? = nil
    ) {
        self.entries = entries
        self.bytes = bytes
        self.requestsPerSecond = requestsPerSecond
        self.burst = burst
        self.callsInFlight = callsInFlight
        self.requestBytes = requestBytes
    }

    /// Requests that may come at once.
    var fullBucket: Int { self.burst ?? max(1, Int(self.requestsPerSecond ?? 1)) }
}

/// What holds for a tenant.
package struct TenantPolicy: Sendable, Equatable {
    /// Cosine below which nothing answers, whatever a cache or a request says.
    package var similarityFloor: Float
    package var maximumTimeToLive: Duration
    package var quota: TenantQuota
    /// Of caches that exist by configuration, by the bytes of their names: equality of strings takes different spellings
    /// of one character for the same.
    package private(set) var caches: [[UInt8]: CachePolicy] = [:]
    /// Of every other cache, which then exists from its first use on; `nil` if there are none.
    package var template: CachePolicy?

    package init(
        similarityFloor: Float = -1, maximumTimeToLive: Duration = Limits.maximumTimeToLive,
        quota: TenantQuota = TenantQuota(), template: CachePolicy? = nil
    ) {
        self.similarityFloor = similarityFloor
        self.maximumTimeToLive = maximumTimeToLive
        self.quota = quota
        self.template = template
    }

    package mutating func declare(_ cache: String, _ policy: CachePolicy) { self.caches[Array(cache.utf8)] = policy }

    package func declares(_ cache: String) -> Bool { self.caches[Array(cache.utf8)] != nil }

    /// Of all caches that there are or may be.
    package var cachePolicies: [CachePolicy] { Array(self.caches.values) + (self.template.map { [$0] } ?? []) }

    /// The policy of a cache, or `nil` if there is no such cache.
    func policy(of cache: String) -> CachePolicy? {
        (self.caches[Array(cache.utf8)] ?? self.template)?.limited(by: self)
    }
}

/// The tenants of a service. Replaced as a whole when the configuration is read again.
package struct TenantDirectory: Sendable, Equatable {
    package private(set) var tenants: [TenantID: TenantPolicy] = [:]
    /// Of tenants that only a credential names; `nil` if they are not served.
    package let undeclared: TenantPolicy?

    package init(undeclared: TenantPolicy? = nil) { self.undeclared = undeclared }

    package mutating func declare(_ tenant: TenantID, _ policy: TenantPolicy) { self.tenants[tenant] = policy }

    package func declares(_ tenant: TenantID) -> Bool { self.tenants[tenant] != nil }

    package func policy(of tenant: TenantID) -> TenantPolicy? { self.tenants[tenant] ?? self.undeclared }
}
