// SPDX-License-Identifier: Apache-2.0

import Foundation
import Yams

/// A YAML file of settings: sections of single values, which the environment and the command line may override, and the
/// lists of tenants, gateways, embedders and judges, which only a file can hold.
struct SettingsFile {
    /// `section.key` to its text.
    private(set) var values: [String: String] = [:]
    private(set) var tenants: [SettingsNode] = []
    private(set) var gateways: [SettingsNode] = []
    private(set) var embedders: [SettingsNode] = []
    private(set) var judges: [SettingsNode] = []
    private(set) var otherTenants: SettingsNode?

    /// - Throws: ``SettingsError`` for a file that cannot be read or is not of this form.
    init(path: String) throws {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw SettingsError("\(path) cannot be read: \(error.localizedDescription)")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            // Not the library's text: it shows lines of the file, and these may be secret.
            throw SettingsError("\(path) is no valid YAML\(Self.place(of: error))")
        }
        guard let root, !root.isNothing else { return }
        guard let mapping = root.mapping else { throw SettingsError("\(path) must be a mapping of sections") }
        for (section, value) in mapping {
            guard let name = section.string else { throw SettingsError("\(path) has a section without a name") }
            switch name {
            case "tenants": self.tenants = try SettingsNode.list(value, path: name)
            case "gateways": self.gateways = try SettingsNode.list(value, path: name)
            case "embedders": self.embedders = try SettingsNode.list(value, path: name)
            case "judges": self.judges = try SettingsNode.list(value, path: name)
            case "other_tenants": self.otherTenants = try SettingsNode(value, path: name)
            default: try self.readSection(name, value)
            }
        }
    }

    private mutating func readSection(_ name: String, _ value: Node) throws {
        if value.isNothing { return }
        guard value.mapping != nil else {
            // Known to be none of ours: the caller says what there is.
            self.values[name] = ""
            return
        }
        let section = try SettingsNode(value, path: name)
        for key in section.keys { self.values["\(name).\(key)"] = try section.string(key) }
    }

    private static func place(of error: any Error) -> String {
        guard let error = error as? YamlError else { return "" }
        switch error {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
            return " at line \(mark.line), column \(mark.column)"
        default: return ""
        }
    }
}

extension Node {
    /// Whether a key has nothing behind it.
    fileprivate var isNothing: Bool { self.scalar.map { $0.string.isEmpty || self.null != nil } ?? false }
}

/// A mapping of the file, with the path by which errors name it.
struct SettingsNode: SettingsReader {
    let path: String
    private var nodes: [String: Node] = [:]
    private(set) var keys: [String] = []

    init(_ node: Node, path: String) throws {
        self.path = path
        guard let mapping = node.mapping else { throw SettingsError("\(path) must be a mapping of settings") }
        for (key, value) in mapping {
            guard let key = key.string else { throw SettingsError("\(path) has a key that is no text") }
            self.keys.append(key)
            self.nodes[key] = value
        }
        guard Set(self.keys).count == self.keys.count else { throw SettingsError("\(path) has the same key twice") }
    }

    /// Keys whose value is a list of words.
    private static let lists: Set<String> = ["roles", "prompt_roles", "algorithms", "fallback", "guards"]

    func name(of key: String) -> String { "\(self.path).\(key)" }

    /// - Throws: ``SettingsError`` for a key that is none of these.
    func check(keys known: Set<String>) throws {
        for key in self.keys where !known.contains(key) {
            throw SettingsError(
                "\(self.path) has the unknown key \(key); known are \(known.sorted().joined(separator: ", "))")
        }
    }

    func string(_ key: String) throws -> String? {
        guard let node = self.nodes[key] else { return nil }
        // A list of words is one value, whichever way it is written.
        if Self.lists.contains(key), let sequence = node.sequence, sequence.allSatisfy({ $0.scalar != nil }) {
            return sequence.compactMap { $0.scalar?.string }.joined(separator: ",")
        }
        guard let text = node.scalar?.string else {
            throw SettingsError("\(self.name(of: key)) must be a single value")
        }
        guard !text.isEmpty else { throw SettingsError("\(self.name(of: key)) is empty") }
        return text
    }

    /// A value whose commas are its own.
    func exactString(_ key: String) throws -> String? {
        guard let node = self.nodes[key] else { return nil }
        guard let text = node.scalar?.string else {
            throw SettingsError("\(self.name(of: key)) must be a single value")
        }
        return text
    }

    /// Values of a list whose commas are their own.
    func exactStrings(_ key: String) throws -> [String]? {
        guard let node = self.nodes[key] else { return nil }
        guard let sequence = node.sequence, sequence.allSatisfy({ $0.scalar != nil }) else {
            throw SettingsError("\(self.name(of: key)) must be a list of values")
        }
        return sequence.compactMap { $0.scalar?.string }
    }

    func list(_ key: String) throws -> [SettingsNode] {
        try self.nodes[key].map { try Self.list($0, path: self.name(of: key)) } ?? []
    }

    func mapping(_ key: String) throws -> SettingsNode? {
        try self.nodes[key].map { try Self($0, path: self.name(of: key)) }
    }

    static func list(_ node: Node, path: String) throws -> [SettingsNode] {
        if node.isNothing { return [] }
        guard let sequence = node.sequence else { throw SettingsError("\(path) must be a list") }
        return try sequence.enumerated().map { try Self($1, path: "\(path)[\($0)]") }
    }
}
