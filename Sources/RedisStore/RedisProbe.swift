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
    let servers: Int

    static func run(_ client: RedisClient) async throws(VectorStoreError) -> Self {
        var information = RedisCommand("INFO", isRepeatable: true)
        information.append("everything")
        let servers = try await Self.ask(information, client)
        var version = ""
        for server in servers {
            let fields = Self.fields(String(buffer: try RESPReader.bytes(server)))
            version = fields["redis_version"] ?? fields["valkey_version"] ?? ""
            try Self.check(version: version, role: fields["role"])
            try Self.check(policy: fields["maxmemory_policy"], limit: fields["maxmemory"])
        }
        var command = RedisCommand("COMMAND", isRepeatable: true)
        for argument in ["INFO", "FT.SEARCH", "VSIM"] { command.append(argument) }
        let known = try await Self.ask(command, client).map { reply throws(VectorStoreError) in
            try RESPReader.array(reply)
        }
        guard known.allSatisfy({ $0.count == 2 }) else { throw RESPReader.unexpected }
        return Self(
            version: version, hasSearch: known.allSatisfy { $0[0] != .null },
            hasVectorSets: known.allSatisfy { $0[1] != .null }, servers: servers.count)
    }

    /// All primaries: of a cluster each must be able to do it.
    private static func ask(
        _ command: RedisCommand, _ client: RedisClient
    ) async throws(VectorStoreError) -> [RESPValue] {
        do throws(RedisError) {
            return try await client.sendToPrimaries(command)
        } catch {
            throw VectorStoreError(error)
        }
    }

    /// A server that evicts keys by itself takes a part of what belongs together, such as the list of a tenant's
    /// partitions: a removal would then miss what is still answered.
    private static func check(policy: String?, limit: String?) throws(VectorStoreError) {
        guard let policy, policy.hasPrefix("allkeys"), limit != "0" else { return }
        throw VectorStoreError(
            .unavailable,
            "the server evicts keys by itself (maxmemory-policy allkeys-…), and with them what tells which entries there "
                + "are: set maxmemory-policy noeviction, or use a server of its own for the cache")
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
        let shards = "shards=\(options.configuration.shards)"
        let form =
            kind == .vectorSet
            ? "\(kind.rawValue) \(options.quantization.rawValue) \(shards)" : "\(kind.rawValue) \(shards)"
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
                "the settings (kind, quantization, shards) ask for \"\(form)\", but the server's entries are laid out otherwise"
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
