// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import GRPCCore
import Synchronization

/// Finds out for whom a call is made. Over gRPC each call shows its credential, since a proxy puts those of many callers
/// on one connection; so what a token was found to be is remembered.
final class CallAuthentication: Sendable {
    private let authenticator: any Authenticator
    private let tokens = Mutex(RememberedTokens())

    init(_ authenticator: any Authenticator) { self.authenticator = authenticator }

    /// - Throws: ``CacheError`` with `.unauthenticated`, or `.unavailable` if it cannot be told now.
    func principal(
        of metadata: Metadata, from peer: Peer, at now: Timestamp
    ) async throws(CacheError) -> Principal {
        guard !peer.isRefused else {
            throw CacheError(.unauthenticated, "too many credentials were refused on this connection")
        }
        do throws(CacheError) {
            let principal = try await self.authenticated(metadata, from: peer, at: now)
            peer.credentialAccepted()
            return principal
        } catch {
            if error.code == .unauthenticated { peer.credentialRefused() }
            throw error
        }
    }

    private func authenticated(
        _ metadata: Metadata, from peer: Peer, at now: Timestamp
    ) async throws(CacheError) -> Principal {
        let credential = self.authenticator.requiresCredential ? try metadata.credential() : .none
        let principal: Principal
        if case .token(let token) = credential {
            principal = try await self.principal(of: token, from: peer, at: now)
        } else {
            principal = try await self.authenticator.authenticate(credential, certificate: peer.certificate, at: now)
        }
        if let expiresAt = principal.expiresAt, expiresAt <= now {
            throw CacheError(.unauthenticated, "the credential has expired")
        }
        return principal
    }

    private func principal(of token: String, from peer: Peer, at now: Timestamp) async throws(CacheError) -> Principal {
        // A certificate may forbid what the token alone would allow.
        let key = RememberedTokens.Key(token: token, peer: peer.certificate == nil ? nil : peer.id)
        if let known = self.tokens.withLock({ $0.principal(key, at: now) }), self.authenticator.accepts(known) {
            return known
        }
        let principal = try await self.authenticator.authenticate(
            .token(token), certificate: peer.certificate, at: now)
        // The configuration may have been read again meanwhile.
        guard self.authenticator.accepts(principal) else {
            throw CacheError(.unauthenticated, "the credential is no longer accepted")
        }
        self.tokens.withLock { $0.remember(principal, key, at: now) }
        return principal
    }
}

/// Tokens that were found genuine, by their digests, and for a while only: the key that they are signed with may be
/// withdrawn. Bounded: of two generations the older one goes when the younger is full.
struct RememberedTokens {
    struct Key: Hashable {
        private let digest: Digest
        private let peer: UInt64?

        init(token: String, peer: UInt64?) {
            var hasher = SHA256Hasher()
            var token = token
            token.withUTF8 { hasher.update(UnsafeRawBufferPointer($0)) }
            self.digest = hasher.finish()
            self.peer = peer
        }
    }

    private typealias Known = (principal: Principal, since: Timestamp)

    private let limit: Int
    private var young: [Key: Known] = [:]
    private var old: [Key: Known] = [:]

    init(limit: Int = Limits.rememberedTokens) { self.limit = limit }

    var count: Int { self.young.count + self.old.count }

    mutating func principal(_ key: Key, at now: Timestamp) -> Principal? {
        guard let known = self.young[key] ?? self.old.removeValue(forKey: key),
            now - known.since < Limits.tokenMemory, now >= known.since
        else { return nil }
        if self.young[key] == nil { self.add(known, key) }
        return known.principal
    }

    mutating func remember(_ principal: Principal, _ key: Key, at now: Timestamp) { self.add((principal, now), key) }

    private mutating func add(_ known: Known, _ key: Key) {
        self.young[key] = known
        guard self.young.count >= max(1, self.limit / 2) else { return }
        self.old = self.young
        self.young = [:]
    }
}
