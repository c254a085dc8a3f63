// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import CacheServer
import Foundation
import TokenVerification

/// Who may do what: read anew on SIGHUP.
struct TenantSettings {
    var directory: TenantDirectory
    var keys: [APIKeyGrant] = []
    var certificates: [CertificateGrant] = []
    var tokens: TokenConfiguration?

    /// Whether peers must show a credential.
    var hasCredentials: Bool { !self.keys.isEmpty || !self.certificates.isEmpty || self.tokens != nil }

    /// Keys of the section `tokens`.
    static let tokenKeys: Set<String> = [
        "tokens.issuer", "tokens.audience", "tokens.tenant_claim", "tokens.roles_claim", "tokens.roles",
        "tokens.algorithms", "tokens.leeway", "tokens.secret_file", "tokens.keys_file", "tokens.keys_url",
        "tokens.refresh",
    ]

    /// - Throws: ``SettingsError``.
    init(_ source: SettingsSource, names: PolicyNames) throws {
        let cache = try CachePolicy(source, prefix: "cache.", names: names)
        let tenants = source.file?.tenants ?? []
        let gateways = source.file?.gateways ?? []
        let others = try source.file?.otherTenants.map { node in
            try node.check(keys: TenantPolicy.keys)
            return try TenantPolicy(node, cache: cache, names: names)
        }
        self.directory = TenantDirectory(undeclared: others)
        for node in tenants { try self.readTenant(node, cache, names) }
        for node in gateways { try self.readGateway(node) }
        self.tokens = try Self.tokens(source)
        if !self.hasCredentials {
            guard tenants.isEmpty, others == nil else {
                throw SettingsError(
                    "tenants are configured, but no credential lets anyone in: add api_keys, certificates, gateways or tokens"
                )
            }
            self.directory.declare(SingleTenant.tenant, TenantPolicy(template: cache))
        }
        try self.check()
    }

    private func check() throws {
        let digests = self.keys.map(\.digest)
        guard Set(digests).count == digests.count else {
            throw SettingsError("the same sha256 is given for two API keys")
        }
        guard Set(self.certificates.map(\.name)).count == self.certificates.count else {
            throw SettingsError("the same san is given for two certificates")
        }
    }

    private mutating func readTenant(
        _ node: SettingsNode, _ cache: CachePolicy, _ names: PolicyNames
    ) throws {
        try node.check(keys: TenantPolicy.keys.union(["name", "api_keys", "certificates"]))
        let tenant = TenantID(try node.requiredName(limit: Limits.maximumTenantNameBytes))
        guard !self.directory.declares(tenant) else {
            throw SettingsError("\(node.path).name is that of another tenant")
        }
        self.directory.declare(tenant, try TenantPolicy(node, cache: cache, names: names))
        for key in try node.list("api_keys") {
            try key.check(keys: ["sha256", "roles"])
            self.keys.append(
                APIKeyGrant(digest: try key.digest(), tenancy: .tenant(tenant), roles: try key.roles("roles")))
        }
        for certificate in try node.list("certificates") {
            try certificate.check(keys: ["san", "roles"])
            self.certificates.append(
                CertificateGrant(
                    name: try certificate.certificateName(), tenancy: .tenant(tenant),
                    roles: try certificate.roles("roles")))
        }
    }

    private mutating func readGateway(_ node: SettingsNode) throws {
        try node.check(keys: ["sha256", "san", "roles", "tenants", "all_tenants"])
        let names = try node.exactStrings("tenants")
        let isForAll = try node.boolean("all_tenants") ?? false
        guard (names != nil) != isForAll, names.map({ !$0.isEmpty }) ?? true else {
            throw SettingsError("\(node.path) needs tenants, a list of names, or all_tenants: true")
        }
        for name in names ?? [] {
            try SettingsNode.check(name, node.name(of: "tenants"), limit: Limits.maximumTenantNameBytes)
        }
        let tenancy = GrantedTenancy.gateway(names.map { Set($0.map { TenantID($0) }) })
        let roles = try node.roles("roles")
        switch (try node.string("sha256"), try node.string("san")) {
        case (.some, nil): self.keys.append(APIKeyGrant(digest: try node.digest(), tenancy: tenancy, roles: roles))
        case (nil, .some):
            self.certificates.append(
                CertificateGrant(name: try node.certificateName(), tenancy: tenancy, roles: roles))
        default: throw SettingsError("\(node.path) needs sha256, of an API key, or san, of a certificate")
        }
    }

    private static func tokens(_ source: SettingsSource) throws -> TokenConfiguration? {
        guard let issuer = try source.string("tokens.issuer") else {
            for key in Self.tokenKeys.sorted() where try source.string(key) != nil {
                throw SettingsError("\(key) is given without tokens.issuer")
            }
            return nil
        }
        guard let audience = try source.string("tokens.audience") else {
            throw SettingsError("tokens.audience is missing: without it a token for another service would do")
        }
        let keys = try Self.tokenKeys(source)
        var configuration = TokenConfiguration(
            issuer: issuer, audience: audience, algorithms: try Self.algorithms(source, keys), keys: keys)
        configuration.tenantClaim = try source.string("tokens.tenant_claim") ?? configuration.tenantClaim
        configuration.rolesClaim = try source.string("tokens.roles_claim") ?? configuration.rolesClaim
        if try source.string("tokens.roles") != nil { configuration.roles = try source.roles("tokens.roles") }
        configuration.leeway = try source.duration("tokens.leeway", atLeast: .zero) ?? configuration.leeway
        configuration.refresh = try source.duration("tokens.refresh", atLeast: .seconds(1)) ?? configuration.refresh
        do throws(CacheError) {
            try configuration.validate()
        } catch {
            throw SettingsError("tokens.\(error.message)")
        }
        return configuration
    }

    private static func tokenKeys(_ source: SettingsSource) throws -> TokenConfiguration.Keys {
        let secret = try source.string("tokens.secret_file")
        let file = try source.string("tokens.keys_file")
        let url = try source.string("tokens.keys_url")
        switch (secret, file, url) {
        case (let path?, nil, nil):
            guard var bytes = FileManager.default.contents(atPath: path) else {
                throw SettingsError("tokens.secret_file: \(path) cannot be read")
            }
            // An editor's last line break is none of the secret's.
            while let last = bytes.last, last == 0x0a || last == 0x0d { bytes.removeLast() }
            return .secret(Array(bytes))
        case (nil, let path?, nil): return .file(path)
        case (nil, nil, let url?): return .url(url)
        default: throw SettingsError("tokens needs exactly one of secret_file, keys_file and keys_url")
        }
    }

    private static func algorithms(
        _ source: SettingsSource, _ keys: TokenConfiguration.Keys
    ) throws -> Set<TokenConfiguration.Algorithm> {
        guard let names = try source.words("tokens.algorithms") else {
            if case .secret = keys { return [.hs256] }
            return [.rs256, .es256]
        }
        return Set(
            try names.map { name in
                guard let algorithm = TokenConfiguration.Algorithm(rawValue: name) else {
                    let known = TokenConfiguration.Algorithm.allCases.map(\.rawValue).joined(separator: ", ")
                    throw SettingsError("tokens.algorithms has \(name); known are \(known)")
                }
                return algorithm
            })
    }
}

extension SettingsReader {
    /// Names of roles between commas; not empty.
    func roles(_ key: String) throws -> Roles {
        guard let names = try self.words(key), let roles = Roles(names: names), !roles.isEmpty else {
            throw SettingsError(
                "\(self.name(of: key)) must be a list of \(Roles.all.names.joined(separator: ", "))")
        }
        return roles
    }
}

extension SettingsNode {
    fileprivate func certificateName() throws -> CertificateName {
        guard let name = try self.string("san").flatMap({ CertificateName($0) }) else {
            throw SettingsError(
                "\(self.path).san must be a name of a client's certificate, such as uri:spiffe://example.org/acme, "
                    + "dns:api.acme.internal or email:cache@acme.example")
        }
        return name
    }

    fileprivate func digest() throws -> Digest {
        guard let text = try self.string("sha256"), let digest = Digest(hexadecimal: text) else {
            throw SettingsError(
                "\(self.path).sha256 must be 64 hexadecimal digits: semcache keys new prints them with a new key")
        }
        return digest
    }
}
