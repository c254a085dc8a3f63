// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Logging
import RedisClient
import Synchronization

/// The index of redis-search: one for each embedding identity, never one for each tenant, of which a server bears few.
///
/// An entry has a small document of its own, a hash with digests, times and the vector, which the server indexes when a
/// script writes it. Whether a query has seen all of a partition cannot be told from its reply, so that is not left to
/// it (``entries(passing:in:identity:)``).
final class SearchIndex: VectorIndex {
    let numbers = NumberForm.prefixes
    let seesAllShards = true
    private let client: RedisClient
    private let type: SearchIndexType
    private let logger: Logger
    /// Dimensions by embedding identity, of the indexes that are as they must be.
    private let prepared = Mutex<[Digest: Int]>([:])

    init(client: RedisClient, type: SearchIndexType, logger: Logger) {
        self.client = client
        self.type = type
        self.logger = logger
    }

    /// A document has all fields whenever it is written, so nothing of an older one stays.
    var lua: String {
        """
        local function hexadecimal(bytes)
            return (string.gsub(bytes, '.', function(byte) return string.format('%02x', string.byte(byte)) end))
        end
        local function document_of(owner, id)
            return '\(SearchDefinition.documents)' .. hexadecimal(string.sub(owner, 33, 48)) .. ':' .. tag .. ':'
                .. hexadecimal(id)
        end
        local function index_put(owner, partition, id, vector, extra, expires, created)
            return redis.pcall('HSET', document_of(owner, id), 'p', 'p' .. partition, 't', extra, 'x', expires,
                'c', created, 'v', vector)
        end
        local function index_remove(owner, partition, id) redis.call('UNLINK', document_of(owner, id)) end
        local function index_drop(partition) end

        """
    }

    func keys(of ids: [EntryID], in partition: PartitionKeys, identity: Digest) -> [RedisKey] {
        // The prefix is `semcache:1:{tag}:`.
        let tag = partition.tenant.prefix.bytes.split(separator: UInt8(ascii: ":")).last ?? []
        let beginning = Array(SearchDefinition.documents(of: identity).utf8) + tag + [UInt8(ascii: ":")]
        return ids.map { RedisKey(beginning + $0.text) }
    }

    func extra(of entry: CacheEntry, _ embedding: Embedding) -> [UInt8] {
        Array(SearchFilter.tags(IndexedAttributes(entry.attributes, numbers: self.numbers)).utf8)
    }

    /// Checks that there is the index of a model, or makes it.
    ///
    /// - Throws: ``VectorStoreError``, with `.corrupt` and what to do if there is another one in its place.
    func prepare(_ identity: Digest, dimensions: Int) async throws(VectorStoreError) {
        let definition = SearchDefinition(identity, type: self.type, dimensions: dimensions)
        if let known = self.prepared.withLock({ $0[identity] }) {
            guard known == dimensions else { throw definition.otherDimensions(known) }
            return
        }
        var info = try await self.reply(to: definition.infoCommand)
        if info == nil {
            try await self.create(definition)
            info = try await self.reply(to: definition.infoCommand)
        }
        guard let info else {
            throw VectorStoreError(.unavailable, "Redis made \(definition.name) and does not find it")
        }
        try definition.check(info)
        // A server says it nowhere else.
        if let failures = info.field("hash_indexing_failures")?.number, failures > 0 {
            self.logger.warning(
                "Redis could not index some documents: searches do not find them; FT.INFO names one of them",
                metadata: ["redis.index": "\(definition.name)", "redis.failures": "\(failures)"])
        }
        self.prepared.withLock { $0[identity] = dimensions }
    }

    func search(
        _ search: IndexSearch, in partition: PartitionKeys, identity: Digest
    ) async throws(VectorStoreError) -> [IndexHit] {
        let dimensions = search.embedding.dimensions
        try await self.prepare(identity, dimensions: dimensions)
        let definition = SearchDefinition(identity, type: self.type, dimensions: dimensions)
        let command = definition.command(
            for: search, in: partition, timeout: self.client.configuration.commandTimeout)
        if let hits = try await self.hits(command, search, definition) { return hits }
        // It was there: the server lost its data, or somebody dropped the index, or one node of a cluster has none.
        try await self.create(definition)
        self.prepared.withLock { $0[identity] = nil }
        try await self.prepare(identity, dimensions: dimensions)
        if let hits = try await self.hits(command, search, definition) { return hits }
        throw VectorStoreError(.unavailable, "Redis says now that \(definition.name) is there and now that it is not")
    }

    /// All entries of the partition, as the store keeps them: what is to be removed must not depend on whether an
    /// index is complete, and no query could tell.
    func entries(
        passing sieve: Sieve, in partition: PartitionKeys, identity: Digest
    ) async throws(VectorStoreError) -> [EntryID] {
        var ids: [EntryID] = []
        while true {
            let page = try await self.client.ids(after: ids.last, in: partition, limit: Limits.searchPartitionPage)
            ids += page
            if page.count < Limits.searchPartitionPage { return ids }
        }
    }

    /// - Returns: `nil` if there is no such index.
    private func hits(
        _ command: RedisCommand, _ search: IndexSearch, _ definition: SearchDefinition
    ) async throws(VectorStoreError) -> [IndexHit]? {
        if search.effort == .exhaustive, let info = try await self.reply(to: definition.infoCommand),
            SearchDefinition.isBeingBuilt(info)
        {
            throw VectorStoreError(.unavailable, "Redis is still building \(definition.name)")
        }
        return try await self.reply(to: command).map { reply throws(VectorStoreError) in try SearchReply.hits(reply) }
    }

    private func create(_ definition: SearchDefinition) async throws(VectorStoreError) {
        do throws(RedisError) {
            _ = try await self.client.send(definition.createCommand())
        } catch {
            guard error.reply?.text.contains("already exists") == true else { throw Self.explained(error) }
            // Another process was faster. Or it is a cluster of which one node has lost its index: this goes to all.
            // Where a server does not know it, there is nothing to mend.
            _ = try? await self.client.send(definition.createCommand("FT._CREATEIFNX"))
        }
    }

    /// - Returns: `nil` if the server says that there is no such index.
    private func reply(to command: RedisCommand) async throws(VectorStoreError) -> RESPValue? {
        do throws(RedisError) {
            return try await self.client.send(command)
        } catch {
            // Each version has words of its own.
            let text = error.reply?.text.lowercased() ?? ""
            if text.contains("no such index") || text.contains("unknown index name")
                || (text.contains("index") && text.contains("not found"))
            {
                return nil
            }
            throw Self.explained(error)
        }
    }

    private static func explained(_ error: RedisError) -> VectorStoreError {
        let text = error.reply?.text.lowercased() ?? ""
        if text.contains("unknown command") {
            return VectorStoreError(
                .unavailable,
                "this Redis has no search (FT.SEARCH): use redis-vectorset, or a Redis with its search module")
        }
        if text.contains("db != 0") || text.contains("database 0") {
            return VectorStoreError(
                .unavailable, "Redis has indexes in database 0 only: leave the number out of the URL")
        }
        if text.contains("hybrid_policy") {
            return VectorStoreError(
                .unavailable, "this server has no exact search of an HNSW index: set store.index to flat")
        }
        return VectorStoreError(error)
    }
}
