// SPDX-License-Identifier: Apache-2.0

import CacheModel
import HTTPEmbedder

/// Keys that embedders and judges have in common.
enum ProviderKeys {
    static let access: Set<String> = [
        "api_key_file", "api_key_env", "plaintext_key", "timeout", "connect_timeout", "proxy", "proxy_key_file",
        "proxy_key_env", "tls_ca", "tls_certificate", "tls_key", "tls_verify", "breaker_failures", "breaker_open",
    ]
}

extension SettingsError {
    /// A fault of a provider's configuration, under the key that the file has for the field.
    ///
    /// - Parameter place: Where the provider is in the file, or what it is called.
    init(_ fault: CacheError, at place: String, of access: some ProviderAccess) {
        let isToken = (access as? HTTPEmbedder.Configuration)?.azure?.usesToken ?? false
        let key: String? =
            switch fault.field {
            case "base_url": "url"
            case "credential": access.credential.key(isToken ? "entra_token" : "api_key")
            case "request_timeout": "timeout"
            case "batch_limit": "batch"
            case "maximum_text_bytes": "maximum_text"
            case "canary_interval": "probe_interval"
            case "concurrency" where access is HTTPJudge.Configuration: "maximum_concurrent"
            case "proxy_host", "proxy_port": "proxy"
            case "proxy_credential": access.proxy?.credential.key("proxy_key")
            case "tls": "tls_ca, tls_certificate, tls_key or tls_verify"
            case "trust_file": "tls_ca"
            case "certificate_file": "tls_certificate"
            case "key_file": "tls_key"
            default: nil
            }
        if let field = fault.field, let key, fault.message.hasPrefix(field) {
            self.init("\(place): \(key)\(fault.message.dropFirst(field.utf8.count))")
        } else {
            self.init("\(place): \(fault.message)")
        }
    }
}

extension CredentialSource {
    /// The key that it was given by, or both that could give it.
    fileprivate func key(_ name: String) -> String {
        switch self {
        case .file: "\(name)_file"
        case .environment: "\(name)_env"
        case .none: "\(name)_file or \(name)_env"
        }
    }
}

extension SettingsNode {
    /// A file, or a variable of the environment: the secret itself is in neither the settings nor the arguments.
    func credential(_ key: String) throws -> CredentialSource {
        switch (try self.string("\(key)_file"), try self.string("\(key)_env")) {
        case (nil, nil): .none
        case (let path?, nil): .file(path)
        case (nil, let name?): .environment(name)
        default: throw SettingsError("\(self.path) has \(key)_file and \(key)_env: give one of the two")
        }
    }

    /// Reads how a provider is connected to, and how patiently; what is not given stays.
    ///
    /// - Parameter concurrency: The key of how many requests are under way at the same time.
    func readAccess(into access: inout some ProviderAccess, concurrency: String) throws {
        let times = Limits.providerTimeout
        access.concurrency = try self.integer(concurrency, in: Limits.providerConcurrency) ?? access.concurrency
        access.requestTimeout =
            try self.duration("timeout", atLeast: times.lowerBound, atMost: times.upperBound) ?? access.requestTimeout
        access.connectTimeout =
            try self.duration("connect_timeout", atLeast: times.lowerBound, atMost: times.upperBound)
            ?? access.connectTimeout
        access.breakerFailures = try self.integer("breaker_failures", in: 1...1000) ?? access.breakerFailures
        access.breakerOpen =
            try self.duration("breaker_open", atLeast: .milliseconds(1), atMost: Limits.maximumBreakerOpen)
            ?? access.breakerOpen
        access.tls.trustFile = try self.string("tls_ca")
        access.tls.certificateFile = try self.string("tls_certificate")
        access.tls.keyFile = try self.string("tls_key")
        access.tls.isVerified = try self.boolean("tls_verify") ?? true
        guard let proxy = try self.string("proxy") else {
            guard try self.credential("proxy_key") == .none else {
                throw SettingsError("\(self.path) has a key of a proxy and no proxy")
            }
            return
        }
        guard let colon = proxy.lastIndex(of: ":"), let port = Int(proxy[proxy.index(after: colon)...]) else {
            throw SettingsError("\(self.path).proxy must be host:port")
        }
        access.proxy = HTTPEmbedder.Configuration.Proxy(
            host: String(proxy[..<colon]), port: port, credential: try self.credential("proxy_key"))
    }

    /// A name that metrics and settings can hold.
    func labelName() throws -> String {
        let name = try self.string("name") ?? ""
        guard (1...64).contains(name.utf8.count),
            name.utf8.allSatisfy({
                $0 == 0x2d || $0 == 0x5f || (0x30...0x39).contains($0) || (0x61...0x7a).contains($0)
            })
        else { throw SettingsError("\(self.path).name must be 1 to 64 of a-z, 0-9, - and _") }
        return name
    }
}
