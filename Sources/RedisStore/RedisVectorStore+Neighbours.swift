// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient

/// What a search tells of the nearest entries, whatever their similarity.
extension NeighbourSearch {
    /// Whether the first bytes of an entry tell whether it is a neighbour: a filter needs all of it.
    var readsHeads: Bool { self.query.neighbours > 0 && self.query.filter == nil }

    /// As many as are wanted, as far as they are among what was found: no search is made for them.
    ///
    /// - Parameters:
    ///   - hits: What the index found near without any condition.
    ///   - heads: Of those.
    ///   - matches: Which come first: nothing that was found is nearer.
    mutating func neighbours(
        _ hits: [IndexHit], _ heads: [EntryID: EntryHead], after matches: [LookupMatch]
    ) async throws(VectorStoreError) -> [Neighbour] {
        guard self.query.neighbours > 0 else { return [] }
        var neighbours = matches.prefix(self.query.neighbours).map {
            Neighbour(id: $0.entry.id, similarity: $0.similarity, cluster: $0.entry.cluster)
        }
        let known = Set(neighbours.map(\.id))
        let others = hits.filter { !known.contains($0.id) }
        // Whole blobs where heads do not do: of an older form, or for a filter.
        var position = 0
        var length = 0
        while position < others.count, neighbours.count < self.query.neighbours {
            let missing = self.query.neighbours - neighbours.count
            // Where few of these were neighbours, more of the next are read at once.
            length = max(missing, length)
            let stretch = others[position..<min(others.count, position + length)]
            position += stretch.count
            length = min(8 * length, Limits.redisScanStretch)
            let whole = stretch.map(\.id).filter { self.judged[$0] == nil && heads[$0]?.cluster == nil }
            try await self.judge(heads.isEmpty ? whole : whole.filter { heads[$0] != nil })
            for hit in stretch where neighbours.count < self.query.neighbours {
                guard let cluster = self.cluster(of: hit.id, heads[hit.id]) else { continue }
                neighbours.append(Neighbour(id: hit.id, similarity: hit.similarity, cluster: cluster))
            }
        }
        return neighbours
    }

    /// The same of what was found under the condition.
    mutating func neighbours(
        _ hits: [IndexHit], after matches: [LookupMatch]
    ) async throws(VectorStoreError) -> [Neighbour] {
        let heads = await self.store.heads(of: hits.map(\.id), in: self.homes, isWanted: self.readsHeads)
        return try await self.neighbours(hits, try heads.get(), after: matches)
    }

    /// - Returns: `nil` for what is none.
    private func cluster(of id: EntryID, _ head: EntryHead?) -> AnswerCluster? {
        switch self.judged[id] {
        case .accepted(let entry): return entry.cluster
        case .refused, .gone: return nil
        case nil: break
        }
        guard let head, head.header.partition == self.home(of: id).name, head.header.expiresAt > self.now,
            head.header.createdAt >= self.query.createdAtOrAfter ?? head.header.createdAt
        else { return nil }
        return head.cluster
    }
}

/// The first bytes of an entry.
struct EntryHead: Sendable {
    let header: EntryBlob.Header
    /// `nil` in an older form.
    let cluster: AnswerCluster?
}

extension RedisVectorStore {
    /// Reads the first bytes of entries; of what is not there, or damaged, nothing.
    ///
    /// - Parameter isWanted: Nothing is read if not.
    func heads(
        of ids: [EntryID], in homes: [PartitionKeys], isWanted: Bool
    ) async -> Result<[EntryID: EntryHead], VectorStoreError> {
        if ids.isEmpty || !isWanted { return .success([:]) }
        let shards = Dictionary(grouping: ids) { self.layout.shard(of: $0) }
        if let (shard, ids) = shards.first, shards.count == 1 { return await self.heads(of: ids, in: homes[shard]) }
        return await withTaskGroup(of: Result<[EntryID: EntryHead], VectorStoreError>.self) { group in
            for (shard, ids) in shards { group.addTask { await self.heads(of: ids, in: homes[shard]) } }
            var heads: [EntryID: EntryHead] = [:]
            for await part in group {
                switch part {
                case .success(let part): heads.merge(part) { first, _ in first }
                case .failure: return part
                }
            }
            return .success(heads)
        }
    }

    // On its own: in the closure of a task, with optimisation, the compiler makes a mess of the error's type.
    private func heads(
        of ids: [EntryID], in home: PartitionKeys
    ) async -> Result<[EntryID: EntryHead], VectorStoreError> {
        do throws(VectorStoreError) {
            let reply = try await self.client.reply(to: self.scripts.heads, on: home.tenant, others: []) { command in
                for id in ids { command.append(id.bytes) }
            }
            let values = try RESPReader.array(reply)
            guard values.count == ids.count else { throw RESPReader.unexpected }
            var heads: [EntryID: EntryHead] = [:]
            for (id, value) in zip(ids, values) {
                let bytes = try RESPReader.bytes(value)
                guard let header = try? EntryBlob.header(bytes) else { continue }
                heads[id] = EntryHead(header: header, cluster: EntryBlob.cluster(bytes))
            }
            return .success(heads)
        } catch {
            return .failure(error)
        }
    }
}

extension NearestResult {
    func with(_ neighbours: [Neighbour]) -> Self {
        Self(
            matches: self.matches, nearestMiss: self.nearestMiss, refusal: self.refusal, neighbours: neighbours)
    }
}
