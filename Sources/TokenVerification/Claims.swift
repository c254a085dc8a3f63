// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials

/// What a payload says, as far as it matters here. Read only after the signature was found genuine.
struct Claims {
    let issuer: String
    let audiences: [String]
    let expiry: Timestamp
    let notBefore: Timestamp?
    let issuedAt: Timestamp?
    let tenant: String
    let roles: Roles
    /// How many names of claims there are.
    private let count: Int

    /// - Parameter payload: JSON in UTF-8. The decoder takes other encodings too, and where it does not look, bytes of
    ///   none.
    init(_ payload: [UInt8], _ configuration: TokenConfiguration) throws(TokenFault) {
        guard !payload.contains(0), String(validating: payload, as: UTF8.self) != nil else { throw .malformed }
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(payload), configuration: configuration)
        } catch let fault as TokenFault {
            throw fault
        } catch {
            throw .malformed
        }
        // Of a name that is there twice the decoder takes the first claim, where others take the last (RFC 7519): then
        // it cannot be told whose token it is.
        guard Self.memberCount(of: payload) == self.count else { throw .malformed }
    }

    /// Members of an object that was found to be JSON: each has one colon.
    private static func memberCount(of object: [UInt8]) -> Int {
        var (count, depth) = (0, 0)
        var (isInString, isEscaped) = (false, false)
        for byte in object {
            switch byte {
            case _ where isEscaped: isEscaped = false
            case UInt8(ascii: "\\"): isEscaped = true
            case UInt8(ascii: "\""): isInString.toggle()
            case _ where isInString: break
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ":") where depth == 1: count += 1
            default: break
            }
        }
        return count
    }

    /// Strings are compared by their bytes: `==` takes different spellings of one character for the same.
    ///
    /// - Parameter key: What the signature was verified with, if it may be withdrawn.
    func check(
        _ configuration: TokenConfiguration, at now: Timestamp, key: Digest?
    ) throws(TokenFault) -> VerifiedToken {
        guard self.issuer.utf8.elementsEqual(configuration.issuer.utf8) else { throw .issuer }
        guard self.audiences.contains(where: { $0.utf8.elementsEqual(configuration.audience.utf8) }) else {
            throw .audience
        }
        let end = self.expiry + configuration.leeway
        guard now < end else { throw .expired }
        for begin in [self.notBefore, self.issuedAt] {
            if let begin, begin > now + configuration.leeway { throw .early }
        }
        return VerifiedToken(tenant: self.tenant, roles: self.roles, expiresAt: end, key: key)
    }
}

extension Claims: DecodableWithConfiguration {
    fileprivate typealias Container = KeyedDecodingContainer<ClaimName>

    init(from decoder: any Decoder, configuration: TokenConfiguration) throws {
        let claims = try decoder.container(keyedBy: ClaimName.self)
        guard let issuer = try? claims.decode(String.self, forKey: "iss") else { throw TokenFault.issuer }
        self.issuer = issuer
        if let audience = try? claims.decode(String.self, forKey: "aud") {
            self.audiences = [audience]
        } else if let audiences = try? claims.decode([String].self, forKey: "aud") {
            self.audiences = audiences
        } else {
            throw TokenFault.audience
        }
        guard let expiry = try Self.instant("exp", in: claims) else { throw TokenFault.noExpiry }
        self.expiry = expiry
        self.notBefore = try Self.instant("nbf", in: claims)
        self.issuedAt = try Self.instant("iat", in: claims)
        self.tenant = try Self.tenant(in: claims, configuration)
        self.roles = try Self.roles(in: claims, configuration)
        self.count = claims.allKeys.count
    }

    /// - Returns: `nil` if there is no such claim.
    private static func instant(_ name: ClaimName, in claims: Container) throws -> Timestamp? {
        guard claims.contains(name) else { return nil }
        let seconds = try claims.decode(Double.self, forKey: name)
        // To the year 9999: nothing that a number can hold overflows.
        guard seconds.magnitude <= 253_402_300_800 else { throw TokenFault.malformed }
        return Timestamp(milliseconds: Int64(seconds * 1000))
    }

    private static func tenant(in claims: Container, _ configuration: TokenConfiguration) throws -> String {
        guard let (container, key) = self.find(configuration.tenantClaim, in: claims),
            let tenant = try? container.decode(String.self, forKey: key),
            (1...Limits.maximumTenantNameBytes).contains(tenant.utf8.count), !tenant.utf8.contains(0)
        else { throw TokenFault.tenant }
        return tenant
    }

    private static func roles(in claims: Container, _ configuration: TokenConfiguration) throws -> Roles {
        guard let (container, key) = self.find(configuration.rolesClaim, in: claims) else {
            guard let roles = configuration.roles else { throw TokenFault.roles }
            return roles
        }
        let names: [String]
        if let text = try? container.decode(String.self, forKey: key) {
            names = text.split(separator: " ").map(String.init)
        } else if let list = try? container.decode([String].self, forKey: key) {
            names = list
        } else {
            throw TokenFault.roles
        }
        // An issuer has roles for other services too: those are none of ours.
        let roles = names.reduce(into: Roles()) { roles, name in roles.formUnion(Roles(names: [name]) ?? []) }
        guard !roles.isEmpty else { throw TokenFault.roles }
        return roles
    }

    /// Finds a claim of that whole name, such as a URL; else follows its dots into objects.
    private static func find(_ name: String, in claims: Container) -> (Container, ClaimName)? {
        if let key = claims.key(name) { return (claims, key) }
        var container = claims
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        for part in parts.dropLast() {
            guard let key = container.key(part),
                let inner = try? container.nestedContainer(keyedBy: ClaimName.self, forKey: key)
            else { return nil }
            container = inner
        }
        return container.key(parts[parts.count - 1]).map { (container, $0) }
    }
}

/// Any name.
private struct ClaimName: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init(stringLiteral: String) { self.stringValue = stringLiteral }
    init?(intValue: Int) { nil }
}

extension KeyedDecodingContainer<ClaimName> {
    /// By its bytes.
    fileprivate func key(_ name: String) -> ClaimName? {
        self.allKeys.first { $0.stringValue.utf8.elementsEqual(name.utf8) }
    }
}
