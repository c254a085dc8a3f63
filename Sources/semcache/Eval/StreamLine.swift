// SPDX-License-Identifier: Apache-2.0

import CacheClient
import CacheModel

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// One line of a labelled stream.
struct StreamLine: Equatable {
    let question: String
    /// The label, or the answers as they are written.
    let label: String

    /// Reads `question<TAB>label`.
    ///
    /// - Throws: ``CommandFault`` without any of the line's text.
    init(columns line: [UInt8]) throws(CommandFault) {
        let columns = try Self.columns(line)
        guard columns.count == 2 else {
            throw CommandFault(
                columns.count < 2 ? "has no tab: a question, a tab and its label belong there" : "has more than one tab"
            )
        }
        guard !columns[1].isEmpty else { throw CommandFault("has no label after the tab") }
        self.question = try Self.question(columns[0])
        self.label = columns[1]
    }

    /// Reads `{"prompt": …, "response": …}`.
    ///
    /// - Throws: ``CommandFault`` without any of the line's text.
    init(json line: [UInt8]) throws(CommandFault) {
        try Self.check(line)
        let record = try ImportRecord(line: line)
        guard let label = String(validating: record.response, as: UTF8.self) else {
            throw CommandFault("\"response\" is not text", field: "response")
        }
        self.question = try Self.question(record.prompt)
        self.label = label
    }

    /// Cuts a line of text at its tabs.
    static func columns(_ line: [UInt8]) throws(CommandFault) -> [String] {
        try Self.check(line)
        var line = line[...]
        if line.last == 0x0d { line = line.dropLast() }
        guard let text = String(validating: line, as: UTF8.self) else { throw CommandFault("is not valid UTF-8") }
        // By bytes: as a character, a tab may be part of a longer one.
        return text.utf8.split(separator: 0x09, omittingEmptySubsequences: false).map { String(Substring($0)) }
    }

    /// - Returns: The same.
    static func question(_ text: String) throws(CommandFault) -> String {
        do throws(CacheError) {
            _ = try CanonicalPrompt(text)
        } catch {
            throw CommandFault("has a question that no lookup takes: \(error.message)")
        }
        return text
    }

    private static func check(_ line: [UInt8]) throws(CommandFault) {
        guard line.contains(where: { $0 > 0x20 }) else { throw CommandFault("is empty") }
        guard !line.contains(0) else { throw CommandFault("has a NUL") }
    }
}

/// Reads all lines of a file whose lines are small.
enum LabelledLines {
    /// - Parameter body: Gets each line's bytes and whether it is the first; what it throws is said with the line's number.
    static func read(_ path: String, _ body: (_ line: [UInt8], _ isFirst: Bool) throws(CommandFault) -> Void)
        async throws
    {
        var reader = try LineReader(path)
        let name = path == "-" ? "the standard input" : Output.printable(path)
        while let line = try await reader.next() {
            switch line {
            case .tooLong(let number):
                throw self.fault(CommandFault("has too many bytes"), name, number)
            case .content(let bytes, let number):
                guard bytes.count <= EvalLimits.maximumLineBytes else {
                    throw self.fault(
                        CommandFault("has \(bytes.count) bytes, the limit is \(EvalLimits.maximumLineBytes)"), name,
                        number)
                }
                do throws(CommandFault) {
                    try body(bytes, number == 1)
                } catch {
                    throw self.fault(error, name, number)
                }
            }
        }
    }

    private static func fault(_ fault: CommandFault, _ name: String, _ line: Int) -> CommandFault {
        CommandFault("\(name), line \(line): \(fault.text)", code: fault.code, field: fault.field)
    }
}
