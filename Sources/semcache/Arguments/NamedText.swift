// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient

/// `name=value`.
struct NamedText: ExpressibleByArgument, Equatable {
    let name: String
    let text: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
        self.name = String(argument[..<equals])
        self.text = String(argument[argument.index(after: equals)...])
    }

    /// - Throws: `ValidationError` if a name occurs twice.
    static func dictionary<Value>(_ pairs: [(String, Value)], option: String) throws -> [String: Value] {
        var dictionary: [String: Value] = [:]
        for (name, value) in pairs {
            guard dictionary.updateValue(value, forKey: name) == nil else {
                throw ValidationError("\(option) \(name) is given twice.")
            }
        }
        return dictionary
    }
}

/// An attribute: `name=value`, whose type is that of what it looks like, or `name:=JSON`, whose type is as written.
///
/// `true` and `false` are Booleans, numbers are numbers, a JSON list of strings is a list; anything else is a string.
/// `version:="1.10"` is how to store as a string what looks like something else.
struct AttributeText: ExpressibleByArgument, Equatable {
    let name: String
    let value: CacheAttribute

    init?(argument: String) {
        guard let pair = NamedText(argument: argument) else { return nil }
        if pair.name.hasSuffix(":") {
            let name = String(pair.name.dropLast())
            guard !name.isEmpty, let value = JSONText.attribute(pair.text) else { return nil }
            self.name = name
            self.value = value
        } else {
            self.name = pair.name
            self.value = Self.value(looksLike: pair.text)
        }
    }

    static func value(looksLike text: String) -> CacheAttribute {
        switch text {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        default: break
        }
        // Only what JSON calls a number or a list: `nan`, `0x10`, `007` and `[draft]` are words.
        let isCandidate = text.utf8.first.map { $0 == 0x2d || $0 == 0x5b || (0x30...0x39).contains($0) } ?? false
        if isCandidate, let value = JSONText.attribute(text) { return value }
        return .string(text)
    }
}
