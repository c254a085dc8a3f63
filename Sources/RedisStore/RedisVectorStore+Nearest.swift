// SPDX-License-Identifier: Apache-2.0

package import CacheEngine
package import CacheModel
import NIOCore
import RedisClient

extension RedisVectorStore {
    /// Finds the nearest entries, in as few searches as it takes.
    ///
    /// The first asks the index for a few neighbours without any condition: most lookups end there, because what comes
    /// after a neighbour below the threshold cannot matter. Only if all of them reach the threshold and too few are
    /// accepted, the index is asked again, for more, with as much of the filter as it can judge, in the end exhaustively. What
    /// is below the threshold, or a neighbour only, is told if a search for the others has brought it.
    package func nearest(
        _ query: NearestQuery, in partition: Partition, at now: Timestamp
    ) async throws(VectorStoreError) -> NearestResult {
        try Self.checkUnitLength(query.embedding)
        var search = NeighbourSearch(store: self, query: query, partition: partition, now: now)
        return try await search.run()
    }
}

/// One nearest-neighbour search on its way.
struct NeighbourSearch {
    let store: RedisVectorStore
    let query: NearestQuery
    let partition: Partition
    let now: Timestamp
    /// In each shard.
    let homes: [PartitionKeys]
    /// What was read, also of those that are gone.
    private(set) var judged: [EntryID: Verdict] = [:]
    /// What may be a match, of all searches.
    private var accepted: [EntryID: LookupMatch] = [:]

    enum Verdict {
        case accepted(CacheEntry)
        case refused(NearestResult.Refusal)
        case gone
    }

    init(store: RedisVectorStore, query: NearestQuery, partition: Partition, now: Timestamp) {
        self.store = store
        self.query = query
        self.partition = partition
        self.now = now
        self.homes = store.layout.homes(of: partition)
    }

    mutating func run() async throws(VectorStoreError) -> NearestResult {
        let condition = IndexSearch.Condition(
            sieve: self.query.filter.map { Sieve(supersetOf: $0, numbers: self.store.index.numbers) } ?? .always,
            liveAt: self.now, createdAtOrAfter: self.query.createdAtOrAfter)
        var count = max(Limits.redisNeighbours, 2 * self.query.count)
        // Some may have expired.
        if self.query.neighbours > 0 { count = max(count, self.query.neighbours + Limits.redisNeighbours / 2) }
        let first = try await self.hits(count, .quick, nil)
        // At the same time as what is read to decide on matches.
        async let heads = self.store.heads(of: first.map(\.id), in: self.homes, isWanted: self.readsHeads)
        var isDone = try await self.accept(first, isAll: first.count < count)
        var hits: [IndexHit] = []
        if !isDone {
            count = max(8 * Limits.redisNeighbours, 4 * self.query.count)
            hits = try await self.hits(count, .thorough, condition)
            isDone = try await self.accept(hits, isAll: false)
        }
        while !isDone {
            count *= 8
            hits = try await self.hits(count, .exhaustive, condition)
            isDone = try await self.accept(hits, isAll: hits.count < count)
        }
        let matches = self.matches
        var neighbours = try await self.neighbours(first, await heads.get(), after: matches)
        if neighbours.count < self.query.neighbours, !hits.isEmpty {
            // What had to be searched for under the condition has more of those that pass it.
            let more = try await self.neighbours(Array(hits.prefix(4 * Limits.maximumNeighbours)), after: matches)
            if more.count > neighbours.count { neighbours = more }
        }
        if matches.isEmpty { return try await self.miss(first).with(neighbours) }
        for match in matches {
            self.store.touches.note(match.entry.id, in: self.home(of: match.entry.id), at: self.now)
        }
        return NearestResult(matches: matches, neighbours: neighbours)
    }

    func home(of id: EntryID) -> PartitionKeys { self.homes[self.store.layout.shard(of: id)] }

    /// - Returns: The nearest first.
    func hits(
        _ count: Int, _ effort: IndexSearch.Effort, _ condition: IndexSearch.Condition?
    ) async throws(VectorStoreError) -> [IndexHit] {
        let search = IndexSearch(embedding: self.query.embedding, count: count, effort: effort, condition: condition)
        return try await self.store.search(search, in: self.homes, identity: self.partition.identity)
    }

    /// Reads hits until enough of them are accepted: as many as must be found, and of the candidates besides those that
    /// are among the next.
    ///
    /// - Parameter isAll: Whether the index has no more than these.
    /// - Returns: Whether no other search can find better ones of those that must be found.
    private mutating func accept(_ hits: [IndexHit], isAll: Bool) async throws(VectorStoreError) -> Bool {
        let above = hits.prefix { $0.similarity >= self.query.threshold }
        let possible = hits.prefix { $0.similarity >= self.query.candidateThreshold }
        var (accepted, certain, spare) = (0, 0, Limits.redisScanStretch)
        var position = possible.startIndex
        var length = self.query.candidates
        while position < possible.endIndex {
            let isNeeded = position < above.endIndex && certain < self.query.count
            guard isNeeded || accepted < self.query.candidates && spare > 0 else { break }
            var end = min(possible.endIndex, position + length)
            // Few or none of these are accepted: more of the next are read at once.
            length = min(8 * length, Limits.redisScanStretch)
            // Those that are as near belong together: which of them comes first is not the index's to say.
            while end < possible.endIndex, possible[end].similarity == possible[end - 1].similarity { end += 1 }
            let stretch = possible[position..<end]
            try await self.judge(stretch.map(\.id))
            for hit in stretch {
                guard case .accepted(let entry)? = self.judged[hit.id] else { continue }
                self.accepted[hit.id] = LookupMatch(entry: entry, similarity: hit.similarity)
                accepted += 1
                if hit.similarity >= self.query.threshold { certain += 1 }
            }
            if !isNeeded { spare -= stretch.count }
            position = end
        }
        return certain >= self.query.count || above.count < hits.count || isAll
    }

    /// The best of what was accepted.
    private var matches: [LookupMatch] {
        let sorted = self.accepted.values.sorted {
            if $0.similarity != $1.similarity { return $0.similarity > $1.similarity }
            if $0.entry.createdAt != $1.entry.createdAt { return $0.entry.createdAt > $1.entry.createdAt }
            return ($0.entry.id.high, $0.entry.id.low) < ($1.entry.id.high, $1.entry.id.low)
        }
        return Array(sorted.prefix(self.query.candidates))
    }

    mutating func judge(_ ids: [EntryID]) async throws(VectorStoreError) {
        let unread = ids.filter { self.judged[$0] == nil }
        let blobs = try await self.store.blobs(of: unread, in: self.homes.map(\.tenant))
        for (id, blob) in zip(unread, blobs) {
            self.judged[id] = try self.verdict(id, blob)
            if blob == nil { self.store.strays.note(id, in: self.home(of: id), at: self.now) }
        }
    }

    private func verdict(_ id: EntryID, _ blob: ByteBuffer?) throws(VectorStoreError) -> Verdict {
        guard let blob else { return .gone }
        let home = self.home(of: id)
        guard let entry = try RedisVectorStore.liveEntry(id, blob, in: home, at: self.now) else { return .gone }
        if let filter = self.query.filter, !filter.matches(entry.attributes) { return .refused(.filtered) }
        if let oldest = self.query.createdAtOrAfter, entry.createdAt < oldest { return .refused(.tooOld) }
        return .accepted(entry)
    }

    /// What to say of the nearest entry, which is none of the matches.
    private mutating func miss(_ first: [IndexHit]) async throws(VectorStoreError) -> NearestResult {
        if let result = try await self.nearestLive(first) { return result }
        guard first.count >= Limits.redisNeighbours else { return NearestResult(matches: []) }
        // All that was found has expired.
        let live = IndexSearch.Condition(sieve: .always, liveAt: self.now, createdAtOrAfter: nil)
        let others = try await self.hits(Limits.redisNeighbours, .thorough, live)
        return try await self.nearestLive(others) ?? NearestResult(matches: [])
    }

    private mutating func nearestLive(_ hits: [IndexHit]) async throws(VectorStoreError) -> NearestResult? {
        var isLive: [EntryID: Bool] = [:]
        let unread = hits.filter { self.judged[$0.id] == nil }.map(\.id)
        let expiries = try await self.store.expiries(of: unread, in: self.homes)
        for (id, expiry) in zip(unread, expiries) { isLive[id] = expiry.map { $0 > self.now } ?? false }
        for hit in hits {
            let refusal: NearestResult.Refusal
            switch self.judged[hit.id] {
            case .gone: continue
            // Below it, one is read for the sake of neighbours only.
            case .refused(let given): refusal = hit.similarity >= self.query.threshold ? given : .belowThreshold
            // Put after the search; the next lookup will see it.
            case .accepted: refusal = .belowThreshold
            case nil:
                guard isLive[hit.id] == true else { continue }
                refusal = .belowThreshold
            }
            let nearest = NearestMiss(id: hit.id, similarity: hit.similarity, isApproximate: true)
            return NearestResult(matches: [], nearestMiss: nearest, refusal: refusal)
        }
        return nil
    }
}

extension RedisVectorStore {
    /// Searches all shards at once and merges what they found, the nearest first.
    func search(
        _ search: IndexSearch, in homes: [PartitionKeys], identity: Digest
    ) async throws(VectorStoreError) -> [IndexHit] {
        if homes.count == 1 || self.index.seesAllShards {
            return try await self.index.search(search, in: homes[0], identity: identity)
        }
        let found = await withTaskGroup(of: Result<[IndexHit], VectorStoreError>.self) { group in
            for home in homes { group.addTask { await self.result(of: search, in: home, identity: identity) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var hits: [IndexHit] = []
        for result in found { hits += try result.get() }
        return Array(hits.sorted { $0.similarity > $1.similarity }.prefix(search.count))
    }

    // On its own: in the closure of a task, with optimisation, the compiler makes a mess of the error's type.
    private func result(
        of search: IndexSearch, in home: PartitionKeys, identity: Digest
    ) async -> Result<[IndexHit], VectorStoreError> {
        do throws(VectorStoreError) {
            return .success(try await self.index.search(search, in: home, identity: identity))
        } catch {
            return .failure(error)
        }
    }

    /// Reads blobs, one for each id; `nil` where there is none.
    ///
    /// - Parameter tenant: Its keys in each shard.
    func blobs(
        of ids: [EntryID], in tenant: [TenantKeys]
    ) async throws(VectorStoreError) -> [ByteBuffer?] {
        let values = try await self.values(of: ids, "HMGET") { tenant[$0].entries }
        return try values.map { value throws(VectorStoreError) in try RESPReader.bytesIfAny(value) }
    }

    /// Reads when entries of a partition expire; `nil` for those that are not there.
    func expiries(
        of ids: [EntryID], in homes: [PartitionKeys]
    ) async throws(VectorStoreError) -> [Timestamp?] {
        let values = try await self.values(of: ids, "ZMSCORE") { homes[$0].expiries }
        return try values.map { value throws(VectorStoreError) in
            if case .null = value { return nil }
            return Timestamp(milliseconds: Int64(saturating: try RESPReader.double(value)))
        }
    }

    /// Reads members of hashes or sorted sets, one for each id, in few commands.
    private func values(
        of ids: [EntryID], _ name: String, from key: (Int) -> RedisKey
    ) async throws(VectorStoreError) -> [RESPValue] {
        if ids.isEmpty { return [] }
        let shards = Dictionary(grouping: ids.indices) { self.layout.shard(of: ids[$0]) }.sorted { $0.key < $1.key }
        // Several commands: a reply of large blobs would be larger than a reply may be.
        let pages = shards.flatMap { shard, positions in
            stride(from: 0, to: positions.count, by: Limits.redisBlobPage).map { start in
                (shard, positions[start..<min(positions.count, start + Limits.redisBlobPage)])
            }
        }
        let commands = pages.map { shard, positions in
            var command = RedisCommand(name, on: key(shard), isRepeatable: true, capacity: 96 + 24 * positions.count)
            for position in positions { command.append(ids[position].bytes) }
            return command
        }
        var values = [RESPValue](repeating: .null, count: ids.count)
        for ((_, positions), reply) in zip(pages, await self.client.replies(to: commands)) {
            let found = try RESPReader.array(try reply.get())
            guard found.count == positions.count else { throw RESPReader.unexpected }
            for (position, value) in zip(positions, found) { values[position] = value }
        }
        return values
    }
}

extension Int64 {
    init(saturating number: Double) {
        self = Int64(exactly: number.rounded()) ?? (number > 0 ? .max : .min)
    }
}
