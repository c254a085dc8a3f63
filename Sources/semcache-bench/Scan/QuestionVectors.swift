// SPDX-License-Identifier: Apache-2.0

import CacheEngine
import CacheModel
import Dispatch
import Foundation
import LocalEmbedder
import Synchronization

/// Vectors one behind the other, fp32. Never changes after it was made.
struct Vectors {
    let dimensions: Int
    fileprivate(set) var values: [Float]

    var count: Int { self.values.count / self.dimensions }

    func vector(_ position: Int) -> ArraySlice<Float> {
        self.values[position * self.dimensions..<(position + 1) * self.dimensions]
    }
}

/// The vectors of a file of questions.
enum QuestionVectors {
    /// Reads the vectors if there is a file of them, otherwise computes them, and writes the file if one is named.
    static func load(questions: String, vectors: String?, model: String?) throws -> Vectors {
        let dimensions = MiniLMEncoder.dimensions
        if let vectors, let data = FileManager.default.contents(atPath: vectors) {
            guard data.count.isMultiple(of: 4 * dimensions), !data.isEmpty else {
                throw BenchError("\(vectors) does not hold vectors of \(dimensions) dimensions")
            }
            let values = [Float](unsafeUninitializedCapacity: data.count / 4) { buffer, count in
                count = data.copyBytes(to: buffer) / 4
            }
            return Vectors(dimensions: dimensions, values: values)
        }
        let result = try self.compute(try Corpus.read(questions).map(\.prompt.text), model: model)
        if let vectors {
            let data = result.values.withUnsafeBytes { Data($0) }
            try data.write(to: URL(fileURLWithPath: vectors))
        }
        return result
    }

    /// Computes the vectors of texts, in their order.
    static func compute(_ texts: [String], model: String?) throws -> Vectors {
        let embedder = try LocalEmbedder(
            files: try Corpus.modelFiles(model), precision: .int16, threads: Machine.cores)
        return Vectors(dimensions: MiniLMEncoder.dimensions, values: try self.embed(texts, embedder))
    }

    private static func embed(_ texts: [String], _ embedder: LocalEmbedder) throws -> [Float] {
        let size = 16
        let starts = Array(stride(from: 0, to: texts.count, by: size))
        let results = Mutex<[EmbeddingResults]>(Array(repeating: [], count: starts.count))
        let slots = DispatchSemaphore(value: 2 * embedder.concurrency)
        let group = DispatchGroup()
        for (number, start) in starts.enumerated() {
            slots.wait()
            group.enter()
            embedder.embed(Array(texts[start..<min(start + size, texts.count)]), by: .now + .seconds(3600)) { batch in
                results.withLock { $0[number] = batch }
                slots.signal()
                group.leave()
            }
        }
        group.wait()
        return try results.withLock { results in
            try results.joined().flatMap { try $0.get().values }
        }
    }
}

/// What is stored and what is asked for: real questions, apart, and mixtures of those stored.
struct VectorSet {
    static let seed: UInt64 = 7

    let dimensions: Int
    let realCount: Int
    private let stored: Vectors
    private let asked: Vectors

    var count: Int { self.stored.count }
    var queryCount: Int { self.asked.count }

    /// - Parameter realCount: How many of those stored, the first, are of real questions.
    init(stored: Vectors, realCount: Int, asked: Vectors) {
        self.dimensions = stored.dimensions
        self.realCount = realCount
        self.stored = stored
        self.asked = asked
    }

    /// - Parameters:
    ///   - entries: How many are stored; questions first, then mixtures.
    ///   - queries: How many of the questions are asked instead of stored.
    init(real: Vectors, entries: Int, queries: Int) {
        var generator = SeededGenerator(seed: Self.seed)
        let order = (0..<real.count).shuffled(using: &generator)
        let base = order[queries...].prefix(entries)
        self.dimensions = real.dimensions
        self.realCount = base.count
        self.asked = Vectors(dimensions: real.dimensions, values: order[..<queries].flatMap { real.vector($0) })
        var values: [Float] = []
        values.reserveCapacity(entries * real.dimensions)
        for position in base { values += real.vector(position) }
        var mixture = [Float](repeating: 0, count: real.dimensions)
        for _ in base.count..<max(entries, base.count) {
            let first = real.vector(order[queries + Int(generator.next() % UInt64(base.count))])
            let second = real.vector(order[queries + Int(generator.next() % UInt64(base.count))])
            Self.mix(first, second, into: &mixture, &generator)
            values += mixture
        }
        self.stored = Vectors(dimensions: real.dimensions, values: values)
    }

    func entry(_ position: Int) -> ArraySlice<Float> { self.stored.vector(position) }
    func query(_ position: Int) -> [Float] { Array(self.asked.vector(position)) }

    /// Lends all stored vectors.
    func withEntries<Result>(_ body: (UnsafePointer<Float>) -> Result) -> Result {
        self.stored.values.withUnsafeBufferPointer { body($0.baseAddress!) }
    }

    /// Of a direction between the two, at a distance from it: as other questions about the same things would lie.
    private static func mix(
        _ first: ArraySlice<Float>, _ second: ArraySlice<Float>, into mixture: inout [Float],
        _ generator: inout SeededGenerator
    ) {
        let weight = generator.uniform()
        for (position, pair) in zip(first, second).enumerated() { mixture[position] = pair.0 + weight * pair.1 }
        Self.normalise(&mixture)
        let noise = 0.1 / Float(mixture.count).squareRoot()
        for position in stride(from: 0, to: mixture.count - 1, by: 2) {
            let (left, right) = generator.gaussianPair()
            mixture[position] += noise * left
            mixture[position + 1] += noise * right
        }
        Self.normalise(&mixture)
    }

    private static func normalise(_ vector: inout [Float]) {
        let squares = vector.reduce(0.0) { $0 + Double($1) * Double($1) }
        let scale = Float(1 / squares.squareRoot())
        for position in vector.indices { vector[position] *= scale }
    }
}
