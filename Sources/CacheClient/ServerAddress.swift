// SPDX-License-Identifier: Apache-2.0

/// Where a server listens.
public struct ServerAddress: Sendable, Hashable {
    /// The port of the native protocol.
    public static let defaultPort = 7070
    /// A server of this machine, at its default port.
    public static let local = Self(host: "127.0.0.1")

    private static let scheme = "semcached://"
    private static let encryptedScheme = "semcached+tls://"

    /// A host name, an IPv4 address, or an IPv6 address without brackets.
    public let host: String
    /// 1…65,535.
    public let port: Int
    /// Whether the address itself says that TLS is spoken there; see also ``ClientConfiguration/transportSecurity``.
    public let usesTLS: Bool

    /// Makes an address of parts that are known to be right; ``init(_:)`` checks a text.
    public init(host: String, port: Int = Self.defaultPort, usesTLS: Bool = false) {
        self.host = host
        self.port = port
        self.usesTLS = usesTLS
    }

    /// Reads `host`, `host:port`, `[IPv6]:port` or a bare IPv6 address, each with or without `semcached://` before it,
    /// or `semcached+tls://` for TLS.
    ///
    /// - Throws: ``CacheClientError`` with `.invalidArgument` that says what is wrong.
    public init(_ text: String) throws(CacheClientError) {
        var rest = Substring(text)
        let usesTLS = rest.lowercased().hasPrefix(Self.encryptedScheme)
        if usesTLS || rest.lowercased().hasPrefix(Self.scheme) {
            rest = rest.dropFirst(usesTLS ? Self.encryptedScheme.count : Self.scheme.count)
            if rest.hasSuffix("/") { rest = rest.dropLast() }
        } else if rest.contains("/") {
            throw Self.fault("is no host:port, semcached://host:port or semcached+tls://host:port")
        }
        let host: Substring
        var port: Substring?
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw Self.fault("has a [ without its ]") }
            host = rest[rest.index(after: rest.startIndex)..<end]
            let after = rest[rest.index(after: end)...]
            guard after.isEmpty || after.first == ":" else { throw Self.fault("has something else than :port after ]") }
            port = after.isEmpty ? nil : after.dropFirst()
            guard host.contains(":") else { throw Self.fault("has brackets around what is no IPv6 address") }
        } else if let colon = rest.firstIndex(of: ":"), rest[rest.index(after: colon)...].firstIndex(of: ":") == nil {
            host = rest[..<colon]
            port = rest[rest.index(after: colon)...]
        } else {
            // None, or the many of an IPv6 address.
            host = rest
        }
        guard !host.isEmpty else { throw Self.fault("has no host") }
        let isPlain = host.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !"/@?#[]".utf8.contains($0) }
        guard isPlain else { throw Self.fault("has a character that no host name has") }
        let number = try port.map { (digits) throws(CacheClientError) in
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
                (1...65_535).contains(number)
            else { throw Self.fault("has a port that is not 1 to 65535") }
            return number
        }
        self.init(host: String(host), port: number ?? Self.defaultPort, usesTLS: usesTLS)
    }

    private static func fault(_ fault: String) -> CacheClientError {
        CacheClientError(.invalidArgument, "the server's address \(fault)", field: "server")
    }
}

extension ServerAddress: CustomStringConvertible {
    /// `host:port`, with brackets around an IPv6 address, and `semcached+tls://` before it if the address says so.
    public var description: String {
        let host = self.host.contains(":") ? "[\(self.host)]" : self.host
        return "\(self.usesTLS ? Self.encryptedScheme : "")\(host):\(self.port)"
    }
}
