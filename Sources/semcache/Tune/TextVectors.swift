// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// Vectors of texts, as a cache's own model makes them.
enum TextVectors {
    /// - Returns: One for each different text.
    static func embed(
        _ texts: some Sequence<String>, in cache: String, _ client: CacheClient
    ) async throws -> [String: [Float]] {
        // Texts of like length share a batch: each takes as long as its longest.
        let all = Set(texts).sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
        let batches = stride(from: 0, to: all.count, by: EvalLimits.textsOfEmbed).map { start in
            Array(all[start..<min(all.count, start + EvalLimits.textsOfEmbed)])
        }
        var vectors: [String: [Float]] = [:]
        vectors.reserveCapacity(all.count)
        try await withThrowingTaskGroup(of: [(String, [Float])].self) { group in
            for (position, batch) in batches.enumerated() {
                if position >= EvalLimits.embedsInFlight, let done = try await group.next() {
                    for (text, vector) in done { vectors[text] = vector }
                }
                group.addTask { try await Self.embed(batch, in: cache, client) }
            }
            for try await done in group {
                for (text, vector) in done { vectors[text] = vector }
            }
        }
        return vectors
    }

    private static func embed(
        _ batch: [String], in cache: String, _ client: CacheClient
    ) async throws -> [(String, [Float])] {
        let embeddings = try await Patience.call { () async throws(CacheClientError) in
            try await client.embed(batch, in: cache)
        }
        return Array(zip(batch, embeddings.vectors))
    }

    /// Cosine of two vectors of unit length.
    static func similarity(_ one: [Float], _ other: [Float]) -> Float {
        zip(one, other).reduce(0) { $0 + $1.0 * $1.1 }
    }
}
