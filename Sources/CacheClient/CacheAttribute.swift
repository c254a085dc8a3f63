// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// The value of an attribute: typed metadata of an entry, not a part of its identity.
public enum CacheAttribute: Sendable, Hashable {
    /// Any text.
    case string(String)
    /// Must be finite.
    case number(Double)
    /// True or false.
    case boolean(Bool)
    /// A list of texts, such as tags.
    case strings([String])
}

extension CacheAttribute: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
}

extension CacheAttribute: ExpressibleByFloatLiteral {
    public init(floatLiteral value: Double) { self = .number(value) }
}

extension CacheAttribute: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int) { self = .number(Double(value)) }
}

extension CacheAttribute: ExpressibleByBooleanLiteral {
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

extension CacheAttribute: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: String...) { self = .strings(elements) }
}

extension CacheAttribute {
    init(_ value: AttributeValue) {
        switch value {
        case .string(let text): self = .string(text)
        case .number(let number): self = .number(number)
        case .boolean(let boolean): self = .boolean(boolean)
        case .strings(let strings): self = .strings(strings)
        }
    }

    /// The first of a name, if a server sends several.
    static func byName(_ attributes: [Attribute]) -> [String: Self] {
        Dictionary(attributes.map { ($0.name, Self($0.value)) }, uniquingKeysWith: { first, _ in first })
    }

    var value: AttributeValue {
        switch self {
        case .string(let text): .string(text)
        case .number(let number): .number(number)
        case .boolean(let boolean): .boolean(boolean)
        case .strings(let strings): .strings(strings)
        }
    }
}

/// What a response cost to make.
public struct CacheUsage: Sendable, Hashable {
    /// Tokens that the model read.
    public var promptTokens: UInt64
    /// Tokens that the model wrote.
    public var completionTokens: UInt64
    /// In the currency that the caller counts in; finite, at least 0.
    public var cost: Double

    /// Makes the cost of one response.
    public init(promptTokens: UInt64, completionTokens: UInt64, cost: Double) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cost = cost
    }
}

extension CacheUsage {
    init(_ usage: Usage) {
        self.init(promptTokens: usage.promptTokens, completionTokens: usage.completionTokens, cost: usage.cost)
    }

    var usage: Usage {
        Usage(promptTokens: self.promptTokens, completionTokens: self.completionTokens, cost: self.cost)
    }
}

/// A moment by the server's clock.
public struct CacheInstant: Sendable, Hashable, Comparable {
    /// Since the Unix epoch.
    public let milliseconds: Int64

    /// Makes a moment.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
}

extension CacheInstant {
    init(_ timestamp: Timestamp) { self.init(milliseconds: timestamp.milliseconds) }
}

/// What an entry is known by: the digest of its partition and prompt.
public struct CacheEntryID: Sendable, Hashable {
    let id: EntryID

    init(_ id: EntryID) { self.id = id }

    /// Reads 32 lower-case hexadecimal digits; `nil` for anything else.
    public init?(_ text: String) {
        guard let id = EntryID(text: text.utf8) else { return nil }
        self.id = id
    }
}

extension CacheEntryID: CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    public var description: String { self.id.description }
}
