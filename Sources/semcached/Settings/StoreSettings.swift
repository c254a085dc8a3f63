// SPDX-License-Identifier: Apache-2.0

import OpenSSLTLS
import RedisClient
import RedisStore

/// Where entries are kept.
enum StoreSettings: Equatable {
    /// In a file, whose path it is, of this machine.
    case embedded(path: String)
    /// In a Redis that others may use as well.
    case redis(RedisStoreSettings)

    /// Keys of the section `store` but for the sweep, which every store has.
    static let keys: Set<String> = Self.redisKeys.union(["store.kind", "store.url", "store.path"])

    /// Keys that say nothing without a URL.
    private static let redisKeys: Set<String> = [
        "store.start_patience", "store.timeout", "store.connections", "store.shards", "store.quantization",
        "store.index", "store.tls_ca",
        "store.tls_certificate", "store.tls_key", "store.tls_server_name",
    ]

    private enum Kind: String, CaseIterable {
        case auto
        case embedded
        case redisVectorSet = "redis-vectorset"
        case redisSearch = "redis-search"
    }

    /// - Parameter path: Of the embedded store's file, unless another is given.
    /// - Throws: ``SettingsError``, which never holds the URL.
    init(_ source: some SettingsReader, defaultPath path: String) throws {
        let kind = try source.choice("store.kind", Kind.self) ?? .auto
        let url = try source.string("store.url").map(Secret.init)
        switch (kind, url) {
        case (.embedded, .some):
            throw SettingsError("store.kind is embedded, and store.url names a Redis: remove one of the two")
        case (.redisVectorSet, nil), (.redisSearch, nil):
            throw SettingsError("store.kind is \(kind.rawValue), which needs store.url, such as redis://127.0.0.1:6379")
        case (.auto, nil), (.embedded, nil):
            // Else a URL that was forgotten would go unnoticed.
            for key in Self.redisKeys.sorted() where try source.string(key) != nil {
                throw SettingsError("\(key) is for a Redis, and there is no store.url")
            }
            self = .embedded(path: try source.string("store.path") ?? path)
        case (.auto, .some(let url)): self = .redis(try RedisStoreSettings(source, url, nil))
        case (.redisVectorSet, .some(let url)): self = .redis(try RedisStoreSettings(source, url, .vectorSet))
        case (.redisSearch, .some(let url)): self = .redis(try RedisStoreSettings(source, url, .search))
        }
    }
}

/// A Redis and how it is used.
struct RedisStoreSettings: Equatable {
    /// The server's choice if `nil`.
    let kind: RedisIndexKind?
    /// With user and password.
    let url: Secret
    /// How long the service waits at its start for a server that is not there yet; zero: not at all.
    let startPatience: Duration
    /// Of a command, all attempts together.
    let timeout: Duration
    /// To each server.
    let connections: Int
    /// Slots of a cluster over which a tenant's entries are spread.
    let shards: Int
    /// `.none` unless `kind` is `.vectorSet`.
    let quantization: VectorQuantization
    /// `.hnsw` unless `kind` is `.search`.
    let index: SearchIndexType
    /// For a URL of `rediss://`.
    let tls: TLSClientConfiguration

    fileprivate init(_ source: some SettingsReader, _ url: Secret, _ kind: RedisIndexKind?) throws {
        self.kind = kind
        self.url = url
        self.startPatience = try source.duration("store.start_patience", atLeast: .zero) ?? .seconds(60)
        self.timeout =
            try source.duration("store.timeout", atLeast: .milliseconds(10), atMost: .seconds(60)) ?? .seconds(1)
        self.connections = try source.integer("store.connections", in: 1...64) ?? 8
        self.shards = try source.integer("store.shards", in: 1...64) ?? 1
        self.quantization = try source.choice("store.quantization", VectorQuantization.self) ?? .none
        self.index = try source.choice("store.index", SearchIndexType.self) ?? .hnsw
        self.tls = try Self.tls(source)
        // Whoever asks for it must get it, whatever the server can do.
        guard self.quantization == .none || kind == .vectorSet else {
            throw SettingsError("store.quantization needs store.kind: redis-vectorset")
        }
        guard self.index == .hnsw || kind == .search else {
            throw SettingsError("store.index needs store.kind: redis-search")
        }
        _ = try self.server { _ in }
    }

    private static func tls(_ source: some SettingsReader) throws -> TLSClientConfiguration {
        var tls = TLSClientConfiguration()
        if let file = try source.string("store.tls_ca") { tls.trust = .file(file) }
        tls.serverName = try source.string("store.tls_server_name")
        switch (try source.string("store.tls_certificate"), try source.string("store.tls_key")) {
        case (nil, nil): break
        case (let certificate?, let key?): tls.identity = TLSIdentity(chainFile: certificate, keyFile: key)
        default: throw SettingsError("store.tls_certificate and store.tls_key need each other")
        }
        return tls
    }

    /// What the client takes.
    ///
    /// - Parameter report: Gets what is wrong with files of certificates that have changed meanwhile.
    /// - Throws: ``SettingsError`` for a URL of none of its forms, and for a file that will not do.
    func server(report: @escaping @Sendable (TLSError) -> Void) throws -> RedisConfiguration {
        do throws(TLSError) {
            if self.url.value.hasPrefix("rediss"), self.tls != TLSClientConfiguration() { _ = try TLSContext(self.tls) }
        } catch {
            throw SettingsError(error, section: "store.tls", authorities: "ca")
        }
        do throws(RedisError) {
            var configuration = try RedisConfiguration(url: self.url.value, tls: self.tls, report: report)
            configuration.commandTimeout = self.timeout
            configuration.connectionsPerNode = self.connections
            return configuration
        } catch {
            throw SettingsError("store.url: \(error.message)")
        }
    }
}

/// A text that is never shown, however what holds it is printed.
struct Secret: Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let value: String

    init(_ value: String) { self.value = value }

    var description: String { "(secret)" }
    var debugDescription: String { self.description }
    var customMirror: Mirror { Mirror(self, children: []) }
}
