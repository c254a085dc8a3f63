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
    /// Seconds; about what passes at a server between two requests at depth 1.
    private static let pause = 0.0002

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
        let session = try WireSession(target)
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
            .store(StoreRequest(cache: Self.cache, prompt: .text(prompts[number]), response: response))
        } reply: { _, _ in
        }
    }

    /// What is measured of each question.
    private struct Times {
        var lookups = Latencies()
        var embeddings = Latencies()
        /// Each after a pause, as an embedder has it whose caller waits for the answer before it asks again.
        var pausedEmbeddings = Latencies()
        /// With the vector in the request, so that the server does not embed.
        var withVector = Latencies()
        /// Of exact Lookups that find nothing: the way to the store's door and back.
        var exactMisses = Latencies()
        var hits = 0
    }

    private func measure(
        _ questions: [CanonicalPrompt], _ session: WireSession, tokenizer: WordPieceTokenizer, encoder: MiniLMEncoder
    ) throws {
        var times = Times()
        let workspace = try encoder.makeWorkspace()
        for start in stride(from: 0, to: questions.count, by: Self.block) {
            let block = Array(questions[start..<min(start + Self.block, questions.count)])
            try self.lookUp(block, session, into: &times.lookups) { number in
                LookupRequest(cache: Self.cache, prompt: .text(block[number]))
            } outcome: {
                if case .hit = $0 { times.hits += 1 }
            }
            // Where the server runs: cores of one machine need not be alike.
            try self.pinBesideServer()
            func embed(into latencies: inout Latencies, pause: Double) throws -> [[Float]] {
                try block.enumerated().flatMap { number, question in
                    if pause > 0 { Thread.sleep(forTimeInterval: pause) }
                    let begin = Machine.now
                    let vectors = try encoder.encode([tokenizer.encode(question.text)], using: workspace)
                    if number >= Self.warmUp { latencies.record(Machine.now - begin) }
                    return vectors
                }
            }
            let vectors = try embed(into: &times.embeddings, pause: 0)
            _ = try embed(into: &times.pausedEmbeddings, pause: Self.pause)
            try Machine.pinThread(to: self.options.setup.clientCore)
            try self.lookUp(block, session, into: &times.withVector) { number in
                LookupRequest(
                    cache: Self.cache, prompt: .text(block[number]), mode: .semantic, embedding: vectors[number])
            }
            try self.lookUp(block, session, into: &times.exactMisses) { number in
                LookupRequest(
                    cache: Self.cache, prompt: .text(block[number]), vary: [Self.otherPartition], mode: .exact)
            }
        }
        try self.report(times)
    }

    /// Where nothing is stored.
    private static let otherPartition = VaryPart(name: "benchmark", value: "exact misses")

    /// Looks up the questions of a block, one after the other.
    private func lookUp(
        _ block: [CanonicalPrompt], _ session: WireSession, into latencies: inout Latencies,
        request: (Int) -> LookupRequest, outcome: (LookupOutcome) -> Void = { _ in }
    ) throws {
        for number in block.indices {
            let call = Call(id: UInt64(number + 1), request: .success(.lookup(request(number))))
            let begin = Machine.now
            session.append(.call(call))
            try session.flush()
            let message = try session.receive()
            let time = Machine.now - begin
            guard case .reply(let reply) = message, case .success(.lookup(let answer)) = reply.result else {
                throw BenchError("the server refused a Lookup")
            }
            guard number >= Self.warmUp else { continue }
            latencies.record(time)
            outcome(answer)
        }
    }

    private func pinBesideServer() throws {
        guard self.options.connect == nil, let core = Int(self.options.setup.serverCores) else { return }
        try Machine.pinThread(to: core)
    }

    private func runOpenLoop(
        _ questions: [CanonicalPrompt], _ session: WireSession, target: Target, rate: Double
    ) throws {
        let encoder = ClientMessageEncoder()
        let frames = questions.prefix(max(1, Int(rate * self.options.seconds))).enumerated().map { number, question in
            WireSession.frame(
                UInt64(number + 1), .lookup(LookupRequest(cache: Self.cache, prompt: .text(question))),
                encoder: encoder)
        }
        let result = try OpenLoop(socket: session.socket, frames: frames, rate: rate).run(server: target.process)
        try result.report(
            "open loop\(self.options.transport), new questions of \(self.options.tokens) tokens, \(self.options.entries) entries",
            asJSON: self.options.common.json)
    }

    private func report(_ times: Times) throws {
        let (lookups, embeddings) = (times.lookups, times.embeddings)
        var table = Table(
            """
            semantic Lookups at depth 1\(self.options.transport), end to end, and the bare embedding (text to vector, in process) of the same \
            questions: \(lookups.count) new questions of \(self.options.tokens) tokens, \
            \(self.options.entries) entries, \(times.hits) hits; server on core \(self.options.setup.serverCores), \
            client on core \(self.options.setup.clientCore), embedding on the server's core, taking turns every \
            \(Self.block) questions
            """,
            columns: ["what", "p50 µs", "p90 µs", "p99 µs", "max µs"])
        let rows = [
            ("Lookup over the socket", lookups), ("bare embedding", embeddings),
            ("bare embedding, after pauses of \(Int(Self.pause * 1e6)) µs", times.pausedEmbeddings),
            ("Lookup, vector sent along", times.withVector), ("Lookup, exact only, nothing there", times.exactMisses),
        ]
        for (name, times) in rows {
            table.add(
                name, times.p50.microseconds, times.percentile(90).microseconds, times.p99.microseconds,
                times.maximum.microseconds)
        }
        table.add(
            "Lookup ÷ bare embedding", (lookups.p50 / embeddings.p50).text(2) + "×",
            (lookups.percentile(90) / embeddings.percentile(90)).text(2) + "×",
            (lookups.p99 / embeddings.p99).text(2) + "×", (lookups.maximum / embeddings.maximum).text(2) + "×")
        try table.print(asJSON: self.options.common.json)
    }
}
