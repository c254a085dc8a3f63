// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials

extension ProviderAccess {
    /// Looks at what can be told without a file, a variable or the network.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field.
    func validateAccess() throws(CacheError) {
        try Self.check("name", isLabel: self.name)
        try self.validateAddress()
        try Self.check("concurrency", self.concurrency, in: Limits.providerConcurrency)
        try Self.check("request_timeout", self.requestTimeout, in: Limits.providerTimeout)
        try Self.check("connect_timeout", self.connectTimeout, in: Limits.providerTimeout)
        try Self.check("breaker_open", self.breakerOpen, in: .milliseconds(1)...Limits.maximumBreakerOpen)
        try Self.check("breaker_failures", self.breakerFailures, in: 1...1000)
        try self.validateConnection()
    }

    private func validateAddress() throws(CacheError) {
        guard self.baseURL.utf8.allSatisfy({ (0x21...0x7e).contains($0) }), let url = URL(string: self.baseURL),
            let host = url.host(), !host.isEmpty, url.query() == nil, url.fragment() == nil
        else { throw .invalidArgument("base_url", "is not a URL with a host and without a query") }
        guard url.user() == nil, url.password() == nil else {
            throw .invalidArgument("base_url", "has a user or a password")
        }
        switch url.scheme?.lowercased() {
        case "https": return
        case "http":
            guard self.credential == .none || self.allowsPlaintextCredential || Self.isLoopback(host) else {
                throw .invalidArgument("base_url", "must be https: a credential is sent, and not to this machine")
            }
            guard self.tls == HTTPEmbedder.Configuration.TLS() else {
                throw .invalidArgument("tls", "is set, and the URL is not https")
            }
        default: throw .invalidArgument("base_url", "must be https or http")
        }
    }

    private func validateConnection() throws(CacheError) {
        if let proxy {
            try Self.check("proxy_host", isValue: proxy.host)
            try Self.check("proxy_port", proxy.port, in: 1...65_535)
        }
        guard (self.tls.certificateFile == nil) == (self.tls.keyFile == nil) else {
            throw .invalidArgument("tls", "has a certificate without its key, or a key without its certificate")
        }
    }

    static func check<Value: Comparable>(
        _ field: StaticString, _ value: Value, in range: ClosedRange<Value>
    ) throws(CacheError) {
        guard range.contains(value) else {
            throw .invalidArgument(field, "is not \(range.lowerBound) to \(range.upperBound)")
        }
    }

    /// What goes into a header or a URL: visible ASCII, or nothing at all.
    static func check(_ field: StaticString, isValue text: String?) throws(CacheError) {
        guard let text else { return }
        guard (1...256).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw .invalidArgument(field, "is not 1 to 256 visible characters of ASCII")
        }
    }

    static func check(_ field: StaticString, isLabel text: String) throws(CacheError) {
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw .invalidArgument(field, "is not 1 to 64 visible characters of ASCII")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if ["localhost", "::1", "[::1]"].contains(host.lowercased()) { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
