// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheServer
import Testing

@Suite struct CertificateTests {
    private static let acme = CertificateName.uri("spiffe://example.org/acme")
    private static let api = CertificateName.dns("api.acme.internal")
    private static let other = CertificateName.uri("spiffe://example.org/other")
    private static let gate = CertificateName.dns("gate.internal")
    private static let now = Timestamp(milliseconds: 1000)

    private static let grants = [
        CertificateGrant(name: Self.acme, tenancy: .tenant(TenantID("a")), roles: [.read]),
        CertificateGrant(name: Self.api, tenancy: .tenant(TenantID("a")), roles: [.write]),
        CertificateGrant(name: Self.other, tenancy: .tenant(TenantID("b")), roles: [.read]),
        CertificateGrant(name: Self.gate, tenancy: .gateway([TenantID("a")]), roles: [.read]),
    ]

    private func authenticator(_ grants: [CertificateGrant] = Self.grants) -> CredentialAuthenticator {
        CredentialAuthenticator(.init(keys: Keyed.keys, certificates: grants))
    }

    private func certificate(_ names: CertificateName..., until end: Timestamp = Timestamp(milliseconds: 5000))
        -> ClientCertificate
    {
        ClientCertificate(names: names, notAfter: end)
    }

    private func refusal(_ credential: Credential, _ certificate: ClientCertificate?) async -> CacheError? {
        do throws(CacheError) {
            _ = try await self.authenticator().authenticate(credential, certificate: certificate, at: Self.now)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a certificate's name is the credential of its holder, until the certificate ends`() async throws {
        let principal = try await self.authenticator().authenticate(
            .none, certificate: self.certificate(Self.acme), at: Self.now)
        #expect(try principal.scope(naming: nil).tenant == TenantID("a"))
        #expect(principal.roles == [.read])
        #expect(principal.expiresAt == Timestamp(milliseconds: 5000))
    }

    @Test func `several names of one tenant allow what each of them does`() async throws {
        let principal = try await self.authenticator().authenticate(
            .none, certificate: self.certificate(Self.acme, Self.api, .email("nobody@example.org")), at: Self.now)
        #expect(principal.roles == [.read, .write])
    }

    @Test func `a gateway's certificate names the tenant of each call`() async throws {
        let principal = try await self.authenticator().authenticate(
            .none, certificate: self.certificate(Self.gate), at: Self.now)
        #expect(try principal.scope(naming: "a").tenant == TenantID("a"))
        #expect(throws: CacheError.self) { try principal.scope(naming: "b") }
        #expect(throws: CacheError.self) { try principal.scope(naming: nil) }
    }

    @Test func `a certificate with names of two tenants is refused`() async {
        let refusal = await self.refusal(.none, self.certificate(Self.acme, Self.other))
        #expect(refusal == CacheError(.unauthenticated, "the certificate has names of different tenants"))
    }

    @Test func `a certificate without a known name lets nobody in by itself`() async {
        let refusal = await self.refusal(.none, self.certificate(.dns("unknown.internal")))
        #expect(refusal == CacheError(.unauthenticated, "the names in the certificate are not known"))
        #expect(await self.refusal(.none, nil) == CacheError(.unauthenticated, "a credential is needed"))
    }

    @Test func `an API key counts on a connection whose certificate names nobody`() async throws {
        let principal = try await self.authenticator().authenticate(
            .apiKey("key-b"), certificate: self.certificate(.dns("unknown.internal")), at: Self.now)
        #expect(try principal.scope(naming: nil).tenant == TenantID("b"))
        #expect(principal.expiresAt == nil)
    }

    @Test func `a key of another tenant than the certificate's is refused`() async {
        let refusal = await self.refusal(.apiKey("key-b"), self.certificate(Self.acme))
        #expect(refusal == CacheError(.unauthenticated, "the certificate and the credential are of different tenants"))
        #expect(await self.refusal(.apiKey("key-a"), self.certificate(Self.acme)) == nil)
    }

    @Test func `a wrong key is refused even if the certificate is known`() async {
        let refusal = await self.refusal(.apiKey("wrong"), self.certificate(Self.acme))
        #expect(refusal == CacheError(.unauthenticated, "the API key is not known"))
    }

    @Test(arguments: [
        ([], false), (Array(Self.grants.prefix(1)), true),
        ([CertificateGrant(name: Self.acme, tenancy: .tenant(TenantID("a")), roles: [.read, .write])], false),
        ([CertificateGrant(name: Self.acme, tenancy: .tenant(TenantID("b")), roles: [.read])], false),
    ])
    func `a connection stays only while its certificate means the same`(
        _ grants: [CertificateGrant], _ stays: Bool
    ) async throws {
        let authenticator = self.authenticator()
        let principal = try await authenticator.authenticate(
            .none, certificate: self.certificate(Self.acme), at: Self.now)
        authenticator.replace(.init(keys: [], certificates: grants))
        #expect(authenticator.accepts(principal) == stays)
    }

    @Test(arguments: [Credential.apiKey("key-a"), .token("good-a")])
    func `a credential beside a certificate counts only while both are of one tenant`(
        _ credential: Credential
    ) async throws {
        let tokens = ScriptedTokens(expiresAt: Timestamp(milliseconds: 5000))
        func configuration(_ tenant: String?) -> CredentialAuthenticator.Configuration {
            let grants = tenant.map {
                [CertificateGrant(name: Self.acme, tenancy: .tenant(TenantID($0)), roles: [.read])]
            }
            return .init(keys: Keyed.keys, tokens: tokens, certificates: grants ?? [])
        }
        let authenticator = CredentialAuthenticator(configuration("a"))
        let principal = try await authenticator.authenticate(
            credential, certificate: self.certificate(Self.acme), at: Self.now)
        #expect(authenticator.accepts(principal))
        authenticator.replace(configuration("b"))
        #expect(!authenticator.accepts(principal))
        authenticator.replace(configuration(nil))
        #expect(authenticator.accepts(principal), "then the certificate names nobody")
    }

    @Test(arguments: [
        ("dns:API.acme.internal", Optional(CertificateName.dns("api.acme.internal"))),
        ("uri:spiffe://example.org/Acme", .uri("spiffe://example.org/Acme")),
        ("email:a@b.example", .email("a@b.example")), ("dns:", nil), ("api.acme.internal", nil), ("ip:10.0.0.1", nil),
        ("dns:b\u{fc}cher.example", nil), ("uri:with space", nil), ("dns:a\u{0}b", nil),
        ("uri:" + String(repeating: "x", count: 2049), nil),
    ])
    func `names are ASCII, of a known kind and bounded`(_ text: String, _ name: CertificateName?) {
        #expect(CertificateName(text) == name)
    }
}
