// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension CacheClient {
    /// Removes entries. When it returns, none of them is served any more.
    ///
    /// - Parameters:
    ///   - target: Which ones.
    ///   - cache: Name of the cache; `default` if `nil`. Not with a whole tenant.
    ///   - isDryRun: Whether only to count them and name some.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func invalidate(
        _ target: InvalidationTarget, in cache: String? = nil, isDryRun: Bool = false, timeout: Duration? = nil
    ) async throws(CacheClientError) -> InvalidationReceipt {
        let isTenant = if case .wholeTenant = target { true } else { false }
        guard !isTenant || cache == nil else {
            throw .invalid("cache", "is given, but the whole tenant is to be removed")
        }
        let request = InvalidateRequest(
            cache: isTenant ? "" : cache ?? "default", selector: try target.selector(), isDryRun: isDryRun)
        guard case .invalidate(let outcome) = try await self.call(.invalidate(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return InvalidationReceipt(outcome)
    }

    /// Reads the server's counters and sizes.
    ///
    /// - Parameters:
    ///   - cache: One cache, or all if `nil`.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func statistics(
        of cache: String? = nil, timeout: Duration? = nil
    ) async throws(CacheClientError) -> ServerStatistics {
        guard case .stats(let statistics) = try await self.call(.stats(cache: cache), timeout: timeout) else {
            throw .anotherAnswer
        }
        return ServerStatistics(statistics)
    }

    /// Asks the server whether it is there.
    ///
    /// - Parameter timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func ping(timeout: Duration? = nil) async throws(CacheClientError) -> ServerPing {
        let start = ContinuousClock.now
        guard case .ping(let version) = try await self.call(.ping, timeout: timeout) else { throw .anotherAnswer }
        return ServerPing(serverVersion: version, roundTrip: ContinuousClock.now - start)
    }
}

extension CacheClientError {
    /// The connection ends with such an answer before its call does.
    static let anotherAnswer = Self.malformed("it answers another question than was asked")
}
