// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// Notices that another model answers than the one that the stored vectors are of. No side effects.
///
/// What it has found stays so until the service is started anew: vectors of two models must not meet, and nothing that
/// the provider says later makes up for those that may have slipped through.
struct ModelWatch: ~Copyable {
    /// Why the provider is refused; the raw value is the message.
    enum Fault: String, Error {
        case otherModel = "the provider answers with another model than it was asked for"
        case changedName = "the provider answers with another model than before"
        case unnamed = "the provider does not say which model answered"
        case changedVectors = "the provider's vectors are no longer those of the same model"
    }

    /// Models that many servers offer, so that one of these cannot be another name for what was asked for.
    private static let known = [
        "text-embedding-ada-002", "text-embedding-3-small", "text-embedding-3-large", "all-minilm-l6-v2",
        "all-mpnet-base-v2", "nomic-embed-text", "mxbai-embed-large", "bge-m3", "bge-small-en", "bge-base-en",
        "bge-large-en", "snowflake-arctic-embed", "e5-mistral-7b-instruct", "multilingual-e5-large",
    ]

    private let model: String
    private let expected: String?
    private let mustBeNamed: Bool
    private var seen: String?
    private(set) var canary: Embedding?
    private(set) var fault: Fault?
    /// Whether this process has seen the fixed text's vector, if there is one to compare it with.
    private(set) var isProved: Bool

    /// - Parameters:
    ///   - model: That was asked for.
    ///   - expected: What the provider calls it, byte for byte, if that is known.
    ///   - mustBeNamed: Whether the provider is one that names the model, and after what it was asked for.
    ///   - canary: The fixed text's vector of an earlier time.
    init(model: String, expected: String?, mustBeNamed: Bool, canary: Embedding?) {
        self.model = model
        self.expected = expected
        self.mustBeNamed = mustBeNamed
        self.canary = canary
        self.isProved = canary == nil
    }

    /// - Parameter name: As the answer has it.
    /// - Returns: Why the vectors must not be taken.
    mutating func check(name: String?) -> Fault? {
        if self.fault != nil { return self.fault }
        guard let name, !name.isEmpty else {
            // Of one answer: it says nothing of the next.
            return self.mustBeNamed || self.expected != nil ? .unnamed : nil
        }
        if let seen {
            if !seen.utf8.elementsEqual(name.utf8) { self.fault = .changedName }
        } else if self.mayBe(name) {
            self.seen = name
        } else {
            self.fault = .otherModel
        }
        return self.fault
    }

    /// - Parameter vector: Of the fixed text, as it is now.
    mutating func check(canary vector: Embedding) -> Fault? {
        if self.fault != nil { return self.fault }
        guard let canary else {
            self.canary = vector
            return nil
        }
        guard canary.dimensions == vector.dimensions else {
            self.fault = .changedVectors
            return self.fault
        }
        let similarity = zip(canary.values, vector.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        if similarity < Limits.canarySimilarity { self.fault = .changedVectors } else { self.isProved = true }
        return self.fault
    }

    private func mayBe(_ name: String) -> Bool {
        if let expected { return expected.utf8.elementsEqual(name.utf8) }
        let (asked, answered) = (Self.plain(self.model), Self.plain(name))
        if Self.extends(answered, asked) { return true }
        if self.mustBeNamed { return false }
        guard let other = Self.known.first(where: { Self.extends(answered, $0) }) else { return true }
        return Self.extends(asked, other)
    }

    /// Without whose it is: `sentence-transformers/all-MiniLM-L6-v2`.
    private static func plain(_ name: String) -> String {
        name.lowercased().split(separator: "/").last.map(String.init) ?? ""
    }

    /// Providers add a version or a tag: `text-embedding-ada-002-v2`, `nomic-embed-text:latest`.
    private static func extends(_ longer: String, _ shorter: String) -> Bool {
        guard !shorter.isEmpty, longer.utf8.starts(with: shorter.utf8) else { return false }
        guard let next = longer.utf8.dropFirst(shorter.utf8.count).first else { return true }
        return "-:@._".utf8.contains(next)
    }
}
