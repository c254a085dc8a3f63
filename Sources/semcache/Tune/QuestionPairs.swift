// SPDX-License-Identifier: Apache-2.0

/// Two questions, and whether the answer to the one is right for the other.
struct QuestionPair: Sendable, Equatable {
    let asked: String
    let stored: String
    let isSame: Bool

    /// Reads `asked<TAB>stored<TAB>0 or 1`, with another column before, perhaps.
    ///
    /// - Throws: ``CommandFault`` without any of the line's text.
    init(line: [UInt8]) throws(CommandFault) {
        let columns = try StreamLine.columns(line)
        guard columns.count == 3 || columns.count == 4 else {
            throw CommandFault("has not 3 or 4 columns: two questions and 0 or 1, after a kind, perhaps")
        }
        let fields = Array(columns.suffix(3))
        switch fields[2] {
        case "0": self.isSame = false
        case "1": self.isSame = true
        default: throw CommandFault("does not end with 0 or 1")
        }
        self.asked = try StreamLine.question(fields[0])
        self.stored = try StreamLine.question(fields[1])
    }

    /// Reads a file; its first line is a header.
    ///
    /// - Throws: ``CommandFault`` that names the line.
    static func read(_ path: String) async throws -> [Self] {
        var pairs: [Self] = []
        try await LabelledLines.read(path) { (line, isFirst) throws(CommandFault) in
            if isFirst { return }
            guard pairs.count < EvalLimits.maximumPairs else {
                throw CommandFault("there are more than \(EvalLimits.maximumPairs) pairs")
            }
            pairs.append(try Self(line: line))
        }
        guard !pairs.isEmpty else { throw CommandFault("\(Output.printable(path)) has no pairs") }
        return pairs
    }
}
