// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import NIOCore
import RedisClient
import TestSupport
import Testing

@testable import RedisStore

private let identity = Digest(words: (0x0011_2233_4455_6677, 0x8899_aabb_ccdd_eeff, 1, 2))
private let model = "00112233445566778899aabbccddeeff"

@Suite struct SearchDefinitionTests {
    private let partition = PartitionKeys(
        Array("0123456789abcdef0123456789abcdef".utf8), in: TenantKeys(tag: "t.2.0"))

    private func definition(_ type: SearchIndexType = .hnsw, dimensions: Int = 8) -> SearchDefinition {
        SearchDefinition(identity, type: type, dimensions: dimensions)
    }

    private func arguments(_ command: RedisCommand) -> [String] {
        var body = command.body
        var arguments: [String] = []
        while body.readableBytes > 0 {
            let bytes = Array(body.readableBytesView)
            let end = bytes.firstIndex(of: 10) ?? 0
            let count = Int(String(decoding: bytes[1..<(end - 1)], as: UTF8.self)) ?? 0
            arguments.append(String(decoding: bytes[(end + 1)..<(end + 1 + count)], as: UTF8.self))
            body.moveReaderIndex(forwardBy: end + 1 + count + 2)
        }
        return arguments
    }

    private func search(_ effort: IndexSearch.Effort, _ condition: IndexSearch.Condition? = nil) -> IndexSearch {
        let vector = [Float](repeating: 0, count: 7) + [1]
        return IndexSearch(
            embedding: Embedding(unitLength: vector), count: 16, effort: effort, condition: condition)
    }

    private func query(_ search: IndexSearch, _ type: SearchIndexType = .hnsw) -> String {
        self.arguments(self.definition(type).command(for: search, in: self.partition, timeout: .seconds(1)))[2]
    }

    @Test func `an index is made of one model's documents`() {
        #expect(
            self.arguments(self.definition().createCommand()).joined(separator: " ")
                == "FT.CREATE semcache:1:\(model) ON HASH PREFIX 1 semcache-doc:1:\(model): SCHEMA p TAG CASESENSITIVE "
                + "t TAG SEPARATOR , CASESENSITIVE x NUMERIC c NUMERIC v VECTOR HNSW 6 TYPE FLOAT32 DIM 8 "
                + "DISTANCE_METRIC COSINE")
    }

    @Test func `a search never leaves its partition`() throws {
        let p = "@p:{p0123456789abcdef0123456789abcdef}"
        #expect(self.query(self.search(.quick)) == "(\(p))=>[KNN 16 @v $q EF_RUNTIME 200 AS d]")
        #expect(self.query(self.search(.thorough)) == "(\(p))=>[KNN 16 @v $q EF_RUNTIME 1000 AS d]")
        #expect(self.query(self.search(.exhaustive)) == "(\(p))=>[KNN 16 @v $q HYBRID_POLICY ADHOC_BF AS d]")
        #expect(self.query(self.search(.exhaustive), .flat) == "(\(p))=>[KNN 16 @v $q AS d]")
        let either = try Sieve(supersetOf: MetadataFilter("beta or not lang == \"de\""), numbers: .prefixes)
        let condition = IndexSearch.Condition(
            sieve: either, liveAt: Timestamp(milliseconds: 5), createdAtOrAfter: Timestamp(milliseconds: -7))
        let beta = "@t:{t\(AttributeToken.boolean(true, of: "beta"))}"
        let german = "@t:{t\(AttributeToken.string("de", of: "lang"))}"
        #expect(
            self.query(self.search(.quick, condition), .flat)
                == "(\(p) @x:[(5 +inf] @c:[-7 +inf] (\(beta) | -\(german)))=>[KNN 16 @v $q AS d]")
        let none = IndexSearch.Condition(sieve: .always, liveAt: nil, createdAtOrAfter: nil)
        #expect(self.query(self.search(.quick, none), .flat) == "(\(p))=>[KNN 16 @v $q AS d]")
    }

    @Test func `its other arguments ask for what is read, and for all of it`() {
        let command = self.definition().command(for: self.search(.quick), in: self.partition, timeout: .seconds(1))
        let arguments = self.arguments(command)
        #expect(arguments[0...1] == ["FT.SEARCH", "semcache:1:\(model)"])
        #expect(
            arguments[3...12]
                == ["RETURN", "1", "d", "LIMIT", "0", "16", "TIMEOUT", "2000", "PARAMS", "2"])
        #expect(arguments.count == 17 && arguments[13] == "q" && arguments.suffix(2) == ["DIALECT", "2"])
        #expect(command.timeout == .seconds(1) && command.isRepeatable)
        let long = self.definition().command(for: self.search(.exhaustive), in: self.partition, timeout: .seconds(1))
        #expect(self.arguments(long)[10] == "60000" && long.timeout == Limits.exhaustiveSearchDeadline)
    }

    // MARK: FT.INFO

    private func info(
        fields: [String]? = nil,
        vector: [String] = ["algorithm", "HNSW", "data_type", "FLOAT32", "dim", "8", "distance_metric", "COSINE"],
        prefix: String = "semcache-doc:1:\(model):"
    ) -> RESPValue {
        func text(_ words: [String]) -> [RESPValue] { words.map { .bytes(ByteBuffer(string: $0)) } }
        // A TAG has an odd number of elements in the older protocol.
        let fields =
            fields ?? ["p TAG SEPARATOR , CASESENSITIVE", "t TAG SEPARATOR , CASESENSITIVE", "x NUMERIC", "c NUMERIC"]
        var attributes = fields.map { field in
            let words = field.split(separator: " ").map(String.init)
            return RESPValue.array(text(["identifier", words[0], "attribute", words[0], "type"] + words.dropFirst()))
        }
        attributes.append(.array(text(["identifier", "v", "attribute", "v", "type", "VECTOR"] + vector)))
        return .array(
            text(["index_definition"]) + [.array(text(["key_type", "HASH", "prefixes"]) + [.array(text([prefix]))])]
                + text(["attributes"]) + [.array(attributes)])
    }

    @Test func `an index that is as it must be is used`() throws {
        try self.definition().check(self.info())
        for isRESP3 in [false, true] {
            let index = ScriptedSearch.Index(prefix: "semcache-doc:1:\(model):", type: "FLAT", dimensions: 3)
            var buffer = ByteBuffer(bytes: SearchWriter(isRESP3: isRESP3).info("x", index))
            var parser = RESPParser()
            guard case .reply(let reply)? = try parser.next(&buffer) else { throw RESPReader.unexpected }
            try self.definition(.flat, dimensions: 3).check(reply)
            #expect(!SearchDefinition.isBeingBuilt(reply))
        }
    }

    @Test func `Valkey's way to say it is understood`() throws {
        func text(_ words: String...) -> [RESPValue] { words.map { .bytes(ByteBuffer(string: $0)) } }
        guard case .array(var parts) = self.info(), case .array(var attributes) = parts[3] else { return }
        attributes[4] = .array(
            text("identifier", "v", "attribute", "v", "type", "VECTOR", "index") + [
                .array(
                    text("capacity", "10240", "dimensions") + [.integer(8)]
                        + text("distance_metric", "COSINE", "data_type", "FLOAT32", "algorithm")
                        + [.array(text("name", "HNSW"))])
            ])
        parts[3] = .array(attributes)
        try self.definition().check(.array(parts))
    }

    @Test func `any other index of this name is refused, with what to do`() throws {
        let good = ["algorithm", "HNSW", "data_type", "FLOAT32", "dim", "8", "distance_metric", "COSINE"]
        let others =
            [
                self.info(fields: ["p TAG", "t TAG", "x NUMERIC"]),
                self.info(fields: ["p TEXT", "t TAG", "x NUMERIC", "c NUMERIC"]),
                self.info(prefix: "semcache-doc:1:"), .null, .array([]), .integer(3),
            ]
            + [(5, "16"), (7, "L2"), (1, "FLAT"), (3, "FLOAT16"), (4, "size")].map { position, word in
                var vector = good
                vector[position] = word
                return self.info(vector: vector)
            }
        for other in others {
            let error = #expect(throws: VectorStoreError.self) { try self.definition().check(other) }
            #expect(error?.code == .corrupt && error?.message.contains("FT.DROPINDEX") == true)
        }
    }
}
