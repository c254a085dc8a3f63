// SPDX-License-Identifier: Apache-2.0

import CKernels
import Foundation
import LocalEmbedder

/// Encodes for another program, one JSON object per line in and out, on one pinned thread.
///
/// First it says who it is: `{"kernels": "avx512vnni", "precision": "int16"}`. Then for each
/// `{"ids": [[101, …, 102], …], "repeat": 5, "vectors": true}` comes `{"ns": […], "vectors": [[…], …]}`: how long the
/// encoding of all of the texts together took each time, nanoseconds, and their vectors if they were asked for.
/// With `"texts": ["…", …]` instead of `"ids"` the time of the tokenizer is in it.
/// What cannot be encoded ends it with an error.
struct EncoderPipe {
    let options: Embed

    private static let maximumTexts = 1024
    private static let maximumRepetitions = 100_000

    private struct Greeting: Encodable {
        let kernels: String
        let precision: String
    }

    private struct Request: Decodable {
        let ids: [[Int32]]?
        let texts: [String]?
        let `repeat`: Int
        let vectors: Bool?
    }

    private struct Reply: Encodable {
        let ns: [UInt64]
        let vectors: [[Float]]?
    }

    func run() throws {
        try Machine.pinThread(to: self.options.core)
        let files = try Corpus.modelFiles(self.options.common.model)
        let tokenizer = try WordPieceTokenizer(vocabularyFile: files.vocabulary)
        let encoder = try MiniLMEncoder(
            modelFile: files.weights, precision: self.options.precision, isa: self.options.kernels)
        let workspace = try encoder.makeWorkspace()
        try self.write(
            Greeting(kernels: String(cString: ck_isa_name(encoder.isa)), precision: encoder.precision.rawValue))
        while let line = readLine() {
            let request = try JSONDecoder().decode(Request.self, from: Data(line.utf8))
            switch (request.ids, request.texts) {
            case (let ids?, nil):
                let batch = IDBatch(ids)
                try self.answer(request, texts: ids.count) {
                    try encoder.encode(ids: batch.ids, lengths: batch.lengths, using: workspace)
                }
            case (nil, let texts?):
                try self.answer(request, texts: texts.count) {
                    let batch = IDBatch(texts.map { tokenizer.encode($0) })
                    return try encoder.encode(ids: batch.ids, lengths: batch.lengths, using: workspace)
                }
            default:
                throw BenchError("a request has either ids or texts")
            }
        }
    }

    private func answer(_ request: Request, texts: Int, _ encode: () throws -> [Float]) throws {
        guard (1...Self.maximumTexts).contains(texts), (1...Self.maximumRepetitions).contains(request.repeat) else {
            throw BenchError("a request has 1…\(Self.maximumTexts) texts and 1…\(Self.maximumRepetitions) repetitions")
        }
        var times: [UInt64] = []
        times.reserveCapacity(request.repeat)
        var vectors: [Float] = []
        for _ in 0..<request.repeat {
            let start = Machine.now
            vectors = try encode()
            times.append(Machine.now - start)
        }
        let size = MiniLMEncoder.dimensions
        let answered = request.vectors != true ? nil : (0..<texts).map { Array(vectors[$0 * size..<($0 + 1) * size]) }
        try self.write(Reply(ns: times, vectors: answered))
    }

    private func write(_ reply: some Encodable) throws {
        print(String(decoding: try JSONEncoder().encode(reply), as: UTF8.self))
        fflush(nil)
    }
}
