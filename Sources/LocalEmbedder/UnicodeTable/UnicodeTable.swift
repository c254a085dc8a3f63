// SPDX-License-Identifier: Apache-2.0

/// Knows what the BERT uncased normalizer does with each code point: clean, decompose, drop accents, lowercase.
///
/// Two stages: a page number per 128 code points, and cells in pages; pages with equal cells throughout are shared.
/// About 50 KB, built from ``data`` in under a millisecond.
struct UnicodeTable: Sendable {
    /// Says what becomes of one code point.
    enum Action {
        /// The scalar stays in its word as it is.
        case keep
        /// The scalar vanishes; what is around it joins.
        case drop
        /// The scalar ends a word.
        case space
        /// The scalar is a word of its own.
        case isolate
        /// The scalar is a Hangul syllable, to be taken apart by arithmetic.
        case hangul
        /// The scalar becomes other scalars.
        case replace(Replacement)
    }

    /// Names the UTF-8 bytes in ``replacementBytes`` that take the place of a scalar.
    struct Replacement {
        let start: UInt16
        let length: UInt8
        let scalars: UInt8
        /// Whether the replacement is a word of its own.
        let isIsolated: Bool
    }

    /// Holds the UTF-8 bytes of all replacements.
    private(set) var replacementBytes: [UInt8] = []
    private var replacements: [Replacement] = []
    private var pages = [UInt16](repeating: 0, count: Self.codePoints >> Self.pageBits)
    private var cells = [UInt16](repeating: Self.keep, count: Self.pageSize)

    private static let codePoints = 0x110000
    private static let pageBits = 7
    private static let pageSize = 1 << Self.pageBits

    private static let keep: UInt16 = 0
    private static let drop: UInt16 = 1
    private static let space: UInt16 = 2
    private static let isolate: UInt16 = 3
    private static let hangul: UInt16 = 4
    /// The first cell value that is an index of ``replacements``.
    private static let firstReplacement: UInt16 = 8

    init() {
        var uniformPages: [UInt16: UInt16] = [Self.keep: 0]
        self.fill(0xAC00...0xD7A3, with: Self.hangul, sharing: &uniformPages)
        Self.data.withUTF8Buffer { data in
            for line in data.split(separator: UInt8(ascii: "\n")) {
                guard let kind = line.first else { continue }
                for item in line.dropFirst().split(separator: UInt8(ascii: " ")) {
                    self.add(item, kind: kind, sharing: &uniformPages)
                }
            }
        }
    }

    /// Returns what becomes of a code point; one that is out of range is dropped.
    @inline(__always)
    func action(of codePoint: UInt32) -> Action {
        guard codePoint < Self.codePoints else { return .drop }
        let page = Int(self.pages[Int(codePoint >> Self.pageBits)])
        let cell = self.cells[page << Self.pageBits | Int(codePoint) & (Self.pageSize - 1)]
        switch cell {
        case Self.keep: return .keep
        case Self.drop: return .drop
        case Self.space: return .space
        case Self.isolate: return .isolate
        case Self.hangul: return .hangul
        default: return .replace(self.replacements[Int(cell - Self.firstReplacement)])
        }
    }

    /// Adds `a`, `a-b`, `a=t.u` or `a-b=t`, all in hexadecimal.
    private mutating func add(
        _ item: Slice<UnsafeBufferPointer<UInt8>>, kind: UInt8, sharing uniformPages: inout [UInt16: UInt16]
    ) {
        let sides = item.split(separator: UInt8(ascii: "="))
        let bounds = sides[0].split(separator: UInt8(ascii: "-")).map(Self.number)
        let range = bounds[0]...bounds[bounds.count - 1]
        switch kind {
        case UInt8(ascii: "d"): self.fill(range, with: Self.drop, sharing: &uniformPages)
        case UInt8(ascii: "s"): self.fill(range, with: Self.space, sharing: &uniformPages)
        case UInt8(ascii: "i"): self.fill(range, with: Self.isolate, sharing: &uniformPages)
        default:
            let target = sides[1].split(separator: UInt8(ascii: ".")).map(Self.number)
            for codePoint in range {
                let moved = [target[0] + codePoint - range.lowerBound] + target.dropFirst()
                let cell = Self.firstReplacement + UInt16(self.replacements.count)
                self.addReplacement(moved, isIsolated: kind == UInt8(ascii: "w"))
                self.fill(codePoint...codePoint, with: cell, sharing: &uniformPages)
            }
        }
    }

    private mutating func addReplacement(_ codePoints: [Int], isIsolated: Bool) {
        let start = self.replacementBytes.count
        for codePoint in codePoints {
            guard let scalar = Unicode.Scalar(UInt32(codePoint)) else { preconditionFailure("not a scalar") }
            self.replacementBytes.append(contentsOf: scalar.utf8)
        }
        self.replacements.append(
            Replacement(
                start: UInt16(start), length: UInt8(self.replacementBytes.count - start),
                scalars: UInt8(codePoints.count), isIsolated: isIsolated))
    }

    /// Sets the cells of a range; a page that it covers whole is shared by all pages of that value.
    private mutating func fill(
        _ range: ClosedRange<Int>, with cell: UInt16, sharing uniformPages: inout [UInt16: UInt16]
    ) {
        for page in range.lowerBound >> Self.pageBits...range.upperBound >> Self.pageBits {
            let all = page << Self.pageBits...(page + 1) << Self.pageBits - 1
            let part = range.clamped(to: all)
            if part == all {
                if uniformPages[cell] == nil {
                    uniformPages[cell] = UInt16(self.cells.count >> Self.pageBits)
                    self.cells += [UInt16](repeating: cell, count: Self.pageSize)
                }
                self.pages[page] = uniformPages[cell] ?? 0
                continue
            }
            if uniformPages.values.contains(self.pages[page]) {
                let shared = Int(self.pages[page]) << Self.pageBits
                self.pages[page] = UInt16(self.cells.count >> Self.pageBits)
                self.cells += Array(self.cells[shared..<shared + Self.pageSize])
            }
            let base = Int(self.pages[page]) << Self.pageBits - all.lowerBound
            for codePoint in part { self.cells[base + codePoint] = cell }
        }
    }

    private static func number(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> Int {
        digits.reduce(0) { number, digit in
            number << 4 | Int(digit < UInt8(ascii: "a") ? digit - UInt8(ascii: "0") : digit - UInt8(ascii: "a") + 10)
        }
    }
}
