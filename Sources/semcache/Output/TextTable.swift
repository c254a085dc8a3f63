// SPDX-License-Identifier: Apache-2.0

/// A table of text: the first column to the left, the others to the right.
struct TextTable {
    private let header: [String]
    private var rows: [[String]] = []

    init(_ header: [String]) { self.header = header }

    mutating func append(_ row: [String]) {
        precondition(row.count == self.header.count, "a row has as many cells as the header")
        self.rows.append(row.map { Output.printable($0) })
    }

    var lines: [String] {
        let all = [self.header] + self.rows
        let widths = self.header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            let cells = zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + padding : padding + cell.0
            }
            let line = cells.joined(separator: "  ")
            return String(line[..<(line.lastIndex { $0 != " " }.map { line.index(after: $0) } ?? line.startIndex)])
        }
    }
}

/// Numbers as people read them.
enum NumberText {
    /// With a comma at each thousand.
    static func grouped(_ number: some BinaryInteger) -> String {
        let digits = Array(number.magnitude.description)
        var text = number < 0 ? "-" : ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// A number of things, such as `1 entry` or `2,000 entries`.
    static func count(_ number: Int, _ one: String, _ many: String) -> String {
        "\(self.grouped(number)) \(number == 1 ? one : many)"
    }

    /// In the largest unit that leaves at least 1, such as `1.5 MiB`.
    static func bytes(_ count: UInt64) -> String {
        guard count >= 1024 else { return "\(count) B" }
        var value = Double(count) / 1024
        var units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][...]
        while value >= 1024, units.count > 1 {
            value /= 1024
            units = units.dropFirst()
        }
        return "\(self.fixed(value, digits: 1)) \(units.first ?? "")"
    }

    /// With a fixed number of digits after the point, rounded.
    static func fixed(_ number: Double, digits: Int) -> String {
        guard number.isFinite, abs(number) < 1e15 else { return "\(number)" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((abs(number) * scale).rounded())
        let sign = number < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(scaled)" }
        let fraction = String(scaled % Int64(scale))
        return "\(sign)\(scaled / Int64(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }

    static func percent(_ ratio: Double) -> String { "\(self.fixed(ratio * 100, digits: 1)) %" }

    static func similarity(_ similarity: Float) -> String { self.fixed(Double(similarity), digits: 4) }
}
