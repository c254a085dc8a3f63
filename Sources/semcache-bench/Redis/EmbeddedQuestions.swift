// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Distinct questions of a file in random order, the same on each run, with their vectors.
struct EmbeddedQuestions {
    let prompts: [CanonicalPrompt]
    let vectors: Vectors

    var count: Int { self.prompts.count }

    /// - Parameters:
    ///   - vectors: A file of the vectors of all questions of the file; written if it is not there.
    ///   - limit: How many to take at most.
    init(file: String, vectors: String?, model: String?, limit: Int) throws {
        let all = try Corpus.read(file).map(\.prompt)
        var generator = SeededGenerator(seed: VectorSet.seed)
        var known: Set<CanonicalPrompt> = []
        let chosen = all.indices.shuffled(using: &generator).filter { known.insert(all[$0]).inserted }
        let taken = chosen.prefix(limit)
        self.prompts = taken.map { all[$0] }
        if let vectors {
            let computed = try QuestionVectors.load(questions: file, vectors: vectors, model: model)
            guard computed.count == all.count else { throw BenchError("\(vectors) is of other questions") }
            self.vectors = Vectors(
                dimensions: computed.dimensions, values: taken.flatMap { computed.vector($0) })
        } else {
            self.vectors = try QuestionVectors.compute(self.prompts.map(\.text), model: model)
        }
    }

    func embedding(_ position: Int) -> Embedding { Embedding(unitLength: Array(self.vectors.vector(position))) }
}

extension SeededGenerator {
    /// Makes a vector as similar to another as asked.
    ///
    /// - Parameters:
    ///   - vector: Of unit length.
    ///   - similarity: 0…1.
    mutating func neighbour(of vector: some Collection<Float>, similarity: Float) -> [Float] {
        var noise: [Float] = []
        while noise.count < vector.count {
            let (first, second) = self.gaussianPair()
            noise += [first, second]
        }
        let along = zip(noise, vector).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        let across = zip(noise, vector).map { $0 - along * $1 }
        let length = across.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
        let share = (1 - similarity * similarity).squareRoot() / length
        let mixed = zip(vector, across).map { similarity * $0 + share * $1 }
        let scale = 1 / mixed.reduce(Float(0)) { $0 + $1 * $1 }.squareRoot()
        return mixed.map { $0 * scale }
    }

    /// Uniform.
    mutating func uniform(in range: ClosedRange<Float>) -> Float {
        range.lowerBound + self.uniform() * (range.upperBound - range.lowerBound)
    }
}
