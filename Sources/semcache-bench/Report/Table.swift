// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Figures with a title that says how they were got.
struct Table {
    let title: String
    let columns: [String]
    private var rows: [[String]] = []

    init(_ title: String, columns: [String]) {
        self.title = title
        self.columns = columns
    }

    /// Appends a row with one cell per column.
    mutating func add(_ cells: String...) { self.add(cells) }

    mutating func add(_ cells: [String]) {
        precondition(cells.count == self.columns.count, "a row has one cell per column")
        self.rows.append(cells)
    }

    /// Prints aligned columns, the first one to the left, or a JSON object per row.
    func print(asJSON: Bool) throws {
        guard !asJSON else { return try self.printJSON() }
        let widths = self.columns.indices.map { column in
            ([self.columns] + self.rows).map { $0[column].count }.max() ?? 0
        }
        Swift.print("\n\(self.title)\n")
        for row in [self.columns] + self.rows {
            let cells = zip(row, widths).enumerated().map { position, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return position == 0 ? cell.0 + padding : padding + cell.0
            }
            Swift.print("  " + cells.joined(separator: "  "))
        }
        fflush(nil)
    }

    private func printJSON() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for row in self.rows {
            var object = Dictionary(uniqueKeysWithValues: zip(self.columns, row))
            object["table"] = self.title
            Swift.print(String(decoding: try encoder.encode(object), as: UTF8.self))
        }
        fflush(nil)
    }
}

extension Double {
    /// Writes the number with so many digits behind the point.
    func text(_ digits: Int = 1) -> String { String(format: "%.\(digits)f", self) }

    /// Writes nanoseconds as microseconds.
    var microseconds: String { (self / 1000).text(self < 100_000 ? 1 : 0) }

    /// Writes a count with a comma every three digits.
    var grouped: String {
        let digits = String(Int64(self.rounded()))
        var text = ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position).isMultiple(of: 3) { text.append(",") }
            text.append(digit)
        }
        return text
    }
}

extension Array where Element == Double {
    /// The middle one; the mean of the two in the middle of an even number. 0 of none.
    var median: Double {
        guard !self.isEmpty else { return 0 }
        let sorted = self.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
