// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension CacheClient {
    /// Prolongs a lease: from now on it lasts for a time.
    ///
    /// - Parameters:
    ///   - lease: The lease.
    ///   - time: 1 second to 10 minutes.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``; with `.aborted` if it has ended or is void: what is made under it will not be stored.
    public func extend(
        _ lease: FillLease, for time: Duration = .seconds(30), timeout: Duration? = nil
    ) async throws(CacheClientError) -> FillLease {
        let outcome = try await self.change(lease, .extend(time), timeout: timeout)
        return FillLease(token: lease.token, cache: lease.cache, remaining: outcome.remaining)
    }

    /// Gives a lease up: of those who wait for the answer, one gets the lease at once.
    ///
    /// - Parameters:
    ///   - lease: The lease.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Returns: Whether there still was one.
    /// - Throws: ``CacheClientError``.
    @discardableResult
    public func release(_ lease: FillLease, timeout: Duration? = nil) async throws(CacheClientError) -> Bool {
        try await self.change(lease, .release, timeout: timeout).isReleased
    }

    private func change(
        _ lease: FillLease, _ action: LeaseRequest.Action, timeout: Duration?
    ) async throws(CacheClientError) -> LeaseOutcome {
        let request = LeaseRequest(cache: lease.cache, token: lease.token, action: action)
        guard case .lease(let outcome) = try await self.call(.lease(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return outcome
    }
}
