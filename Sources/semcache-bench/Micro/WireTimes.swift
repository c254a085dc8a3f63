// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheEngine
import CacheModel
import CacheWire
import NIOCore

/// Times of what a Lookup from memory is made of.
struct WireTimes {
    let watch: Stopwatch
    let core: Int

    private let prompt: CanonicalPrompt
    private let partition: Partition
    private let entry: CacheEntry
    private let now = Timestamp(milliseconds: 1_700_000_000_000)

    init(watch: Stopwatch, core: Int) throws {
        self.watch = watch
        self.core = core
        self.prompt = try CanonicalPrompt("how long does a transfer to account number 100042 take?")
        let scope = CacheScope("bench", of: TenantScope(authenticated: TenantID("default")))
        let identity = EmbeddingIdentity(provider: "local", model: "all-MiniLM-L6-v2", dimensions: 384, revision: "1")
        self.partition = Partition(of: scope, embedding: identity, vary: [])
        self.entry = CacheEntry(
            id: self.partition.entryID(of: self.prompt), prompt: self.prompt,
            response: [UInt8](repeating: UInt8(ascii: "a"), count: 512), contentType: CacheEntry.defaultContentType,
            attributes: [], usage: nil, createdAt: Timestamp(milliseconds: 1_699_999_000_000),
            expiresAt: Timestamp(milliseconds: 1_700_086_400_000))
    }

    func table() -> Table {
        var table = Table(
            """
            a Lookup from memory, part by part: core \(self.core), \(self.watch.rounds) rounds, prompt of \
            \(self.prompt.text.utf8.count) bytes, response of \(self.entry.response.count)
            """,
            columns: ["operation", "best ns", "median ns"])
        func add(_ name: String, _ result: Stopwatch.Result) {
            table.add(name, result.best.text(1), result.median.text(1))
        }
        add("frame reader, per frame of 128 in a read", self.frameReader())
        add("decode a Lookup, protobuf-c's view", self.decode())
        add("decode a Lookup, nouns", self.decodeNouns())
        add("prompt: is it canonical", self.canonical())
        add("entry id (SHA-256)", self.entryID())
        add("partition key (SHA-256)", self.partitionKey())
        add("memory: find 1 of 1,000", self.find())
        add("encode a hit, fast lane", self.encodeHit())
        add("encode a hit, general", self.encodeHitGenerally())
        add("client: encode a Lookup", self.encodeLookup())
        add("client: decode a hit", self.decodeHit())
        return table
    }

    private var lookup: ServiceRequest {
        .lookup(LookupRequest(cache: "bench", prompt: .text(self.prompt), mode: .exact))
    }

    private var hit: ServerMessage {
        let match = LookupMatch(entry: self.entry, similarity: 1)
        let outcome = LookupOutcome.hit(LookupHit(kind: .exact, tier: .l1, matches: [match], at: self.now))
        return .reply(Reply(id: 42, result: .success(.lookup(outcome))))
    }

    private func frameReader() -> Stopwatch.Result {
        let count = 128
        var read = ByteBuffer()
        let encoder = ClientMessageEncoder()
        for id in 1...count { read.writeBytes(WireSession.frame(UInt64(id), self.lookup, encoder: encoder)) }
        var reader = FrameReader(maximumBodyBytes: Limits.maximumFrameBytes)
        let result = self.watch.time { _ in
            reader.append(read)
            var frames = 0
            while (try? reader.withNextBody { keep($0.count) }) != nil { frames += 1 }
            reader.reclaim()
            precondition(frames == count, "a frame got lost")
        }
        return Stopwatch.Result(best: result.best / Double(count), median: result.median / Double(count))
    }

    private var lookupBody: [UInt8] {
        Array(WireSession.frame(42, self.lookup, encoder: ClientMessageEncoder()).dropFirst(FrameReader.headerBytes))
    }

    private func decode() -> Stopwatch.Result {
        let decoder = ClientMessageDecoder()
        return self.lookupBody.withUnsafeBytes { body in
            self.watch.time { _ in keep(decoder.withUnpacked(body) { $0.kind_case }) }
        }
    }

    private func decodeNouns() -> Stopwatch.Result {
        let decoder = ClientMessageDecoder()
        return self.lookupBody.withUnsafeBytes { body in self.watch.time { _ in keep(try? decoder.decode(body)) } }
    }

    private func canonical() -> Stopwatch.Result {
        Array(self.prompt.text.utf8).withUnsafeBytes { prompt in
            self.watch.time { _ in keep(CanonicalPrompt.isCanonicalASCII(prompt)) }
        }
    }

    private func entryID() -> Stopwatch.Result {
        Array(self.prompt.text.utf8).withUnsafeBytes { prompt in
            self.watch.time { _ in keep(self.partition.entryID(ofPrompt: prompt)) }
        }
    }

    private func partitionKey() -> Stopwatch.Result {
        let identity = EmbeddingIdentity(provider: "local", model: "all-MiniLM-L6-v2", dimensions: 384, revision: "1")
        return self.watch.time { _ in keep(Partition(of: self.partition.cache, embedding: identity, vary: [])) }
    }

    private func find() -> Stopwatch.Result {
        let memory = MemoryTier(limit: 64 << 20) { PreparedMatch($0) }
        let ticket = memory.ticket(in: self.partition)
        let ids = (0..<1000).map { number in
            let id = EntryID(Digest(words: (UInt64(number) &* 0x9e37_79b9_7f4a_7c15, UInt64(number), 0, 0)))
            let entry = CacheEntry(
                id: id, prompt: nil, response: self.entry.response, contentType: self.entry.contentType, attributes: [],
                usage: nil, createdAt: self.entry.createdAt, expiresAt: self.entry.expiresAt)
            memory.insert(entry, of: self.partition.cache, ticket: ticket)
            return id
        }
        return self.watch.time { number in
            let found = memory.find(ids[number % 1000], in: self.partition, semantic: true, at: self.now)
            precondition(found != nil, "an entry got lost")
            keep(found)
        }
    }

    private func encodeHit() -> Stopwatch.Result {
        let prepared = PreparedMatch(self.entry)
        var buffer = ByteBuffer()
        return self.watch.time { number in
            if number.isMultiple(of: 128) { buffer.clear() }
            buffer.writeHit(
                id: 42, kind: .exact, prepared: prepared, similarity: 1, at: self.now)
        }
    }

    private func encodeHitGenerally() -> Stopwatch.Result {
        let encoder = ServerMessageEncoder()
        let hit = self.hit
        var buffer = ByteBuffer()
        return self.watch.time { number in
            if number.isMultiple(of: 128) { buffer.clear() }
            encoder.write(hit, into: &buffer)
        }
    }

    private func encodeLookup() -> Stopwatch.Result {
        let encoder = ClientMessageEncoder()
        let call = ClientMessage.call(Call(id: 42, request: .success(self.lookup)))
        var buffer = ByteBuffer()
        return self.watch.time { number in
            if number.isMultiple(of: 128) { buffer.clear() }
            encoder.write(call, into: &buffer)
        }
    }

    private func decodeHit() -> Stopwatch.Result {
        let decoder = ServerMessageDecoder()
        var buffer = ByteBuffer()
        ServerMessageEncoder().write(self.hit, into: &buffer)
        return Array(buffer.readableBytesView.dropFirst(FrameReader.headerBytes)).withUnsafeBytes { body in
            self.watch.time { _ in keep(try? decoder.decode(body)) }
        }
    }
}
