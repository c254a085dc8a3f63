// SPDX-License-Identifier: Apache-2.0

/// Questions, and what is the right answer to each.
struct LabelledStream: Sendable {
    struct Question: Sendable, Equatable {
        let text: String
        /// Index of its label.
        let label: Int
        /// Which file it is of.
        let part: Int
    }

    /// What questions with the same answer have in common.
    struct Label: Sendable, Equatable {
        /// As it is stored.
        let answer: String
        /// Numbers of its right answers, ascending.
        let rightAnswers: [Int]
    }

    private(set) var questions: [Question] = []
    private(set) var labels: [Label] = []
    /// Where each file's questions are.
    private(set) var parts: [Range<Int>] = []
    private var labelNumbers: [String: Int] = [:]
    private var answerNumbers: [String: Int] = [:]

    init() {}

    /// Reads a file after those that were read.
    ///
    /// - Parameters:
    ///   - path: Of lines `question<TAB>label`, the first of which is a header, or of NDJSON with "prompt" and "response",
    ///     whose right answers are separated by ` | `.
    ///   - limit: Questions to read at most; `nil` for all.
    /// - Throws: ``CommandFault`` that names the line.
    mutating func read(_ path: String, limit: Int?) async throws {
        let start = self.questions.count
        var isJSON = false
        var part = self
        try await LabelledLines.read(path) { (line, isFirst) throws(CommandFault) in
            if isFirst {
                isJSON = line.first == 0x7b
                if !isJSON { _ = try StreamLine(columns: line) }
            }
            guard isJSON || !isFirst, part.questions.count - start < limit ?? .max else { return }
            guard part.questions.count < EvalLimits.maximumQuestions else {
                throw CommandFault("there are more than \(EvalLimits.maximumQuestions) questions")
            }
            part.append(try isJSON ? StreamLine(json: line) : StreamLine(columns: line), isJSON: isJSON)
        }
        guard part.questions.count > start else { throw CommandFault("\(Output.printable(path)) has no questions") }
        self = part
        self.parts.append(start..<self.questions.count)
    }

    mutating func append(_ line: StreamLine, isJSON: Bool) {
        // Of two files the same label means nothing.
        let part = self.parts.count
        let name = "\(part)\u{0}\(line.label)"
        let label: Int
        if let known = self.labelNumbers[name] {
            label = known
        } else {
            label = self.labels.count
            self.labelNumbers[name] = label
            let answers = isJSON ? Self.answers(line.label) : [line.label]
            self.labels.append(
                Label(answer: line.label, rightAnswers: Set(answers.map { self.number(of: $0, part) }).sorted()))
        }
        self.questions.append(Question(text: line.question, label: label, part: part))
    }

    private mutating func number(of answer: String, _ part: Int) -> Int {
        let name = "\(part)\u{0}\(answer)"
        let number = self.answerNumbers[name] ?? self.answerNumbers.count
        self.answerNumbers[name] = number
        return number
    }

    /// Whether the answer to the one is right for the other: they have a right answer in common.
    func agree(_ one: Int, _ other: Int) -> Bool {
        guard one != other else { return true }
        var (left, right) = (self.labels[one].rightAnswers[...], self.labels[other].rightAnswers[...])
        while let first = left.first, let second = right.first {
            if first == second { return true }
            if first < second { left = left.dropFirst() } else { right = right.dropFirst() }
        }
        return false
    }

    /// Order 0 is that of the files; in each other one every file is shuffled, by the order's number alone.
    func order(_ number: Int) -> [Int] {
        guard number > 0 else { return Array(self.questions.indices) }
        return self.parts.enumerated().flatMap { part, range in
            var numbers = SeededNumbers(UInt64(number), of: part)
            return numbers.order(of: range)
        }
    }

    /// The answers of a list, folded: case and punctuation do not count.
    static func answers(_ list: String) -> [String] {
        var answers: [String] = []
        var rest = list[...]
        while true {
            let end = rest.firstRange(of: " | ")
            let answer = self.folded(rest[..<(end?.lowerBound ?? rest.endIndex)])
            if !answer.isEmpty { answers.append(answer) }
            guard let end else { break }
            rest = rest[end.upperBound...]
        }
        // Nothing but punctuation is an answer too.
        return answers.isEmpty ? [list] : answers
    }

    private static func folded(_ answer: Substring) -> String {
        var folded = ""
        var isApart = false
        for scalar in answer.lowercased().unicodeScalars {
            let properties = scalar.properties
            guard
                properties.isAlphabetic || properties.numericType != nil
                    || properties.generalCategory == .nonspacingMark
            else {
                isApart = true
                continue
            }
            if isApart, !folded.isEmpty { folded.append(" ") }
            isApart = false
            folded.unicodeScalars.append(scalar)
        }
        return folded
    }
}
