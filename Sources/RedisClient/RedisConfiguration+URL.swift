// SPDX-License-Identifier: Apache-2.0

package import OpenSSLTLS

extension RedisConfiguration {
    /// Reads a URL of one of the forms
    ///
    ///     redis://[[user]:password@]host[:port][/database]
    ///     redis+sentinel://[[user]:password@]host[:port],…/service[/database]
    ///     redis+sentinel://…/service?sentinel_user=…&sentinel_password=…
    ///     redis+cluster://[[user]:password@]host[:port],…
    ///
    /// or the same with `rediss` for TLS. The port is 6379, that of a sentinel 26379; an IPv6 address is in brackets.
    /// In user, password, service and query, other characters than letters, digits and `-._~` are written as `%` and
    /// two hexadecimal digits.
    ///
    /// - Parameters:
    ///   - tls: How TLS is spoken with all servers, sentinels too. Unless it says otherwise, each must prove that it
    ///     has the name, or IP address, by which the URL or another server names it, to an authority of the system.
    ///   - report: Gets what is wrong with files of TLS that have changed; those before them stay in force.
    /// - Throws: `.misconfigured`. As a mistake may be anywhere, and the password in the place of the host, nothing of
    ///   the URL but its scheme is in the message.
    package init(
        url: String, tls: TLSClientConfiguration = TLSClientConfiguration(),
        report: @escaping @Sendable (TLSError) -> Void = { _ in }
    ) throws(RedisError) {
        let parts = try URLParts(url)
        guard parts.isEncrypted || tls == TLSClientConfiguration() else {
            throw .url("does not ask for the TLS that is set up: write rediss instead of redis")
        }
        let addresses = try parts.addresses()
        let names = try parts.pathSegments()
        let deployment: Deployment
        var database: String?
        switch parts.form {
        case .standalone:
            guard addresses.count == 1 else {
                throw .url("redis:// takes one host; several are for redis+sentinel:// and redis+cluster://")
            }
            guard names.count <= 1 else { throw .url("has more after the host than /database") }
            deployment = .standalone(addresses[0])
            database = names.first
        case .sentinel:
            guard let service = names.first, names.count <= 2 else {
                throw .url("redis+sentinel:// needs /service or /service/database after the hosts")
            }
            deployment = .sentinel(addresses, service: service)
            database = names.dropFirst().first
        case .cluster:
            guard names.isEmpty || names == ["0"] else { throw .url("a cluster has no database but 0") }
            deployment = .cluster(seeds: addresses)
        }
        self.init(
            deployment, credentials: try parts.credentials(), sentinelCredentials: try parts.sentinelCredentials(),
            database: try database.map(Self.database) ?? 0,
            security: parts.isEncrypted ? try RedisTLS.security(tls, report: report) : nil)
    }

    private static func database(_ digits: String) throws(RedisError) -> Int {
        guard let number = Int(digits: digits[...]), number <= RedisLimits.maximumDatabase else {
            throw .url("the database is not a number of 0 to \(RedisLimits.maximumDatabase)")
        }
        return number
    }
}

/// A URL taken apart, each part still as it was written.
private struct URLParts {
    enum Form {
        case standalone
        case sentinel
        case cluster
    }

    let scheme: String
    let form: Form
    let isEncrypted: Bool
    private let userInfo: Substring?
    private let hosts: [Substring]
    private let path: Substring
    private let query: Substring?

    init(_ url: String) throws(RedisError) {
        guard url.utf8.count <= RedisLimits.maximumURLBytes else {
            throw .url("is longer than \(RedisLimits.maximumURLBytes) bytes")
        }
        guard url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw .url("has a character that must be written as %, such as a space")
        }
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else {
            throw .url("is none of redis://…, redis+sentinel://… or redis+cluster://…")
        }
        switch url[..<colon].lowercased() {
        case "redis": (self.scheme, self.form, self.isEncrypted) = ("redis", .standalone, false)
        case "rediss": (self.scheme, self.form, self.isEncrypted) = ("rediss", .standalone, true)
        case "redis+sentinel": (self.scheme, self.form, self.isEncrypted) = ("redis+sentinel", .sentinel, false)
        case "rediss+sentinel": (self.scheme, self.form, self.isEncrypted) = ("rediss+sentinel", .sentinel, true)
        case "redis+cluster": (self.scheme, self.form, self.isEncrypted) = ("redis+cluster", .cluster, false)
        case "rediss+cluster": (self.scheme, self.form, self.isEncrypted) = ("rediss+cluster", .cluster, true)
        default: throw .url("is none of redis://…, redis+sentinel://… or redis+cluster://…")
        }
        var rest = url[colon...].dropFirst(3)
        // What an unencoded password does to the rest of the URL shows itself by these.
        guard !rest.contains("#"), rest.count(where: { $0 == "@" }) <= 1 else {
            throw .url("has a # or a second @: user and password must have them as %23 and %40")
        }
        let mark = rest.firstIndex(of: "?")
        self.query = mark.map { rest[$0...].dropFirst() }
        rest = rest[..<(mark ?? rest.endIndex)]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        self.path = rest[slash...].dropFirst()
        rest = rest[..<slash]
        guard !self.path.contains("@"), self.query?.contains("@") != true else {
            throw .url("has an @ behind a / or ?: user and password must have those as %2F and %3F")
        }
        let at = rest.firstIndex(of: "@")
        self.userInfo = at.map { rest[..<$0] }
        self.hosts = rest[(at.map { rest.index(after: $0) } ?? rest.startIndex)...]
            .split(separator: ",", omittingEmptySubsequences: false)
    }

    func addresses() throws(RedisError) -> [RedisAddress] {
        guard self.hosts.count <= RedisLimits.maximumURLHosts else {
            throw .url("names more than \(RedisLimits.maximumURLHosts) hosts")
        }
        var addresses: [RedisAddress] = []
        for host in self.hosts { addresses.append(try self.address(host)) }
        return addresses
    }

    private func address(_ text: Substring) throws(RedisError) -> RedisAddress {
        var host = text
        var port: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw .url("has a [ without its ]") }
            host = text[..<end].dropFirst()
            let after = text[end...].dropFirst()
            guard after.isEmpty || after.first == ":", host.contains(":"), host.utf8.allSatisfy(\.isOfIPv6) else {
                throw .url("has brackets with something else than an IPv6 address in them and :port behind them")
            }
            port = after.isEmpty ? nil : after.dropFirst()
        } else {
            if let colon = text.firstIndex(of: ":") {
                host = text[..<colon]
                port = text[colon...].dropFirst()
            }
            guard host.utf8.allSatisfy(\.isOfHostName) else {
                throw .url("has a host with a character that no host name has, or an IPv6 address without brackets")
            }
        }
        guard (1...RedisLimits.maximumHostBytes).contains(host.utf8.count) else {
            throw .url("has no host, or a very long one")
        }
        guard let port else { return RedisAddress(host: String(host), port: self.form == .sentinel ? 26_379 : 6379) }
        guard let number = Int(digits: port), (1...65_535).contains(number) else {
            throw .url("has a port that is not 1 to 65535")
        }
        return RedisAddress(host: String(host), port: number)
    }

    func pathSegments() throws(RedisError) -> [String] {
        guard !self.path.isEmpty else { return [] }
        var names: [String] = []
        for segment in self.path.split(separator: "/", omittingEmptySubsequences: false) {
            let name = try Self.decoded(segment)
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
                throw .url("has a name after the hosts that is empty or has spaces")
            }
            names.append(name)
        }
        return names
    }

    func credentials() throws(RedisError) -> RedisCredentials? {
        guard let userInfo = self.userInfo else { return nil }
        guard let colon = userInfo.firstIndex(of: ":") else {
            throw .url("has a user without a password; a password alone is written as :password@")
        }
        let (user, password) = (userInfo[..<colon], userInfo[colon...].dropFirst())
        guard !password.isEmpty else { throw .url("has an empty password") }
        return RedisCredentials(
            username: user.isEmpty ? nil : try Self.decoded(user), password: try Self.decoded(password))
    }

    func sentinelCredentials() throws(RedisError) -> RedisCredentials? {
        guard let query = self.query, !query.isEmpty else { return nil }
        var (user, password): (String?, String?)
        for item in query.split(separator: "&", omittingEmptySubsequences: false) {
            let equals = item.firstIndex(of: "=") ?? item.endIndex
            let value = try Self.decoded(item[equals...].dropFirst())
            switch item[..<equals] {
            case "sentinel_user" where self.form == .sentinel && user == nil && !value.isEmpty: user = value
            case "sentinel_password" where self.form == .sentinel && password == nil && !value.isEmpty: password = value
            default:
                throw .url(
                    "has a setting after ? that is unknown, twice there or empty; known are, for redis+sentinel://, "
                        + "sentinel_user and sentinel_password")
            }
        }
        guard let password else { throw .url("has sentinel_user without sentinel_password") }
        return RedisCredentials(username: user, password: password)
    }

    private static func decoded(_ text: Substring) throws(RedisError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexadecimalDigit, let low = rest.popFirst()?.hexadecimalDigit else {
                throw .url("has a % without two hexadecimal digits; % itself is written as %25")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw .url("has something percent-encoded that is no UTF-8")
        }
        return decoded
    }
}

extension RedisError {
    fileprivate static func url(_ fault: String) -> Self { Self(.misconfigured, "the Redis URL: \(fault)") }
}

extension Int {
    /// Decimal digits and nothing else, at most six.
    fileprivate init?(digits: Substring) {
        guard (1...6).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        self.init(digits)
    }
}

extension UInt8 {
    fileprivate var hexadecimalDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    var isOfIPv6: Bool {
        self.hexadecimalDigit != nil || self == UInt8(ascii: ":") || self == UInt8(ascii: ".")
    }

    var isOfHostName: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
