// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore
import RedisClient
import RedisStore

/// What an entry takes in Redis, and what the same data takes in the hashes of redisvl's SemanticCache.
struct EntryMemory {
    let options: Redis
    let tenant: RedisTenant
    let questions: EmbeddedQuestions
    /// As long as the name that redisvl gives a cache if none is given, but not it: there may be one.
    private static let prefix = "smcbench:"
    private static let batch = 256
    /// The one attribute of each entry.
    private static let language = "de"
    private static let lifetime = 86_400

    func run() throws {
        guard self.questions.count > 0 else { throw BenchError("there are no questions") }
        for bytes in self.options.responseBytes.values { try self.measure(bytes) }
    }

    private func measure(_ responseBytes: Int) throws {
        let (tenant, questions) = (self.tenant, self.questions)
        let before = try self.usedMemory()
        let fill = try tenant.fill(questions.count) { number in
            let attributes = [Attribute(name: "lang", value: .string(Self.language))]
            return (
                tenant.entry(questions.prompts[number], responseBytes: responseBytes, attributes: attributes),
                questions.embedding(number)
            )
        }
        let ours = try self.usedMemory() - before
        let place = try PartitionInRedis(of: tenant)
        var parts = [("h: entries", try self.memory(of: place.entries))]
        for (kind, what) in [
            ("v", "vectors, attributes"), ("i", "in order"), ("x", "by expiry"), ("u", "by last use"),
            ("q", "compact vectors"),
        ] where kind != "q" || self.options.quantization == .bin {
            parts.append(("\(kind): \(what)", try self.memory(of: place.key(kind))))
        }
        try tenant.removeAll()
        try fill.report(
            "questions with responses of \(responseBytes) bytes, one attribute", asJSON: self.options.common.json)
        let base = try self.settledMemory()
        let keys = try self.fillAsRedisvl(responseBytes)
        let theirs = try self.usedMemory() - base
        try self.remove(keys)
        try self.report(responseBytes, ours: ours, parts: parts, redisvl: theirs)
        _ = try self.settledMemory()
    }

    /// Stores the questions as redisvl does.
    ///
    /// - Returns: Their keys.
    private func fillAsRedisvl(_ responseBytes: Int) throws -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for start in stride(from: 0, to: self.questions.count, by: Self.batch) {
            let batch = (start..<min(start + Self.batch, self.questions.count)).map {
                self.hash(of: $0, RedisTenant.response(responseBytes))
            }
            _ = try self.tenant.replies(to: batch.map(\.command))
            let expiries = batch.map { hash in
                var command = RedisCommand("EXPIRE", isRepeatable: true)
                command.append(hash.key)
                command.append(Int64(Self.lifetime))
                return command
            }
            _ = try self.tenant.replies(to: expiries)
            keys += batch.map(\.key)
        }
        return keys
    }

    /// The fields that redisvl writes: those of a filter beside the others, and no metadata if there is none. The key
    /// is a digest of prompt and filters.
    private func hash(of number: Int, _ response: [UInt8]) -> (key: [UInt8], command: RedisCommand) {
        let prompt = self.questions.prompts[number].text
        var hasher = SHA256Hasher()
        Array((prompt + "lang" + Self.language).utf8).withUnsafeBytes { hasher.update($0) }
        let id = hasher.finish().hexadecimal
        // Python writes that many digits of the time, in most cases.
        let time = "\(Double(Timestamp.now.milliseconds) / 1000 + 0.0001234)"
        let key = Array((Self.prefix + id).utf8)
        var command = RedisCommand("HSET", isRepeatable: true, capacity: response.count + 2048)
        command.append(key)
        for (name, value) in [
            ("entry_id", id), ("prompt", prompt), ("inserted_at", time), ("updated_at", time), ("lang", Self.language),
        ] {
            command.append(name)
            command.append(value)
        }
        command.append("response")
        command.append(response)
        command.append("prompt_vector")
        command.append(self.questions.embedding(number).values)
        return (key, command)
    }

    private func remove(_ keys: [[UInt8]]) throws {
        for start in stride(from: 0, to: keys.count, by: Self.batch) {
            var command = RedisCommand("DEL", isRepeatable: true)
            for key in keys[start..<min(start + Self.batch, keys.count)] { command.append(key) }
            _ = try self.tenant.reply(to: command)
        }
    }

    private func report(_ responseBytes: Int, ours: Int, parts: [(String, Int)], redisvl: Int) throws {
        let count = Double(self.questions.count)
        var table = Table(
            """
            memory of an entry: \(self.questions.count) questions with responses of \(responseBytes) bytes, one \
            attribute, expiry; quantization \(self.options.quantization.rawValue). used_memory counts all, MEMORY \
            USAGE a key. redisvl's index needs the search module and was not run; where that was, 50,000 question \
            vectors took 209 MB as hashes with an HNSW index, and 110 MB as a vector set. redisvl's own default is a \
            FLAT index, which keeps each vector once more
            """,
            columns: ["what", "bytes per entry"])
        table.add("store: used_memory", (Double(ours) / count).grouped)
        for (name, bytes) in parts { table.add("  " + name, (Double(bytes) / count).grouped) }
        table.add("redisvl: used_memory, hashes alone", (Double(redisvl) / count).grouped)
        table.add("recorded: hash and HNSW index", (209e6 / 50_000).grouped)
        table.add("recorded: vector set", (110e6 / 50_000).grouped)
        try table.print(asJSON: self.options.common.json)
    }

    private func memory(of key: [UInt8]) throws -> Int {
        var command = RedisCommand("MEMORY", isRepeatable: true)
        command.append("USAGE")
        command.append(key)
        command.append("SAMPLES")
        command.append("0")
        guard case .integer(let bytes) = try self.tenant.reply(to: command) else {
            throw BenchError("Redis does not say what a key takes")
        }
        return Int(clamping: bytes)
    }

    private func usedMemory() throws -> Int { try self.memoryFigure("used_memory") }

    /// Waits until what was removed is given back: keys are freed in the background.
    private func settledMemory() throws -> Int {
        while try self.memoryFigure("lazyfree_pending_objects") > 0 {}
        return try self.usedMemory()
    }

    private func memoryFigure(_ name: String) throws -> Int {
        var command = RedisCommand("INFO", isRepeatable: true)
        command.append("memory")
        guard case .bytes(let text) = try self.tenant.reply(to: command),
            let line = String(buffer: text).split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("\(name):") }
            ),
            let figure = Int(line.dropFirst(name.count + 1))
        else { throw BenchError("Redis does not say \(name)") }
        return figure
    }
}
