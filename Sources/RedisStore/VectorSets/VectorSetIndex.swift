// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient

/// How a vector set keeps its vectors.
package enum VectorQuantization: String, Sendable, CaseIterable {
    /// 32 bits for each dimension; similarities are exact.
    case none
    /// 8 bits; similarities are off by a few thousandths.
    case q8
    /// 1 bit. What comes out near is compared by 8 bits, kept beside, so similarities are as with `q8`; that takes no less
    /// memory, but searches of large partitions are faster, and find a little less.
    case bin

    fileprivate var option: String {
        switch self {
        case .none: "NOQUANT"
        case .q8: "Q8"
        case .bin: "BIN"
        }
    }
}

/// The index of redis-vectorset: a vector set for each partition, of which there can be any number.
struct VectorSetIndex: VectorIndex {
    let client: RedisClient
    let quantization: VectorQuantization
    let numbers = NumberForm.fields
    let seesAllShards = false

    /// One that is put again takes the place of the old one, vector and attributes.
    var lua: String {
        """
        local function index_put(owner, partition, id, vector, extra, expires, created)
            local length = struct.unpack('>I4', extra)
            local vectors, attributes = prefix .. 'v:' .. partition, string.sub(extra, 5, 4 + length)
            local function add()
                return redis.pcall('VADD', vectors, 'FP32', vector, id,
                    '\(self.quantization.option)', 'EF', '200', 'SETATTR', attributes)
            end
            local function kept()
                local raw = redis.pcall('VEMB', vectors, id, 'RAW')
                if not raw then return '' end
                return tostring(raw[2]) .. ' ' .. tostring(raw[3]) .. ' ' .. tostring(raw[4])
            end
            local before = kept()
            local added = add()
            -- Redis 8.0 tells neither its replicas nor its log of an element that takes the place of the one before it:
            -- there the former attributes would stay, by which a removal by filter finds what is to go. Those can be told
            -- by themselves. The vector seldom changes, as the prompt is the same; where it does, the element is added
            -- anew, between which a search in another thread may miss it. The second time nothing can fail: the
            -- arguments are the same, and a script that has written is not refused memory.
            if added == 0 then
                redis.call('VSETATTR', vectors, id, attributes)
                if kept() ~= before then
                    redis.call('VREM', vectors, id)
                    added = add()
                end
            end
            if type(added) ~= 'table' and #extra > 4 + length then
                redis.call('HSET', prefix .. 'q:' .. partition, id, string.sub(extra, 5 + length))
            end
            return added
        end
        local function index_remove(owner, partition, id, is_dropping)
            if is_dropping then return end
            redis.call('VREM', prefix .. 'v:' .. partition, id)
            \(self.quantization == .bin ? "redis.call('HDEL', prefix .. 'q:' .. partition, id)" : "")
        end
        local function index_drop(partition)
            redis.call('UNLINK', prefix .. 'v:' .. partition)
            redis.call('UNLINK', prefix .. 'q:' .. partition)
        end

        """
    }

    func keys(of ids: [EntryID], in partition: PartitionKeys, identity: Digest) -> [RedisKey] {
        self.quantization == .bin ? [partition.vectors, partition.compactVectors] : [partition.vectors]
    }

    /// The length of the attributes, the attributes, and the compact vector where it is needed.
    func extra(of entry: CacheEntry, _ embedding: Embedding) -> [UInt8] {
        let attributes = VectorSetAttributes.json(
            IndexedAttributes(entry.attributes, numbers: self.numbers), expiresAt: entry.expiresAt,
            createdAt: entry.createdAt)
        let length = withUnsafeBytes(of: UInt32(clamping: attributes.count).bigEndian) { Array($0) }
        return length + attributes + (self.quantization == .bin ? CompactVector.encode(embedding.values) : [])
    }

    /// A vector set is made by the first put.
    func prepare(_ identity: Digest, dimensions: Int) async throws(VectorStoreError) {}

    func search(
        _ search: IndexSearch, in partition: PartitionKeys, identity: Digest
    ) async throws(VectorStoreError) -> [IndexHit] {
        guard self.quantization == .bin else { return try await self.neighbours(search, search.count, in: partition) }
        // By single bits the order is rough: those that count are among several times as many.
        var count = max(Limits.redisNeighbours, 4 * search.count)
        if search.effort == .exhaustive {
            let card = RedisCommand("VCARD", on: partition.vectors, isRepeatable: true)
            count = max(count, try RESPReader.count(try await self.client.reply(to: card)))
        }
        let rough = try await self.neighbours(search, count, in: partition)
        return Array(try await self.compared(rough, with: search.embedding, in: partition).prefix(search.count))
    }

    /// - Returns: The nearest first.
    private func compared(
        _ hits: [IndexHit], with embedding: Embedding, in partition: PartitionKeys
    ) async throws(VectorStoreError) -> [IndexHit] {
        var compared: [IndexHit] = []
        for start in stride(from: 0, to: hits.count, by: Limits.compactVectorPage) {
            let page = hits[start..<min(hits.count, start + Limits.compactVectorPage)]
            var command = RedisCommand("HMGET", on: partition.compactVectors, isRepeatable: true)
            for hit in page { command.append(hit.id.bytes) }
            let vectors = try RESPReader.array(try await self.client.reply(to: command))
            guard vectors.count == page.count else { throw RESPReader.unexpected }
            for (hit, value) in zip(page, vectors) {
                guard let vector = try RESPReader.bytesIfAny(value),
                    let similarity = CompactVector.similarity(of: vector, to: embedding.values)
                else { continue }
                compared.append(IndexHit(id: hit.id, similarity: similarity))
            }
        }
        return compared.sorted { $0.similarity > $1.similarity }
    }

    private func neighbours(
        _ search: IndexSearch, _ count: Int, in partition: PartitionKeys
    ) async throws(VectorStoreError) -> [IndexHit] {
        var command = RedisCommand(
            "VSIM", on: partition.vectors, isRepeatable: true, capacity: 4 * search.embedding.dimensions + 256)
        command.append("FP32")
        command.append(search.embedding.values)
        command.append("WITHSCORES")
        command.append("COUNT")
        command.append(Int64(count))
        switch search.effort {
        case .quick: command.append(effort: max(Limits.vectorSetEffort, count))
        case .thorough: command.append(effort: max(Limits.vectorSetThoroughEffort, count))
        case .exhaustive:
            command.append("TRUTH")
            command.timeout = Limits.exhaustiveSearchDeadline
        }
        if let text = search.condition.flatMap(Self.filter) {
            command.append("FILTER")
            command.append(text)
            if search.effort == .thorough {
                command.append("FILTER-EF")
                command.append(Int64(Limits.vectorSetFilterEffort))
            }
        }
        return try RESPReader.hits(try await self.client.reply(to: command))
    }

    func entries(
        passing sieve: Sieve, in partition: PartitionKeys, identity: Digest
    ) async throws(VectorStoreError) -> [EntryID] {
        let key = partition.vectors
        var room = 1024
        while true {
            let sizes = await self.client.replies(
                to: ["VCARD", "VDIM"].map { RedisCommand($0, on: key, isRepeatable: true) })
            let card = try RESPReader.count(try sizes[0].get())
            // Without the key one is 0 and the other an error.
            guard card > 0, let dimensions = try await self.dimensions(sizes[1], of: key) else { return [] }
            guard (1...Limits.maximumDimensions).contains(dimensions) else { throw RESPReader.unexpected }
            // Any vector will do: all that pass are wanted.
            let any = Embedding(unitLength: [1] + [Float](repeating: 0, count: dimensions - 1))
            let count = card + room
            let hits = try await self.neighbours(
                IndexSearch(
                    embedding: any, count: count, effort: .exhaustive,
                    condition: .init(sieve: sieve, liveAt: nil, createdAtOrAfter: nil)),
                count, in: partition)
            // As many as asked for: others may have come in between and taken the places.
            if hits.count < count { return hits.map(\.id) }
            room *= 8
        }
    }

    /// - Returns: `nil` if the key has gone since its elements were counted, for which there is an error too; but any other
    ///   must not look as if there were nothing: a removal would leave all of it.
    private func dimensions(
        _ reply: Result<RESPValue, VectorStoreError>, of key: RedisKey
    ) async throws(VectorStoreError) -> Int? {
        let fault: VectorStoreError
        switch reply {
        case .success(let value): return try RESPReader.count(value)
        case .failure(let error): fault = error
        }
        let left = try await self.client.reply(to: RedisCommand("VCARD", on: key, isRepeatable: true))
        guard try RESPReader.count(left) == 0 else { throw fault }
        return nil
    }

    private static func filter(_ condition: IndexSearch.Condition) -> String? {
        var parts: [String] = []
        if let now = condition.liveAt { parts.append(".e > \(now.milliseconds)") }
        if let oldest = condition.createdAtOrAfter { parts.append(".c >= \(oldest.milliseconds)") }
        if let text = VectorSetFilter.text(condition.sieve) { parts.append("(\(text))") }
        return parts.isEmpty ? nil : parts.joined(separator: " and ")
    }
}

extension RedisCommand {
    fileprivate mutating func append(effort: Int) {
        self.append("EF")
        self.append(Int64(effort))
    }
}
