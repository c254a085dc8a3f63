// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// An answer as it is made, and as it is served.
public struct CacheResponse: Sendable, Hashable {
    /// Opaque; not empty.
    public var bytes: [UInt8]
    /// What it is; UTF-8 text if `nil`.
    public var contentType: String?
    /// Metadata by name.
    public var attributes: [String: CacheAttribute]
    /// What it cost to make.
    public var usage: CacheUsage?

    /// Makes an answer.
    public init(
        _ bytes: [UInt8], contentType: String? = nil, attributes: [String: CacheAttribute] = [:],
        usage: CacheUsage? = nil
    ) {
        self.bytes = bytes
        self.contentType = contentType
        self.attributes = attributes
        self.usage = usage
    }

    /// Makes an answer of text.
    public init(_ text: String, attributes: [String: CacheAttribute] = [:], usage: CacheUsage? = nil) {
        self.init(Array(text.utf8), attributes: attributes, usage: usage)
    }

    /// The answer as text; `nil` if it is not valid UTF-8.
    public var text: String? { String(validating: self.bytes, as: UTF8.self) }
}

extension CacheClient {
    /// Answers a prompt from the cache, or makes the answer and stores it: of many callers that ask the same at the same
    /// time, on all servers, one makes it, and the others wait for that.
    ///
    /// The lease is prolonged while the answer is being made, and given up if that fails. Whoever cannot wait any longer, or
    /// finds the cache in trouble, makes the answer for itself and does not store it. A stale answer is made anew by one
    /// caller, who gets it all the same if that fails; the others get it at once.
    ///
    /// - Parameters:
    ///   - prompt: At most 64 KiB of UTF-8.
    ///   - cache: Name of the cache.
    ///   - vary: Exact-match parts of the prompt's identity.
    ///   - timeToLive: How long a new answer may be served; the cache's default if `nil`.
    ///   - staleTimeToLive: How long after that it may be served as stale; the cache's default if `nil`.
    ///   - lease: Time for which the lease is asked, 1 second to 10 minutes, and after half of which it is prolonged.
    ///   - timeout: Time that the lookup may take, with the waiting; the client's own if `nil`.
    ///   - make: Makes the answer.
    /// - Throws: What `make` throws; ``CacheClientError`` for a request that can never succeed.
    public func answer(
        to prompt: String, in cache: String = "default", vary: [String: String] = [:], timeToLive: Duration? = nil,
        staleTimeToLive: Duration? = nil, lease: Duration = .seconds(30), timeout: Duration? = nil,
        make: () async throws -> CacheResponse
    ) async throws -> CacheResponse {
        let answer: CacheAnswer?
        do throws(CacheClientError) {
            answer = try await self.lookup(
                prompt, in: cache, vary: vary, lease: .acquire(for: lease), waits: .untilTimeout, timeout: timeout)
        } catch {
            guard error.isTroubleOfTheCache else { throw error }
            answer = nil
        }
        let granted: FillLease?
        switch answer {
        case .hit(let hit):
            guard let lease = hit.lease else { return CacheResponse(hit.best) }
            granted = lease
        case .miss(let miss): granted = miss.lease
        case .bypass, nil: granted = nil
        }
        guard let granted else { return try await make() }
        let made: CacheResponse
        do {
            made = try await self.prolonging(granted, by: lease, while: make)
        } catch {
            _ = try? await self.release(granted)
            guard let stale = answer?.hit, !(error is CancellationError) else { throw error }
            return CacheResponse(stale.best)
        }
        // An answer that cannot be stored is an answer.
        _ = try? await self.store(
            made.bytes, for: prompt, in: cache, vary: vary, contentType: made.contentType,
            attributes: made.attributes, timeToLive: timeToLive, staleTimeToLive: staleTimeToLive, usage: made.usage,
            lease: granted)
        return made
    }

    private func prolonging(
        _ lease: FillLease, by time: Duration, while make: () async throws -> CacheResponse
    ) async throws -> CacheResponse {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.prolong(lease, by: time) }
            defer { group.cancelAll() }
            return try await make()
        }
    }

    /// Until it is cancelled, or there is nothing to prolong.
    private func prolong(_ lease: FillLease, by time: Duration) async {
        while (try? await Task.sleep(for: time / 2)) != nil {
            do throws(CacheClientError) {
                _ = try await self.extend(lease, for: time)
            } catch {
                if error.code == .aborted { return }
            }
        }
    }
}

extension CacheResponse {
    fileprivate init(_ match: CacheMatch) {
        self.init(
            match.response, contentType: match.contentType, attributes: match.attributes, usage: match.usage)
    }
}

extension CacheClientError {
    /// Whether an answer can be made without the cache.
    fileprivate var isTroubleOfTheCache: Bool {
        switch self.code {
        case .unavailable, .resourceExhausted, .deadlineExceeded, .internal, .aborted: true
        default: false
        }
    }
}
