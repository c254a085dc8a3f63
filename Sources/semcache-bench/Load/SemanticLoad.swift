// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import Foundation
import LocalEmbedder

/// Lookups of questions that are not stored, beside the bare embedding of the same questions.
struct SemanticLoad {
    let options: Load
    private static let cache = "bench"
    /// Lookups between two changes of sides: the weights of two processes do not fit in a core's caches together.
    private static let block = 200
    /// What of a block is not counted, while the caches fill.
    private static let warmUp = 10

    init(options: Load) { self.options = options }

    func run() throws {
        let pairs = try Corpus.read(self.options.questions ?? "")
        let files = try Corpus.modelFiles(self.options.common.model)
        let tokenizer = try WordPieceTokenizer(vocabularyFile: files.vocabulary)
        guard pairs.count > self.options.entries else { throw BenchError("the file has too few questions") }
        let stored = pairs[..<self.options.entries].map(\.prompt)
        let known = Set(stored)
        let asked = pairs[self.options.entries...].lazy.map(\.prompt)
            .filter { !known.contains($0) && tokenizer.encode($0.text).count == self.options.tokens }
            .prefix(self.options.lookups)
        let questions = Array(asked)
        guard !questions.isEmpty else { throw BenchError("no question has \(self.options.tokens) tokens") }
        let target = try self.options.target(settings: ["server.threads=1", "embedder.threads=1"])
        let session = try WireSession(host: target.host, port: target.port)
        try self.store(stored, session)
        if let rate = self.options.rate {
            return try self.runOpenLoop(questions, session, target: target, rate: rate)
        }
        let encoder = try MiniLMEncoder(modelFile: files.weights, precision: .int16)
        try self.measure(questions, session, tokenizer: tokenizer, encoder: encoder)
    }

    private func store(_ prompts: [CanonicalPrompt], _ session: WireSession) throws {
        let response = (0..<self.options.responseBytes).map { UInt8(ascii: "a") + UInt8($0 % 26) }
        try session.callAll(prompts.count, window: self.options.window) { number in
            .store(StoreRequest(cache: Self.cache, prompt: prompts[number], response: response))
        } reply: { _, _ in
        }
    }

    private func measure(
        _ questions: [CanonicalPrompt], _ session: WireSession, tokenizer: WordPieceTokenizer, encoder: MiniLMEncoder
    ) throws {
        var lookups = Latencies()
        var embeddings = Latencies()
        var hits = 0
        let workspace = try encoder.makeWorkspace()
        for start in stride(from: 0, to: questions.count, by: Self.block) {
            let block = questions[start..<min(start + Self.block, questions.count)]
            for (position, question) in block.enumerated() {
                let request = ServiceRequest.lookup(LookupRequest(cache: Self.cache, prompt: question))
                let begin = Machine.now
                session.append(.call(Call(id: UInt64(start + position + 1), request: .success(request))))
                try session.flush()
                let message = try session.receive()
                let time = Machine.now - begin
                guard case .reply(let reply) = message, case .success(.lookup(let outcome)) = reply.result else {
                    throw BenchError("the server refused a Lookup")
                }
                guard position >= Self.warmUp else { continue }
                lookups.record(time)
                if case .hit = outcome { hits += 1 }
            }
            // Where the server runs: cores of one machine need not be alike.
            try self.pinBesideServer()
            for (position, question) in block.enumerated() {
                let begin = Machine.now
                _ = try encoder.encode([tokenizer.encode(question.text)], using: workspace)
                if position >= Self.warmUp { embeddings.record(Machine.now - begin) }
            }
            try Machine.pinThread(to: self.options.clientCore)
        }
        try self.report(lookups, embeddings, hits: hits)
    }

    private func pinBesideServer() throws {
        guard self.options.connect == nil, let core = Int(self.options.serverCores) else { return }
        try Machine.pinThread(to: core)
    }

    private func runOpenLoop(
        _ questions: [CanonicalPrompt], _ session: WireSession, target: Load.Target, rate: Double
    ) throws {
        let encoder = ClientMessageEncoder()
        let frames = questions.prefix(max(1, Int(rate * self.options.seconds))).enumerated().map { number, question in
            WireSession.frame(
                UInt64(number + 1), .lookup(LookupRequest(cache: Self.cache, prompt: question)), encoder: encoder)
        }
        let result = try OpenLoop(socket: session.socket, frames: frames, rate: rate).run(server: target.process)
        try result.report(
            "open loop, new questions of \(self.options.tokens) tokens, \(self.options.entries) entries",
            asJSON: self.options.common.json)
    }

    private func report(_ lookups: Latencies, _ embeddings: Latencies, hits: Int) throws {
        var table = Table(
            """
            semantic Lookups at depth 1, end to end, and the bare embedding (text to vector, in process) of the same \
            questions: \(lookups.count) new questions of \(self.options.tokens) tokens, \
            \(self.options.entries) entries, \(hits) hits; server on core \(self.options.serverCores), \
            client on core \(self.options.clientCore), embedding on the server's core, taking turns every \(Self.block) questions
            """,
            columns: ["what", "p50 µs", "p90 µs", "p99 µs", "max µs"])
        for (name, times) in [("Lookup over the socket", lookups), ("bare embedding", embeddings)] {
            table.add(
                name, times.p50.microseconds, times.percentile(90).microseconds, times.p99.microseconds,
                times.maximum.microseconds)
        }
        table.add(
            "ratio", (lookups.p50 / embeddings.p50).text(2) + "×",
            (lookups.percentile(90) / embeddings.percentile(90)).text(2) + "×",
            (lookups.p99 / embeddings.p99).text(2) + "×", (lookups.maximum / embeddings.maximum).text(2) + "×")
        try table.print(asJSON: self.options.common.json)
    }
}
