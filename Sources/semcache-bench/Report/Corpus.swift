// SPDX-License-Identifier: Apache-2.0

import CacheModel
import Foundation
import LocalEmbedder

/// Questions from a file, and the model that reads them.
enum Corpus {
    /// A prompt and what is to be answered to it.
    struct Pair {
        let prompt: CanonicalPrompt
        /// `nil` in a file of questions alone.
        let response: [UInt8]?
    }

    private struct Line: Decodable {
        let prompt: String
        let response: String
    }

    /// Reads one question per line, or one JSON object with `prompt` and `response` per line.
    ///
    /// - Throws: ``BenchError`` naming the line that cannot be used.
    static func read(_ path: String) throws -> [Pair] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw BenchError("\(path) cannot be read")
        }
        let isJSON = data.first == UInt8(ascii: "{")
        let decoder = JSONDecoder()
        return try data.split(separator: UInt8(ascii: "\n")).enumerated().map { number, line in
            do {
                guard isJSON else {
                    return Pair(prompt: try CanonicalPrompt(String(decoding: line, as: UTF8.self)), response: nil)
                }
                let pair = try decoder.decode(Line.self, from: line)
                return Pair(prompt: try CanonicalPrompt(pair.prompt), response: Array(pair.response.utf8))
            } catch {
                throw BenchError("\(path), line \(number + 1): \(error)")
            }
        }
    }

    /// Finds the model as the service does.
    ///
    /// - Throws: ``ModelError`` that says where a model can be had.
    static func modelFiles(_ folder: String?) throws -> ModelFiles {
        let environment = ProcessInfo.processInfo.environment
        let caches = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.cache"
        let configured = folder ?? environment["SEMCACHED_EMBEDDER_MODEL_PATH"]
        return try ModelFiles(folder: configured ?? caches + "/semcached/all-MiniLM-L6-v2", verify: false)
    }
}
