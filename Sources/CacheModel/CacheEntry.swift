// SPDX-License-Identifier: Apache-2.0

/// Milliseconds since the Unix epoch.
package struct Timestamp: Hashable, Sendable, Comparable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }

    /// Saturates instead of trapping: the duration may be a peer's.
    package static func + (left: Self, right: Duration) -> Self {
        let (sum, overflow) = left.milliseconds.addingReportingOverflow(right.wholeMilliseconds)
        return Self(milliseconds: overflow ? (right < .zero ? .min : .max) : sum)
    }

    package static func - (left: Self, right: Self) -> Duration {
        let (difference, overflow) = left.milliseconds.subtractingReportingOverflow(right.milliseconds)
        return .milliseconds(overflow ? (left > right ? Int64.max : .min) : difference)
    }
}

extension Duration {
    /// Whole milliseconds, rounded towards zero, saturating.
    package var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = self.components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, sumOverflow) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return sumOverflow ? (seconds < 0 ? .min : .max) : sum
    }
}

/// The value of an attribute.
package enum AttributeValue: Hashable, Sendable {
    case string(String)
    case number(Double)
    case boolean(Bool)
    case strings([String])
}

/// Typed metadata of an entry: filterable, not a part of its identity.
package struct Attribute: Hashable, Sendable {
    /// The attribute that holds an entry's tags, a list of strings.
    package static let tagsName = "tags"

    package let name: String
    package let value: AttributeValue

    package init(name: String, value: AttributeValue) {
        self.name = name
        self.value = value
    }
}

/// What a response cost to make.
package struct Usage: Hashable, Sendable {
    package let promptTokens: UInt64
    package let completionTokens: UInt64
    package let cost: Double

    package init(promptTokens: UInt64, completionTokens: UInt64, cost: Double) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cost = cost
    }
}

/// A stored answer.
package struct CacheEntry: Sendable, Equatable {
    package static let defaultContentType = "text/plain; charset=utf-8"

    package let id: EntryID
    /// `nil` where it is not known: a match on the wire does not carry it.
    package let prompt: CanonicalPrompt?
    /// Opaque: never parsed, never logged.
    package let response: [UInt8]
    package let contentType: String
    package let attributes: [Attribute]
    package let usage: Usage?
    package let createdAt: Timestamp
    /// From then on it is stale: it still answers, but a new one should be made. Not after ``expiresAt``.
    package let freshUntil: Timestamp
    /// Its end, absolute; a hit does not move it.
    package let expiresAt: Timestamp
    /// `nil` until it is known: of its response, it is computed when it is asked for.
    private let knownCluster: AnswerCluster?

    /// - Parameter cluster: That of the response if `nil`.
    package init(
        id: EntryID, prompt: CanonicalPrompt?, response: [UInt8], contentType: String, attributes: [Attribute],
        usage: Usage?, createdAt: Timestamp, freshUntil: Timestamp? = nil, expiresAt: Timestamp,
        cluster: AnswerCluster? = nil
    ) {
        self.id = id
        self.prompt = prompt
        self.response = response
        self.contentType = contentType
        self.attributes = attributes
        self.usage = usage
        self.createdAt = createdAt
        self.freshUntil = min(freshUntil ?? expiresAt, expiresAt)
        self.expiresAt = expiresAt
        self.knownCluster = cluster
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.id == right.id && left.prompt == right.prompt && left.response == right.response
            && left.contentType == right.contentType && left.attributes == right.attributes
            && left.usage == right.usage && left.createdAt == right.createdAt && left.freshUntil == right.freshUntil
            && left.expiresAt == right.expiresAt
            && (left.knownCluster == right.knownCluster || left.cluster == right.cluster)
    }

    package func isStale(at now: Timestamp) -> Bool { self.freshUntil <= now }
}

extension CacheEntry {
    /// Those of its partition that have the same answer. Not a part of its identity, and not exported.
    ///
    /// - Complexity: A pass over the response where it is not known, as in an entry that no store has made.
    package var cluster: AnswerCluster { self.knownCluster ?? AnswerCluster(of: self.response) }

    /// The entry in a cluster, as it is known from then on.
    package func inCluster(_ cluster: AnswerCluster) -> Self {
        Self(
            id: self.id, prompt: self.prompt, response: self.response, contentType: self.contentType,
            attributes: self.attributes, usage: self.usage, createdAt: self.createdAt, freshUntil: self.freshUntil,
            expiresAt: self.expiresAt, cluster: cluster)
    }

    /// What the entry takes of its tenant's byte quota: response, prompt, content type, attributes and vector.
    package func quotaBytes(dimensions: Int) -> Int {
        let attributes = self.attributes.reduce(0) { sum, attribute in
            let value: Int
            switch attribute.value {
            case .string(let text): value = text.utf8.count
            case .strings(let strings): value = strings.reduce(0) { $0 + $1.utf8.count }
            case .number, .boolean: value = 8
            }
            return sum + attribute.name.utf8.count + value
        }
        return self.response.count + (self.prompt?.text.utf8.count ?? 0) + self.contentType.utf8.count + attributes
            + 4 * dimensions
    }

    /// About what the entry takes in memory, bytes: its values and what holds them.
    package var approximateBytes: Int {
        let values = self.attributes.reduce(0) { sum, attribute in
            switch attribute.value {
            case .string(let text): sum + text.utf8.count
            case .strings(let strings): strings.reduce(sum) { $0 + $1.utf8.count + 32 }
            case .number, .boolean: sum
            }
        }
        let names = self.attributes.reduce(0) { $0 + $1.name.utf8.count + 96 }
        return 256 + self.response.count + self.contentType.utf8.count + (self.prompt?.text.utf8.count ?? 0) + values
            + names
    }
}
