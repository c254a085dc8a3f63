// SPDX-License-Identifier: Apache-2.0

/// Reads the text format as its specification says, one line after the other; anything else is an error.
struct NaiveParser {
    struct Malformed: Error { let line: String }

    struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    private(set) var samples: [Sample] = []
    private(set) var types: [String: String] = [:]
    private(set) var helps: [String: String] = [:]

    init(_ bytes: [UInt8]) throws {
        let text = String(validating: bytes, as: UTF8.self)
        guard let text, text.utf8.last == UInt8(ascii: "\n") else { throw Malformed(line: "the end") }
        for line in text.unicodeScalars.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            try self.read(String(String.UnicodeScalarView(line)))
        }
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        self.samples.first { $0.name == name && $0.labels == labels }?.value
    }

    private mutating func read(_ line: String) throws {
        if line.hasPrefix("# ") {
            let parts = line.split(separator: " ", maxSplits: 3).map(String.init)
            guard parts.count == 4 else { throw Malformed(line: line) }
            let isNew =
                parts[1] == "TYPE"
                ? self.types.updateValue(parts[3], forKey: parts[2]) == nil
                : self.helps.updateValue(parts[3], forKey: parts[2]) == nil
            guard isNew, ["TYPE", "HELP"].contains(parts[1]) else { throw Malformed(line: line) }
            return
        }
        var rest = Array(line.unicodeScalars)[...]
        let name = Self.takeName(&rest)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            repeat {
                rest.removeFirst()
                let label = Self.takeName(&rest)
                guard !label.isEmpty, rest.starts(with: ["=", "\""]) else { throw Malformed(line: line) }
                rest.removeFirst(2)
                guard let value = Self.takeQuoted(&rest), labels.updateValue(value, forKey: label) == nil else {
                    throw Malformed(line: line)
                }
            } while rest.first == ","
            guard rest.popFirst() == "}" else { throw Malformed(line: line) }
        }
        guard !name.isEmpty, rest.popFirst() == " ", let value = Self.number(rest) else { throw Malformed(line: line) }
        let isNew = !self.samples.contains { $0.name == name && $0.labels == labels }
        guard isNew else { throw Malformed(line: "twice: " + line) }
        self.samples.append(Sample(name: name, labels: labels, value: value))
    }

    private static func takeName(_ rest: inout ArraySlice<Unicode.Scalar>) -> String {
        var name = String.UnicodeScalarView()
        while let next = rest.first, next.isASCII,
            next.properties.isAlphabetic || "0123456789_:".unicodeScalars.contains(next)
        {
            name.append(rest.removeFirst())
        }
        return String(name)
    }

    private static func takeQuoted(_ rest: inout ArraySlice<Unicode.Scalar>) -> String? {
        var text = String.UnicodeScalarView()
        while let next = rest.popFirst() {
            switch next {
            case "\"": return String(text)
            case "\\":
                switch rest.popFirst() {
                case "n": text.append("\n")
                case "\\": text.append("\\")
                case "\"": text.append("\"")
                default: return nil
                }
            default: text.append(next)
            }
        }
        return nil
    }

    private static func number(_ rest: ArraySlice<Unicode.Scalar>) -> Double? {
        switch String(String.UnicodeScalarView(rest)) {
        case "+Inf": .infinity
        case "-Inf": -.infinity
        case "NaN": .nan
        case let text: Double(text)
        }
    }
}
