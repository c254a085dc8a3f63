// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import CacheWire
import Synchronization
import TestSupport
import Testing

/// Takes the tokens that the test names; each for the tenant of the same name.
final class ScriptedTokens: TokenVerifier {
    let identity: Digest
    private let expiry: Timestamp
    private let waits = Mailbox<Void>()
    private let questions = Mailbox<Void>()
    let isHeld: Bool
    private let isKeyWithdrawn = Atomic(false)

    init(expiresAt expiry: Timestamp, isHeld: Bool = false, issuer: String = "issuer") {
        self.identity = TenantID(issuer).key
        self.expiry = expiry
        self.isHeld = isHeld
    }

    func release() { self.waits.append(()) }

    /// Takes back the key that all tokens were signed with.
    func withdrawKey() { self.isKeyWithdrawn.store(true, ordering: .sequentiallyConsistent) }

    /// Waits until a token was shown.
    func asked() async { _ = await self.questions.next() }

    func trusts(_ key: Digest) -> Bool { !self.isKeyWithdrawn.load(ordering: .sequentiallyConsistent) }
    func refresh(at now: Timestamp) async {}

    func verify(_ token: String, at now: Timestamp) async throws(CacheError) -> VerifiedToken {
        self.questions.append(())
        if self.isHeld { _ = await self.waits.next() }
        guard token.hasPrefix("good-") else { throw CacheError(.unauthenticated, "the token is not genuine") }
        return VerifiedToken(
            tenant: String(token.dropFirst(5)), roles: [.read], expiresAt: self.expiry, key: TenantID("key").key)
    }
}

/// What tests of credentials have in common.
enum Keyed {
    static func grant(
        _ key: String, _ tenancy: GrantedTenancy, _ roles: Roles = .all
    ) -> APIKeyGrant {
        var hasher = SHA256Hasher()
        Array(key.utf8).withUnsafeBytes { hasher.update($0) }
        return APIKeyGrant(digest: hasher.finish(), tenancy: tenancy, roles: roles)
    }

    static let keys = [
        Self.grant("key-a", .tenant(TenantID("a"))),
        Self.grant("key-b", .tenant(TenantID("b"))),
        Self.grant("key-reader", .tenant(TenantID("a")), [.read]),
        Self.grant("key-writer", .tenant(TenantID("a")), [.write]),
        Self.grant("key-cleaner", .tenant(TenantID("a")), [.invalidate]),
        Self.grant("key-admin", .tenant(TenantID("a")), [.admin]),
        Self.grant("key-gate", .gateway([TenantID("a"), TenantID("b")])),
        Self.grant("key-any", .gateway(nil)),
    ]

    static func hello(_ credential: Credential, _ versions: ClosedRange<UInt32> = 1...1) -> ClientMessage {
        .hello(
            Hello(
                minimumVersion: versions.lowerBound, maximumVersion: versions.upperBound, clientName: "",
                credential: credential))
    }

    static func connect(_ credential: Credential, to server: TestServer) async throws -> WireClient {
        let client = try await server.connect()
        try await client.send(Self.hello(credential))
        guard case .welcome = try await client.next() else { throw CacheError(.unauthenticated, "not welcome") }
        return client
    }

    static func expectEnd(
        of client: WireClient, _ code: CacheError.Code, _ message: String, at place: SourceLocation = #_sourceLocation
    ) async throws {
        let expected = ServerMessage.reply(Reply(id: 0, result: .failure(CacheError(code, message))))
        #expect(try await client.next() == expected, sourceLocation: place)
        #expect(try await client.next() == nil, sourceLocation: place)
    }

    static func code(_ result: Result<ServiceResponse, CacheError>) -> CacheError.Code? {
        guard case .failure(let error) = result else { return nil }
        return error.code
    }
}

extension ServiceResponse {
    var outcome: LookupOutcome? {
        guard case .lookup(let outcome) = self else { return nil }
        return outcome
    }
}
