// SPDX-License-Identifier: Apache-2.0

import CKernels
import CacheModel
import Foundation
import LocalEmbedder

/// Times of the tokenizer and of the encoder on each path that this processor has.
struct ModelTimes {
    let watch: Stopwatch
    let core: Int
    let files: ModelFiles
    private let tokenizer: WordPieceTokenizer

    init(watch: Stopwatch, core: Int, files: ModelFiles) throws {
        self.watch = watch
        self.core = core
        self.files = files
        self.tokenizer = try WordPieceTokenizer(vocabularyFile: files.vocabulary)
    }

    func tokenizerTable(questions: String?) throws -> Table {
        var table = Table(
            "tokenizer: core \(self.core), \(self.watch.rounds) rounds, per text",
            columns: ["text", "tokens", "bytes", "best ns", "median ns", "MB/s"])
        func add(_ name: String, _ texts: [String]) {
            let result = self.watch.time { number in keep(self.tokenizer.encode(texts[number % texts.count])) }
            let tokens = texts.reduce(0) { $0 + self.tokenizer.encode($1).count } / texts.count
            let bytes = Double(texts.reduce(0) { $0 + $1.utf8.count }) / Double(texts.count)
            table.add(
                name, String(tokens), bytes.text(0), result.best.text(0), result.median.text(0),
                (bytes / result.median * 1000).text(0))
        }
        add("short question", ["how do I reset my online banking password?"])
        let long = Array(repeating: "Please tell me how long a transfer takes, and what it costs. ", count: 8).joined()
        add("paragraph", [long])
        add("accents and CJK", ["Où est la bibliothèque près de l'hôtel? 图书馆在哪里"])
        if let questions {
            let texts = try Corpus.read(questions).prefix(10_000).map(\.prompt.text)
            add("\(texts.count) questions of the file", Array(texts))
        }
        return table
    }

    func encoderTable(lengths: [Int]) throws -> Table {
        var table = Table(
            """
            encoder: ids to vector, core \(self.core), one thread, \(self.watch.rounds) rounds; best / \
            median µs of a text alone, and the best rate of batches of 16
            """,
            columns: ["precision, path"] + lengths.map { "\($0) tok" } + ["batch of 16×12 tok, texts/s"])
        for precision in MiniLMEncoder.Precision.allCases.reversed() {
            for isa in [CK_ISA_AVX512VNNI, CK_ISA_AVX512, CK_ISA_AVX2, CK_ISA_NEON, CK_ISA_SCALAR]
            where ck_isa_supported(isa) != 0 {
                try self.addEncoder(precision, isa, lengths, to: &table)
            }
        }
        return table
    }

    private func addEncoder(
        _ precision: MiniLMEncoder.Precision, _ isa: ck_isa, _ lengths: [Int], to table: inout Table
    ) throws {
        let encoder = try MiniLMEncoder(modelFile: self.files.weights, precision: precision, isa: isa)
        let workspace = try encoder.makeWorkspace()
        let times = try lengths.map { length in
            let ids = SampleTexts.ids(length, self.tokenizer)
            return try self.watch.time { _ in keep(try encoder.encode([ids], using: workspace)) }
        }
        let batch = Array(repeating: SampleTexts.ids(12, self.tokenizer), count: 16)
        let batchTime = try self.watch.time { _ in keep(try encoder.encode(batch, using: workspace)) }.best
        table.add(
            ["\(precision.rawValue), \(String(cString: ck_isa_name(isa)))"]
                + times.map { ($0.best / 1000).text(0) + " / " + ($0.median / 1000).text(0) }
                + [(16e9 / batchTime).grouped])
    }
}
