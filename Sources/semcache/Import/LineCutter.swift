// SPDX-License-Identifier: Apache-2.0

/// Cuts a stream of bytes into lines.
///
/// Of a line that is too long nothing is kept but its number.
struct LineCutter {
    enum Line: Equatable {
        case content([UInt8], number: Int)
        case tooLong(number: Int)
    }

    private let maximumBytes: Int
    private var buffer: [UInt8] = []
    /// Where the line that is being read begins.
    private var start = 0
    /// Up to where there is no line end.
    private var scanned = 0
    private var isSkipping = false
    private var number = 1

    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    var bufferedBytes: Int { self.buffer.count }

    mutating func append(_ bytes: [UInt8]) {
        self.buffer.removeFirst(self.start)
        self.scanned -= self.start
        self.start = 0
        self.buffer += bytes
    }

    /// - Returns: `nil` if more bytes are needed.
    mutating func next() -> Line? {
        guard let end = self.buffer[self.scanned...].firstIndex(of: 0x0a) else {
            self.scanned = self.buffer.count
            if self.scanned - self.start > self.maximumBytes { self.isSkipping = true }
            if self.isSkipping { self.start = self.scanned }
            return nil
        }
        defer {
            self.start = end + 1
            self.scanned = self.start
        }
        return self.line(upTo: end)
    }

    /// The last line, if it had no end; `nil` if there is none.
    mutating func finish() -> Line? {
        guard self.isSkipping || self.start < self.buffer.count else { return nil }
        let end = self.buffer.count
        defer { self.start = end }
        return self.line(upTo: end)
    }

    private mutating func line(upTo end: Int) -> Line {
        defer {
            self.number += 1
            self.isSkipping = false
        }
        guard !self.isSkipping, end - self.start <= self.maximumBytes else { return .tooLong(number: self.number) }
        var line = self.buffer[self.start..<end]
        if self.number == 1, line.starts(with: [0xef, 0xbb, 0xbf]) { line = line.dropFirst(3) }
        return .content(Array(line), number: self.number)
    }
}
