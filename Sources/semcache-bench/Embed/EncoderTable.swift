// SPDX-License-Identifier: Apache-2.0

import CKernels
import CacheModel
import LocalEmbedder

/// Times of the encoder in all precisions, and how far their vectors are from those of fp32.
struct EncoderTable {
    let options: Embed

    /// Calls timed one after the other before it is another's turn; the one before them is not counted.
    private static let calls = 5
    private static let batchSize = 16
    /// Lengths of questions as they come, 261 tokens together.
    private static let mixedLengths = [6, 8, 9, 10, 10, 11, 12, 12, 13, 14, 15, 17, 20, 24, 32, 48]
    private static let comparedQuestions = 4000

    /// A precision at work.
    private struct Contender {
        let encoder: MiniLMEncoder
        let workspace: MiniLMEncoder.Workspace

        init(_ precision: MiniLMEncoder.Precision, weights: String, options: Embed) throws {
            self.encoder = try MiniLMEncoder(modelFile: weights, precision: precision, isa: options.kernels)
            self.workspace = try self.encoder.makeWorkspace()
        }

        func encode(_ batch: IDBatch) throws -> [Float] {
            try self.encoder.encode(ids: batch.ids, lengths: batch.lengths, using: self.workspace)
        }
    }

    func run() throws {
        try Machine.pinThread(to: self.options.core)
        let files = try Corpus.modelFiles(self.options.common.model)
        let tokenizer = try WordPieceTokenizer(vocabularyFile: files.vocabulary)
        let contenders = try MiniLMEncoder.Precision.allCases.map {
            try Contender($0, weights: files.weights, options: self.options)
        }
        let alone = self.options.tokens.values.map { IDBatch([SampleTexts.ids($0, tokenizer)]) }
        let batches = [
            IDBatch(Array(repeating: SampleTexts.ids(12, tokenizer), count: Self.batchSize)),
            IDBatch(Self.mixedLengths.map { SampleTexts.ids($0, tokenizer) }),
        ]
        let times = try self.measure(contenders, alone + batches)
        try self.reportTimes(contenders, times).print(asJSON: self.options.common.json)
        try self.compare(contenders, try self.questions(), tokenizer).print(asJSON: self.options.common.json)
    }

    /// - Returns: By contender and input, nanoseconds of each call.
    private func measure(_ contenders: [Contender], _ inputs: [IDBatch]) throws -> [[[Double]]] {
        var times = contenders.map { _ in inputs.map { _ in [Double]() } }
        for round in 0...self.options.rounds {
            for (input, batch) in inputs.enumerated() {
                for (place, contender) in contenders.enumerated() {
                    // What another one did has driven its weights out of the caches.
                    keep(try contender.encode(batch))
                    for _ in 0..<Self.calls {
                        let start = Machine.now
                        keep(try contender.encode(batch))
                        let time = Double(Machine.now - start)
                        if round > 0 { times[place][input].append(time) }
                    }
                }
            }
        }
        return times
    }

    private func reportTimes(_ contenders: [Contender], _ times: [[[Double]]]) -> Table {
        let lengths = self.options.tokens.values
        var table = Table(
            """
            encoder: ids to vector, core \(self.options.core), one thread, \(self.options.rounds) rounds of \
            \(Self.calls) calls, precisions in turns; p50 / min ms of a text alone, and texts per second (from p50) in \
            batches of \(Self.batchSize): of 12 tokens each, and of 6 to 48
            """,
            columns: ["precision, path"] + lengths.map { "\($0) tok" } + ["16×12 tok, texts/s", "16 mixed, texts/s"])
        for (contender, times) in zip(contenders, times) {
            let alone = times.prefix(lengths.count).map {
                ($0.median / 1e6).text(3) + " / " + (($0.min() ?? 0) / 1e6).text(3)
            }
            let rates = times.dropFirst(lengths.count).map { (Double(Self.batchSize) * 1e9 / $0.median).grouped }
            table.add([self.name(contender)] + alone + rates)
        }
        return table
    }

    private func questions() throws -> [String] {
        guard let file = self.options.questions else { return (0..<1287).map { SampleTexts.question($0) } }
        return try Corpus.read(file).prefix(Self.comparedQuestions).map(\.prompt.text)
    }

    private func compare(
        _ contenders: [Contender], _ questions: [String], _ tokenizer: WordPieceTokenizer
    ) throws -> Table {
        let reference = try contenders.first { $0.encoder.precision == .fp32 }.map {
            try self.vectors(of: questions, by: $0, tokenizer)
        }
        guard let reference, !questions.isEmpty else { throw BenchError("there is nothing to compare") }
        var table = Table(
            "vectors: cosine to those of fp32, \(questions.count) questions",
            columns: ["precision, path", "mean", "min"])
        for contender in contenders {
            let vectors = try self.vectors(of: questions, by: contender, tokenizer)
            let cosines = questions.indices.map { number in
                let places = number * MiniLMEncoder.dimensions..<(number + 1) * MiniLMEncoder.dimensions
                return places.reduce(0.0) { $0 + Double(vectors[$1]) * Double(reference[$1]) }
            }
            let mean = cosines.reduce(0, +) / Double(cosines.count)
            table.add(self.name(contender), mean.text(7), (cosines.min() ?? 0).text(7))
        }
        return table
    }

    private func vectors(
        of questions: [String], by contender: Contender, _ tokenizer: WordPieceTokenizer
    ) throws -> [Float] {
        try questions.flatMap { try contender.encode(IDBatch([tokenizer.encode($0)])) }
    }

    private func name(_ contender: Contender) -> String {
        "\(contender.encoder.precision.rawValue), \(String(cString: ck_isa_name(contender.encoder.isa)))"
    }
}

/// The ids of some texts, one behind the other.
struct IDBatch {
    let ids: [Int32]
    let lengths: [Int32]

    init(_ texts: [[Int32]]) {
        self.ids = texts.flatMap { $0 }
        self.lengths = texts.map { Int32(clamping: $0.count) }
    }
}
