// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import RedisClient

/// How an index of redis-search finds neighbours.
package enum SearchIndexType: String, Sendable, CaseIterable {
    /// By a graph: fast, and misses a few.
    case hnsw
    /// By looking at all vectors of the partition: exact.
    case flat

    /// As commands have it.
    fileprivate var word: String { self.rawValue.uppercased() }
}

/// The index of an embedding identity, as it must be, and the commands that use it.
///
/// They keep to what the search of Redis 8, of Redis Stack and of Valkey have in common, but for an exact search by
/// HNSW. Fields: `p` partition, `t` tokens, `x` expiry and `c` creation in ms, `v` vector.
struct SearchDefinition: Sendable {
    /// Where the keys of all documents begin.
    static let documents = "semcache-doc:\(TenantKeys.layoutVersion):"

    let name: String
    private let prefix: String
    private let type: SearchIndexType
    private let dimensions: Int

    init(_ identity: Digest, type: SearchIndexType, dimensions: Int) {
        self.name = "semcache:\(TenantKeys.layoutVersion):\(Self.digits(identity))"
        self.prefix = Self.documents(of: identity)
        self.type = type
        self.dimensions = dimensions
    }

    /// Where the keys of a model's documents begin.
    static func documents(of identity: Digest) -> String { "\(Self.documents)\(Self.digits(identity)):" }

    private static func digits(_ identity: Digest) -> String {
        EntryID(identity).description
    }

    var infoCommand: RedisCommand {
        var command = RedisCommand("FT.INFO", isRepeatable: true)
        command.append(self.name)
        return command
    }

    func createCommand(_ verb: String = "FT.CREATE") -> RedisCommand {
        var command = RedisCommand(verb, isRepeatable: true, capacity: 512)
        let fields = ["p TAG CASESENSITIVE", "t TAG SEPARATOR , CASESENSITIVE", "x NUMERIC", "c NUMERIC"]
        let vector = "v VECTOR \(self.type.word) 6 TYPE FLOAT32 DIM \(self.dimensions) DISTANCE_METRIC COSINE"
        let words = "\(self.name) ON HASH PREFIX 1 \(self.prefix) SCHEMA \(fields.joined(separator: " ")) \(vector)"
        for word in words.split(separator: " ") { command.append(String(word)) }
        return command
    }

    /// - Parameter timeout: Of searches that are not exhaustive.
    func command(for search: IndexSearch, in partition: PartitionKeys, timeout: Duration) -> RedisCommand {
        var conditions = ["@p:{p\(String(decoding: partition.name, as: UTF8.self))}"]
        if let condition = search.condition {
            if let now = condition.liveAt { conditions.append("@x:[(\(now.milliseconds) +inf]") }
            if let oldest = condition.createdAtOrAfter { conditions.append("@c:[\(oldest.milliseconds) +inf]") }
            conditions += [SearchFilter.text(condition.sieve)].compactMap(\.self)
        }
        // A conjunction binds tighter than what follows it, but for its parentheses.
        let filter = "(\(conditions.joined(separator: " ")))"
        let query = "\(filter)=>[KNN \(search.count) @v $q \(self.effort(search))AS d]"
        var command = RedisCommand(
            "FT.SEARCH", isRepeatable: true, capacity: 4 * self.dimensions + query.utf8.count + 256)
        command.timeout = search.effort == .exhaustive ? Limits.exhaustiveSearchDeadline : timeout
        for argument in [self.name, query, "RETURN", "1", "d", "LIMIT", "0", "\(search.count)"] {
            command.append(argument)
        }
        // A server whose time is over replies with what it has by then, and only RESP3 says so: we are gone before it.
        let limit = min((command.timeout ?? timeout) * 2, Limits.maximumSearchTimeout)
        for argument in ["TIMEOUT", "\(max(1, limit.wholeMilliseconds))", "PARAMS", "2", "q"] {
            command.append(argument)
        }
        command.append(search.embedding.values)
        for argument in ["DIALECT", "2"] { command.append(argument) }
        return command
    }

    private func effort(_ search: IndexSearch) -> String {
        switch (self.type, search.effort) {
        // Exact whatever one says.
        case (.flat, _): ""
        case (.hnsw, .quick): "EF_RUNTIME \(max(Limits.searchEffort, search.count)) "
        case (.hnsw, .thorough): "EF_RUNTIME \(max(Limits.searchThoroughEffort, search.count)) "
        case (.hnsw, .exhaustive): "HYBRID_POLICY ADHOC_BF "
        }
    }

    /// Checks what `FT.INFO` says of an index with this name.
    func check(_ info: RESPValue) throws(VectorStoreError) {
        let fields = try RESPReader.array(info.field("attributes") ?? .null)
        func field(_ name: String) -> RESPValue? { fields.first { $0.field("attribute")?.text == name } }
        for (name, type) in [("p", "TAG"), ("t", "TAG"), ("x", "NUMERIC"), ("c", "NUMERIC"), ("v", "VECTOR")] {
            guard field(name)?.field("type")?.text?.uppercased() == type else {
                throw self.mismatch("its field \(name) is no \(type)")
            }
        }
        // Valkey has it one level deeper, and other names.
        let vector = field("v")?.field("index") ?? field("v")
        guard let dimensions = (vector?.field("dim") ?? vector?.field("dimensions"))?.number,
            dimensions == Int64(self.dimensions)
        else { throw self.mismatch("its vectors have another number of dimensions") }
        guard vector?.field("distance_metric")?.text?.uppercased() == "COSINE" else {
            throw self.mismatch("its distance is not the cosine")
        }
        guard vector?.field("data_type")?.text?.uppercased() == "FLOAT32" else {
            throw self.mismatch("its vectors are not of FLOAT32")
        }
        let algorithm = vector?.field("algorithm")
        guard (algorithm?.field("name") ?? algorithm)?.text?.uppercased() == self.type.word else {
            throw self.mismatch("it is not \(self.type.word), as store.index says")
        }
        let prefixes = try RESPReader.array(info.field("index_definition")?.field("prefixes") ?? .null)
        guard prefixes.map(\.text) == [self.prefix] else { throw self.mismatch("it is of other keys") }
    }

    /// Whether documents that were there before the index are still being added to it.
    static func isBeingBuilt(_ info: RESPValue) -> Bool {
        ["indexing", "backfill_in_progress"].contains { (info.field($0)?.number ?? 0) != 0 }
    }

    func otherDimensions(_ known: Int) -> VectorStoreError {
        VectorStoreError(.corrupt, "a vector of \(self.dimensions) dimensions, but \(self.name) has \(known)")
    }

    private func mismatch(_ fault: String) -> VectorStoreError {
        VectorStoreError(
            .corrupt,
            "the index \(self.name) in Redis is another one: \(fault). Drop it (FT.DROPINDEX, without DD): it is built anew"
        )
    }
}
