// SPDX-License-Identifier: Apache-2.0

import CacheModel
import FoundationEssentials

/// What a provider answered, read strictly: vectors that are not exactly those that were asked for are none.
struct ProviderAnswer {
    /// The raw value is the message; nothing of the answer is in it.
    enum Fault: String, Error {
        case malformed = "the provider's answer is not what its protocol says"
        case count = "the provider did not answer with one vector for each text"
        case dimensions = "the provider's vectors are not of the dimensions that were configured"
        case values = "a vector of the provider has no direction, or values that are not finite numbers"
    }

    /// In the order of the texts.
    let vectors: [Embedding]
    let model: String?
    let tokens: Int?

    /// - Parameter body: Bounded already.
    init(
        _ body: [UInt8], of provider: HTTPEmbedder.Configuration.Provider, count: Int, dimensions: Int
    ) throws(Fault) {
        let numbers: [[Float]]
        if provider == .ollama {
            let answer: OllamaAnswer = try Self.decode(body)
            numbers = answer.embeddings
            self.model = answer.model
            self.tokens = answer.prompt_eval_count
        } else {
            let answer: OpenAIAnswer = try Self.decode(body)
            numbers = try Self.ordered(answer.data, count: count)
            self.model = answer.model
            self.tokens = answer.usage?.total_tokens ?? answer.usage?.prompt_tokens
        }
        guard numbers.count == count else { throw .count }
        var vectors: [Embedding] = []
        for numbers in numbers {
            guard numbers.count == dimensions else { throw .dimensions }
            guard let vector = try? Embedding(normalising: numbers, dimensions: dimensions) else { throw .values }
            vectors.append(vector)
        }
        self.vectors = vectors
    }

    /// `code` or `type` of an error, if it has one.
    static func errorCodes(_ body: [UInt8]) -> Set<String> {
        guard body.count <= Limits.providerOverheadBytes,
            let answer = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(body))
        else { return [] }
        return Set([answer.error.code, answer.error.type].compactMap(\.self))
    }

    /// - Parameter body: Bounded already.
    static func decode<Answer: Decodable>(_ body: [UInt8]) throws(Fault) -> Answer {
        // The decoder takes other encodings too.
        guard !body.contains(0), String(validating: body, as: UTF8.self) != nil else { throw .malformed }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)) else { throw .malformed }
        return answer
    }

    private static func ordered(_ data: [OpenAIAnswer.Item], count: Int) throws(Fault) -> [[Float]] {
        guard data.count == count else { throw .count }
        var numbers = [[Float]?](repeating: nil, count: count)
        for item in data {
            guard numbers.indices.contains(item.index), numbers[item.index] == nil else { throw .count }
            numbers[item.index] = item.embedding.numbers
        }
        return numbers.compactMap(\.self)
    }
}

/// Fields as they are on the wire, here and below.
private struct OpenAIAnswer: Decodable {
    struct Item: Decodable {
        let index: Int
        let embedding: Numbers
    }

    struct Usage: Decodable {
        let prompt_tokens: Int?
        let total_tokens: Int?
    }

    let data: [Item]
    let model: String?
    let usage: Usage?
}

private struct OllamaAnswer: Decodable {
    let embeddings: [[Float]]
    let model: String?
    let prompt_eval_count: Int?
}

private struct ErrorAnswer: Decodable {
    struct Detail: Decodable {
        let code: String?
        let type: String?
    }

    let error: Detail
}

/// A list of numbers, or what they are in memory, little-endian, in Base64.
private struct Numbers: Decodable {
    let numbers: [Float]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let text = try? container.decode(String.self) else {
            self.numbers = try container.decode([Float].self)
            return
        }
        guard let bytes = Data(base64Encoded: text), bytes.count.isMultiple(of: 4) else {
            throw ProviderAnswer.Fault.malformed
        }
        self.numbers = bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 4).map { offset in
                Float(
                    bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            }
        }
    }
}
