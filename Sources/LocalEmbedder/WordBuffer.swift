// SPDX-License-Identifier: Apache-2.0

/// Collects the UTF-8 bytes of one normalised word in place.
///
/// WordPiece makes one `[UNK]` of a word over 100 scalars, so that the buffer is never larger: what goes beyond is not
/// stored, only remembered in ``isTooLong``.
struct WordBuffer: ~Copyable {
    /// Bounds the scalars of a word that is cut into pieces.
    static let maximumScalars = 100

    private(set) var bytes = InlineArray<400, UInt8>(repeating: 0)
    private(set) var count = 0
    /// Holds the hash of the whole word at the first position, kept up to date so that a known word costs one probe.
    private(set) var hash = Vocabulary.hash(at: .first)
    private(set) var isTooLong = false
    private var scalars = 0

    var isEmpty: Bool { self.count == 0 }

    @inline(__always)
    mutating func removeAll() {
        self.count = 0
        self.hash = Vocabulary.hash(at: .first)
        self.isTooLong = false
        self.scalars = 0
    }

    /// Adds one ASCII scalar.
    @inline(__always)
    mutating func append(ascii byte: UInt8) {
        guard self.hasRoom(for: 1) else { return }
        self.append(byte)
    }

    /// Adds `text[range]`, which holds `scalars` scalars: at most four bytes each.
    @inline(__always)
    mutating func append(_ text: Span<UInt8>, in range: Range<Int>, scalars: Int) {
        guard self.hasRoom(for: scalars) else { return }
        for index in range { self.append(text[index]) }
    }

    /// Adds the two or three Jamo of a Hangul syllable, U+AC00...U+D7A3.
    mutating func append(hangul syllable: UInt32) {
        let index = syllable - 0xAC00
        let trail = index % 28
        guard self.hasRoom(for: trail == 0 ? 2 : 3) else { return }
        self.append(jamo: 0x1100 + index / 588)
        self.append(jamo: 0x1161 + index % 588 / 28)
        if trail != 0 { self.append(jamo: 0x11A7 + trail) }
    }

    @inline(__always)
    private mutating func hasRoom(for more: Int) -> Bool {
        self.scalars += more
        if self.scalars > Self.maximumScalars { self.isTooLong = true }
        return !self.isTooLong
    }

    /// Adds a scalar in U+0800...U+FFFF.
    private mutating func append(jamo scalar: UInt32) {
        self.append(0xE0 | UInt8(truncatingIfNeeded: scalar >> 12))
        self.append(0x80 | UInt8(truncatingIfNeeded: scalar >> 6) & 0x3F)
        self.append(0x80 | UInt8(truncatingIfNeeded: scalar) & 0x3F)
    }

    @inline(__always)
    private mutating func append(_ byte: UInt8) {
        self.bytes[self.count] = byte
        self.count += 1
        self.hash = Vocabulary.hash(self.hash, adding: byte)
    }
}
