// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Logging
import NIOPosix
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import RedisStore

private let identity = Digest(words: (1, 2, 3, 4))
private let partition = PartitionKeys(Array("0123456789abcdef0123456789abcdef".utf8), in: TenantKeys(tag: "tag"))

/// Against a server that says what each test wants it to say.
@Suite struct SearchIndexTests {
    /// What the server knows and says.
    private final class Script: Sendable {
        struct State {
            var hasIndex = false
            var dimensions = 3
            var indexing = 0
            var failures = 0
            /// Replies to the next searches; an empty result behind them.
            var searches: [ScriptedRedisServer.Reply] = []
            var creations: [ScriptedRedisServer.Reply] = []
        }

        let state = Mutex(State())

        func reply(to words: [String]) -> ScriptedRedisServer.Reply? {
            self.state.withLock { state in
                switch words[0] {
                case "FT.INFO":
                    if !state.hasIndex { return .error("\(words[1]): no such index") }
                    let index = ScriptedSearch.Index(
                        prefix: SearchDefinition.documents(of: identity), type: "HNSW", dimensions: state.dimensions)
                    let info = String(decoding: SearchWriter(isRESP3: true).info(words[1], index), as: UTF8.self)
                        .replacing("+indexing\r\n:0", with: "+indexing\r\n:\(state.indexing)")
                        .replacing("failures\r\n:0", with: "failures\r\n:\(state.failures)")
                    return .text(info)
                case "FT.CREATE", "FT._CREATEIFNX":
                    if !state.creations.isEmpty { return state.creations.removeFirst() }
                    state.hasIndex = true
                    return .text("+OK\r\n")
                case "FT.SEARCH":
                    if !state.searches.isEmpty { return state.searches.removeFirst() }
                    return state.hasIndex
                        ? .bytes(SearchWriter(isRESP3: true).rows([])) : .error("No such index \(words[1])")
                default: return nil
                }
            }
        }
    }

    private let script = Script()
    private let log = LogRecord()

    private func withIndex(
        _ body: (SearchIndex, ScriptedRedisServer) async throws -> Void
    ) async throws {
        let script = self.script
        let server = try await ScriptedRedisServer.start { _, arguments in
            script.reply(to: arguments.map { String(decoding: $0, as: UTF8.self) })
        }
        let client = try makeClient("redis://127.0.0.1:\(server.port)")
        let log = self.log
        let index = SearchIndex(client: client, type: .hnsw, logger: Logger(label: "test") { _ in log.handler })
        do {
            try await body(index, server)
        } catch {
            await client.close()
            await server.stop()
            throw error
        }
        await client.close()
        await server.stop()
    }

    private func search(_ effort: IndexSearch.Effort = .quick) -> IndexSearch {
        IndexSearch(embedding: Embedding(unitLength: [0, 0, 1]), count: 4, effort: effort, condition: nil)
    }

    private func names(_ server: ScriptedRedisServer) -> [String] {
        server.commands.map(\.name).filter { $0.hasPrefix("FT.") }
    }

    @Test func `an index is made when it is first needed, and asked about once`() async throws {
        try await self.withIndex { (index, server) async throws in
            for _ in 0..<2 { #expect(try await index.search(search(), in: partition, identity: identity).isEmpty) }
            try await index.prepare(identity, dimensions: 3)
            #expect(names(server) == ["FT.INFO", "FT.CREATE", "FT.INFO", "FT.SEARCH", "FT.SEARCH"])
        }
    }

    @Test func `vectors of another dimension are refused before they reach a server`() async throws {
        try await self.withIndex { (index, server) async throws in
            try await index.prepare(identity, dimensions: 3)
            let error = await #expect(throws: VectorStoreError.self) {
                try await index.prepare(identity, dimensions: 4)
            }
            #expect(error?.code == .corrupt)
            #expect(names(server).count == 3)
        }
    }

    @Test func `an index of another dimension is refused each time, until it is gone`() async throws {
        self.script.state.withLock {
            $0.hasIndex = true; $0.dimensions = 5
        }
        try await self.withIndex { (index, server) async throws in
            for _ in 0..<2 {
                let error = await #expect(throws: VectorStoreError.self) {
                    try await index.prepare(identity, dimensions: 3)
                }
                #expect(error?.code == .corrupt && error?.message.contains("FT.DROPINDEX") == true)
            }
            self.script.state.withLock {
                $0.hasIndex = false; $0.dimensions = 3
            }
            try await index.prepare(identity, dimensions: 3)
        }
    }

    @Test(arguments: ["No such index x", "x: no such index", "Unknown index name", "Index with name 'x' not found"])
    func `an index that went is made again, and the search done`(error: String) async throws {
        self.script.state.withLock { $0.hasIndex = true }
        try await self.withIndex { (index, server) async throws in
            try await index.prepare(identity, dimensions: 3)
            self.script.state.withLock {
                $0.hasIndex = false; $0.searches = [.error(error)]
            }
            #expect(try await index.search(search(), in: partition, identity: identity).isEmpty)
            #expect(names(server) == ["FT.INFO", "FT.SEARCH", "FT.CREATE", "FT.INFO", "FT.SEARCH"])
        }
    }

    @Test func `a node of a cluster that lost its index gets it back`() async throws {
        self.script.state.withLock {
            $0.hasIndex = true; $0.searches = [.error("No such index x")]
        }
        self.script.state.withLock { $0.creations = [.error("Index already exists")] }
        try await self.withIndex { (index, server) async throws in
            #expect(try await index.search(search(), in: partition, identity: identity).isEmpty)
            #expect(
                names(server) == ["FT.INFO", "FT.SEARCH", "FT.CREATE", "FT._CREATEIFNX", "FT.INFO", "FT.SEARCH"])
        }
    }

    @Test func `a server that cannot make up its mind is unavailable, not asked for ever`() async throws {
        self.script.state.withLock {
            $0.hasIndex = true
            $0.searches = [.error("No such index x"), .error("No such index x")]
        }
        try await self.withIndex { (index, server) async throws in
            let error = await #expect(throws: VectorStoreError.self) {
                try await index.search(search(), in: partition, identity: identity)
            }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func `an exhaustive search does not take an index that is being built for a whole one`() async throws {
        self.script.state.withLock {
            $0.hasIndex = true; $0.indexing = 1
        }
        try await self.withIndex { (index, server) async throws in
            #expect(try await index.search(search(), in: partition, identity: identity).isEmpty)
            let error = await #expect(throws: VectorStoreError.self) {
                try await index.search(search(.exhaustive), in: partition, identity: identity)
            }
            #expect(error?.code == .unavailable)
            self.script.state.withLock { $0.indexing = 0 }
            #expect(try await index.search(search(.exhaustive), in: partition, identity: identity).isEmpty)
        }
    }

    @Test(arguments: [
        ("ERR unknown command 'FT.SEARCH', with args", "redis-vectorset"),
        ("Cannot create index on db != 0", "database 0"), ("Unknown argument `HYBRID_POLICY`", "store.index"),
    ]) func `a refusal is explained, and its text goes nowhere`(error: String, advice: String) async throws {
        self.script.state.withLock {
            $0.hasIndex = true; $0.searches = [.error(error + " secret")]
        }
        try await self.withIndex { (index, server) async throws in
            let error = await #expect(throws: VectorStoreError.self) {
                try await index.search(search(.exhaustive), in: partition, identity: identity)
            }
            #expect(error?.message.contains(advice) == true && error?.message.contains("secret") == false)
        }
    }

    @Test func `documents that could not be indexed are told of`() async throws {
        self.script.state.withLock {
            $0.hasIndex = true; $0.failures = 7
        }
        try await self.withIndex { (index, server) async throws in
            for _ in 0..<3 { try await index.prepare(identity, dimensions: 3) }
            #expect(self.log.warnings.count == 1)
        }
    }

    @Test func `a document's key is the one that the script makes`() throws {
        let id = EntryID(high: 0xa, low: 0xb)
        let index = try SearchIndex(
            client: RedisClient(
                RedisConfiguration(url: "redis://127.0.0.1:1"), group: MultiThreadedEventLoopGroup.singleton,
                logger: silent), type: .flat, logger: silent)
        let key = try #require(index.keys(of: [id], in: partition, identity: identity).first)
        #expect(
            String(decoding: key.bytes, as: UTF8.self)
                == "semcache-doc:1:00000000000000010000000000000002:{tag}:000000000000000a000000000000000b")
        #expect(key.slot == partition.tenant.prefix.slot)
    }
}

/// Keeps the warnings.
private final class LogRecord: Sendable {
    private let messages = Mutex<[String]>([])

    var warnings: [String] { self.messages.withLock { $0 } }
    var handler: Handler { Handler(record: self) }

    struct Handler: LogHandler {
        let record: LogRecord
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            if event.level == .warning { self.record.messages.withLock { $0.append("\(event.message)") } }
        }
    }
}
