// SPDX-License-Identifier: Apache-2.0

import CacheClient

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Writing and reading JSON.
enum JSONText {
    /// Writes an object on one line.
    static func line(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Our own structures hold nothing that JSON has no form for.
        guard let data = try? encoder.encode(value) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    /// Reads the value of an attribute; `nil` if it is none.
    static func attribute(_ text: String) -> CacheAttribute? {
        try? JSONDecoder().decode(JSONAttribute.self, from: Data(text.utf8)).value
    }
}

/// An attribute's value as JSON has it: a string, a number, a Boolean or a list of strings.
struct JSONAttribute: Codable, Equatable {
    let value: CacheAttribute

    init(_ value: CacheAttribute) { self.value = value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let boolean = try? container.decode(Bool.self) {
            self.value = .boolean(boolean)
        } else if let number = try? container.decode(Double.self), number.isFinite {
            self.value = .number(number)
        } else if let text = try? container.decode(String.self) {
            self.value = .string(text)
        } else if let strings = try? container.decode([String].self) {
            self.value = .strings(strings)
        } else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "is not a string, a number, a Boolean or a list of strings")
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self.value {
        case .string(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        case .boolean(let boolean): try container.encode(boolean)
        case .strings(let strings): try container.encode(strings)
        }
    }
}

/// What a response cost to make.
struct JSONUsage: Codable, Equatable {
    let promptTokens: UInt64
    let completionTokens: UInt64
    let cost: Double

    enum CodingKeys: String, CodingKey {
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"
        case cost
    }

    init(_ usage: CacheUsage) {
        self.promptTokens = usage.promptTokens
        self.completionTokens = usage.completionTokens
        self.cost = usage.cost
    }

    var usage: CacheUsage {
        CacheUsage(promptTokens: self.promptTokens, completionTokens: self.completionTokens, cost: self.cost)
    }
}

extension CacheInstant {
    static var now: Self { Self(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000)) }

    /// Reads what ``text`` writes; `nil` for anything else.
    init?(_ text: String) {
        if let milliseconds = Int64(text) {
            self.init(milliseconds: milliseconds)
        } else if let date = (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            ?? (try? Date(text, strategy: .iso8601)),
            let milliseconds = Int64(exactly: (date.timeIntervalSince1970 * 1000).rounded())
        {
            self.init(milliseconds: milliseconds)
        } else {
            return nil
        }
    }

    /// In UTC, such as `2025-11-21T07:45:00.123Z`; the bare number for what is no year of four digits.
    var text: String {
        guard (0..<253_402_300_800_000).contains(self.milliseconds) else { return "\(self.milliseconds)" }
        // In the middle of its millisecond: what follows cuts off.
        let date = Date(timeIntervalSince1970: (Double(self.milliseconds) + 0.5) / 1000)
        return date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
