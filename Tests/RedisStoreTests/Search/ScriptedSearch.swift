// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport

/// A stand-in for a Redis with the search module, where there is none: **not** that module.
///
/// A proxy in front of a real Redis. It passes every command through but `FT.CREATE`, `FT.INFO`, `FT.SEARCH` and
/// `FT.DROPINDEX`, which it does itself, in the subset that the store sends: it reads all documents of the index from
/// the Redis behind it for each search and compares every vector. So nothing that is approximate, asynchronous or
/// partial about the real one is tested by it. Replies have the shape that was recorded from Redis 8.0 and 2.10, in
/// either protocol; rows come unsorted, distances as text.
final class ScriptedSearch: Sendable {
    struct Index: Sendable {
        let prefix: String
        let type: String
        let dimensions: Int
    }

    let proxy: ScriptedRedisServer
    private let core: Core

    var url: String { "redis://127.0.0.1:\(self.proxy.port)" }

    /// - Parameter speaksRESP3: Whether it knows `HELLO`.
    static func start(before server: RedisServer, speaksRESP3: Bool = true) async throws -> ScriptedSearch {
        let core = Core(port: server.port, speaksRESP3: speaksRESP3)
        let proxy = try await ScriptedRedisServer.start { connection, arguments in
            do {
                return .bytes(try core.reply(to: arguments, on: connection))
            } catch {
                return .error("ERR the proxy: \(error)")
            }
        }
        return ScriptedSearch(proxy: proxy, core: core)
    }

    private init(proxy: ScriptedRedisServer, core: Core) {
        self.proxy = proxy
        self.core = core
    }

    func stop() async { await self.proxy.stop() }

    /// As if somebody had dropped it, or the server had lost its data.
    func forgetIndexes() { self.core.state.withLock { $0.indexes = [:] } }

    /// Called on an event loop; what it asks of the server behind it blocks that.
    private final class Core: Sendable {
        struct State {
            var indexes: [String: Index] = [:]
            var connections: [Int: BlockingConnection] = [:]
            var speakingRESP3: Set<Int> = []
        }

        let state = Mutex(State())
        private let port: Int
        private let speaksRESP3: Bool

        init(port: Int, speaksRESP3: Bool) {
            self.port = port
            self.speaksRESP3 = speaksRESP3
        }

        func reply(to arguments: [[UInt8]], on number: Int) throws -> [UInt8] {
            let words = arguments.map { String(decoding: $0, as: UTF8.self) }
            switch words[0].uppercased() {
            case "FT.CREATE", "FT._CREATEIFNX": return Array(self.create(words).utf8)
            case "FT.DROPINDEX":
                let dropped = self.state.withLock { $0.indexes.removeValue(forKey: words[1]) }
                return Array((dropped == nil ? "-\(words[1]): no such index\r\n" : "+OK\r\n").utf8)
            case "FT.INFO":
                guard let index = self.index(words[1]) else { return Array("-\(words[1]): no such index\r\n".utf8) }
                return SearchWriter(isRESP3: self.isRESP3(number)).info(words[1], index)
            case "FT.SEARCH":
                guard let index = self.index(words[1]) else { return Array("-No such index \(words[1])\r\n".utf8) }
                return try self.search(arguments, in: index, isRESP3: self.isRESP3(number))
            case "HELLO" where !self.speaksRESP3: return Array("-ERR unknown command 'HELLO'\r\n".utf8)
            case "COMMAND" where words.dropFirst().first?.uppercased() == "INFO":
                return try self.commandInfo(words.dropFirst(2), on: number)
            default: break
            }
            let reply = try self.connection(number).send(arguments)
            self.state.withLock { state in
                if words[0].uppercased() == "HELLO", words.dropFirst().first == "3", reply.first == UInt8(ascii: "%") {
                    state.speakingRESP3.insert(number)
                }
                if words[0].uppercased().hasPrefix("FLUSH") { state.indexes = [:] }
            }
            return reply
        }

        private func index(_ name: String) -> Index? { self.state.withLock { $0.indexes[name] } }
        private func isRESP3(_ number: Int) -> Bool { self.state.withLock { $0.speakingRESP3.contains(number) } }

        /// One for each of the proxy's, so that what was set on it stays with it.
        private func connection(_ number: Int) throws -> BlockingConnection {
            if let known = self.state.withLock({ $0.connections[number] }) { return known }
            let made = try BlockingConnection(port: self.port)
            self.state.withLock { $0.connections[number] = made }
            return made
        }

        private func create(_ words: [String]) -> String {
            func word(after name: String, _ offset: Int = 1) -> String {
                words.firstIndex(of: name).flatMap { $0 + offset < words.count ? words[$0 + offset] : nil } ?? ""
            }
            guard word(after: "DISTANCE_METRIC") == "COSINE", word(after: "TYPE") == "FLOAT32",
                let dimensions = Int(word(after: "DIM")), dimensions > 0, word(after: "PREFIX") == "1"
            else { return "-Bad arguments for vector similarity\r\n" }
            let index = Index(
                prefix: word(after: "PREFIX", 2), type: word(after: "VECTOR"), dimensions: dimensions)
            return self.state.withLock { state in
                if state.indexes[words[1]] != nil {
                    return words[0] == "FT.CREATE" ? "-Index already exists\r\n" : "+OK\r\n"
                }
                state.indexes[words[1]] = index
                return "+OK\r\n"
            }
        }

        private func commandInfo(_ names: ArraySlice<String>, on number: Int) throws -> [UInt8] {
            var reply = Array("*\(names.count)\r\n".utf8)
            for name in names {
                if name.uppercased().hasPrefix("FT.") {
                    reply += Array("*1\r\n$\(name.utf8.count)\r\n\(name)\r\n".utf8)
                } else {
                    let words = ["COMMAND", "INFO", name].map { Array($0.utf8) }
                    reply += try self.connection(number).send(words).dropFirst("*1\r\n".utf8.count)
                }
            }
            return reply
        }

        private func search(_ arguments: [[UInt8]], in index: Index, isRESP3: Bool) throws -> [UInt8] {
            let query: SearchQuery
            do {
                query = try SearchQuery(arguments)
            } catch {
                return Array("-Syntax error: \(error)\r\n".utf8)
            }
            guard query.vector.count == index.dimensions else {
                return Array("-Error parsing vector similarity query: query vector blob size\r\n".utf8)
            }
            var rows: [(key: [UInt8], distance: Double)] = []
            for (key, document) in try self.documents(of: index, in: query.partition)
            where query.condition.holds(document) {
                // What has a vector of another size is not in the index.
                if let distance = document["v"].flatMap(query.distance) { rows.append((key, distance)) }
            }
            rows.sort { $0.distance < $1.distance }
            let nearest = rows.prefix(min(query.count, query.limit))
            return SearchWriter(isRESP3: isRESP3).rows(nearest.sorted { $0.key.lexicographicallyPrecedes($1.key) })
        }

        /// Only those of the partition: reading them takes most of the time.
        private func documents(
            of index: Index, in partition: String
        ) throws -> [(key: [UInt8], fields: [String: [UInt8]])] {
            let script = """
                local keys, cursor = {}, '0'
                repeat
                    local page = redis.call('SCAN', cursor, 'MATCH', ARGV[1] .. '*', 'COUNT', 5000)
                    cursor = page[1]
                    for _, key in ipairs(page[2]) do keys[key] = true end
                until cursor == '0'
                local documents = {}
                for key in pairs(keys) do
                    if redis.call('HGET', key, 'p') == ARGV[2] then
                        documents[#documents + 1] = key
                        documents[#documents + 1] = redis.call('HGETALL', key)
                    end
                end
                return documents
                """
            let words = ["EVAL", script, "0", index.prefix, partition].map { Array($0.utf8) }
            let reply = try RawReply(try self.connection(0).send(words))
            return stride(from: 0, to: reply.items.count, by: 2).map { position in
                let pairs = reply.items[position + 1].items
                let fields = stride(from: 0, to: pairs.count, by: 2).map {
                    (String(decoding: pairs[$0].bytes, as: UTF8.self), pairs[$0 + 1].bytes)
                }
                return (reply.items[position].bytes, Dictionary(uniqueKeysWithValues: fields))
            }
        }
    }
}
