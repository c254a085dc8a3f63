// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
package import Logging
import NIOCore
package import RedisClient

/// Which index a store keeps its entries in.
package enum RedisIndexKind: String, Sendable, CaseIterable {
    case search = "redis-search"
    case vectorSet = "redis-vectorset"
}

/// How a store is to be opened.
package struct RedisStoreOptions: Sendable {
    /// The store chooses if `nil`: what the server's entries are in, else what the server can do best.
    package var kind: RedisIndexKind?
    /// Of redis-vectorset.
    package var quantization: VectorQuantization
    /// Of redis-search.
    package var searchIndex: SearchIndexType
    package var configuration: RedisVectorStore.Configuration

    package init(
        kind: RedisIndexKind? = nil, quantization: VectorQuantization = .none, searchIndex: SearchIndexType = .hnsw,
        configuration: RedisVectorStore.Configuration = .init()
    ) {
        self.kind = kind
        self.quantization = quantization
        self.searchIndex = searchIndex
        self.configuration = configuration
    }
}

extension RedisVectorStore {
    /// Asks a server what it can do, and opens a store on it.
    ///
    /// - Throws: ``VectorStoreError`` with a message that says what to do: for a server that is not reached, refuses the
    ///   password, is too old, is read-only, lacks both kinds of index or has its entries in another one.
    package static func open(
        _ client: RedisClient, options: RedisStoreOptions, logger: Logger,
        clock: @escaping @Sendable () -> Timestamp
    ) async throws(VectorStoreError) -> RedisVectorStore {
        let probe = try await RedisProbe.run(client)
        let (kind, reason) = try await probe.choose(options, client)
        let index: any VectorIndex =
            switch kind {
            case .vectorSet: VectorSetIndex(client: client, quantization: options.quantization)
            case .search: SearchIndex(client: client, type: options.searchIndex, logger: logger)
            }
        if let policy = probe.evictionPolicy, policy.hasPrefix("allkeys") {
            logger.warning(
                "store: Redis may evict entries by itself, whole partitions at once; set maxmemory-policy noeviction",
                metadata: ["redis.maxmemory_policy": "\(policy)"])
        }
        logger.info(
            "store: open",
            metadata: [
                "store.kind": "\(kind.rawValue)", "store.reason": "\(reason)", "redis.version": "\(probe.version)",
                "redis.servers": "\(probe.servers)",
            ])
        return RedisVectorStore(
            client: client, index: index, configuration: options.configuration, logger: logger, clock: clock)
    }
}

/// What a server says of itself.
struct RedisProbe: Sendable {
    static let oldest = (7, 0)

    let version: String
    let hasSearch: Bool
    let hasVectorSets: Bool
    /// `nil` if the user may not ask.
    let evictionPolicy: String?
    let servers: Int

    static func run(_ client: RedisClient) async throws(VectorStoreError) -> Self {
        var information = RedisCommand("INFO", isRepeatable: true)
        information.append("everything")
        let servers: [RESPValue]
        do throws(RedisError) {
            servers = try await client.sendToPrimaries(information)
        } catch {
            throw VectorStoreError(error)
        }
        var version = ""
        var policy: String?
        for server in servers {
            let fields = Self.fields(String(buffer: try RESPReader.bytes(server)))
            version = fields["redis_version"] ?? fields["valkey_version"] ?? ""
            policy = policy ?? fields["maxmemory_policy"]
            try Self.check(version: version, role: fields["role"])
        }
        var command = RedisCommand("COMMAND", isRepeatable: true)
        for argument in ["INFO", "FT.SEARCH", "VSIM"] { command.append(argument) }
        let known = try RESPReader.array(try await client.reply(to: command))
        guard known.count == 2 else { throw RESPReader.unexpected }
        return Self(
            version: version, hasSearch: known[0] != .null, hasVectorSets: known[1] != .null, evictionPolicy: policy,
            servers: servers.count)
    }

    private static func check(version: String, role: String?) throws(VectorStoreError) {
        let numbers = version.split(separator: ".").prefix(2).compactMap { Int($0) }
        if numbers.count == 2, (numbers[0], numbers[1]) < Self.oldest {
            throw VectorStoreError(
                .unavailable, "Redis \(version) is too old: 7.0 is needed for the scripts, and 8.0 for vector sets")
        }
        if role == "slave" {
            throw VectorStoreError(
                .unavailable,
                "the server is a replica, which is read-only: name its primary, or its Sentinels (redis+sentinel://…)")
        }
    }

    private static func fields(_ text: String) -> [String: String] {
        var fields: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[String(line[..<colon])] = String(line[line.index(after: colon)...])
        }
        return fields
    }

    /// Chooses the kind of index, and notes it for all replicas to come: entries of one are not found by another.
    func choose(
        _ options: RedisStoreOptions, _ client: RedisClient
    ) async throws(VectorStoreError) -> (kind: RedisIndexKind, reason: String) {
        var get = RedisCommand("GET", on: Self.layout, isRepeatable: true)
        var noted = try RESPReader.bytesIfAny(try await client.reply(to: get)).map { String(buffer: $0) }
        let kind: RedisIndexKind
        let reason: String
        if let wanted = options.kind {
            (kind, reason) = (wanted, "store.kind says so")
        } else if let former = noted?.split(separator: " ").first.flatMap({ RedisIndexKind(rawValue: String($0)) }) {
            (kind, reason) = (former, "the server's entries are in it")
        } else if self.hasSearch {
            (kind, reason) = (.search, "the server has FT.SEARCH")
        } else {
            (kind, reason) = (.vectorSet, "the server has vector sets and no FT.SEARCH")
        }
        try self.check(kind, isWanted: options.kind != nil)
        let form = kind == .vectorSet ? "\(kind.rawValue) \(options.quantization.rawValue)" : kind.rawValue
        if noted == nil {
            var set = RedisCommand("SET", on: Self.layout, isRepeatable: true)
            for argument in [form, "NX"] { set.append(argument) }
            _ = try await client.reply(to: set)
            get = RedisCommand("GET", on: Self.layout, isRepeatable: true)
            noted = try RESPReader.bytesIfAny(try await client.reply(to: get)).map { String(buffer: $0) }
        }
        guard noted == form else {
            throw VectorStoreError(
                .unavailable,
                "the settings ask for an index \"\(form)\", but the server's entries are in another one"
                    + (noted.flatMap(Self.shown).map { ", \"\($0)\"" } ?? "")
                    + ": use that, or another database or server, or remove the entries and the key semcache:layout")
        }
        return (kind, reason)
    }

    private static let layout = RedisKey("semcache:layout")

    /// What one of ours may have written there; nothing else is quoted.
    private static func shown(_ form: String) -> String? {
        form.utf8.count <= 64 && form.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != 0x22 } ? form : nil
    }

    private func check(_ kind: RedisIndexKind, isWanted: Bool) throws(VectorStoreError) {
        switch kind {
        case .search where !self.hasSearch:
            throw VectorStoreError(
                .unavailable,
                "the server (Redis \(self.version)) has no FT.SEARCH, which redis-search needs: Redis 8 with its search "
                    + "module, Redis Stack, or Valkey with valkey-search")
        case .vectorSet where !self.hasVectorSets:
            throw VectorStoreError(
                .unavailable,
                "the server (Redis \(self.version)) has "
                    + (isWanted || self.hasSearch
                        ? "no vector sets, which redis-vectorset needs: " : "neither vector sets nor FT.SEARCH: ")
                    + "use Redis 8.0 or newer, or one with the search module")
        default: break
        }
    }
}
