// SPDX-License-Identifier: Apache-2.0

/// Finds the id of a WordPiece token by its UTF-8 bytes.
///
/// Keys are bytes, never `String`: canonical equivalence would merge tokens that the model tells apart. All tokens lie
/// in one byte buffer; an open-addressing table of hash and id leads into it, at most half full.
struct Vocabulary: Sendable {
    /// Counts the tokens; ids are in `0..<count`.
    let count: Int
    /// Holds the length in bytes of the longest token, without the `##` of a continuation.
    let longestToken: Int

    private let bytes: [UInt8]
    /// Token `id` is `bytes[starts[id]..<starts[id + 1]]`.
    private let starts: [Int]
    private let slots: [Slot]

    private struct Slot {
        var hash: UInt32
        /// -1 when the slot is free.
        var id: Int32
    }

    /// Says whether a piece begins a word or goes on with one.
    enum Position {
        case first
        case continuation
    }

    /// Bounds the tokens a file may hold.
    static let maximumCount = 1 << 20
    /// Bounds the bytes of one token.
    static let maximumTokenLength = 128

    /// Takes the bytes of a vocab.txt: one token per line, the id is the line number, the last of equal lines counts.
    ///
    /// - Throws: ``ModelError`` with `.unsupported` when there are too many tokens or one is too long.
    init(_ file: [UInt8]) throws(ModelError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(file.count)
        var starts = [0]
        var longest = 0
        var lines = file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard lines.count <= Self.maximumCount else {
            let limit = Self.maximumCount
            throw ModelError(.unsupported, "the vocabulary has \(lines.count) tokens, the limit is \(limit)")
        }
        for line in lines {
            let token = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            guard token.count <= Self.maximumTokenLength else {
                let limit = Self.maximumTokenLength
                throw ModelError(.unsupported, "vocabulary line \(starts.count) is longer than \(limit) bytes")
            }
            bytes += token
            starts.append(bytes.count)
            longest = max(longest, token.starts(with: [0x23, 0x23]) ? token.count - 2 : token.count)
        }
        self.count = lines.count
        self.longestToken = longest
        self.bytes = bytes
        self.starts = starts
        self.slots = Self.makeSlots(bytes: bytes, starts: starts)
    }

    /// Returns the hash of an empty piece, to be continued byte by byte with ``hash(_:adding:)``.
    @inline(__always)
    static func hash(at position: Position) -> UInt32 {
        // 32-bit FNV-1a of "" and of "##".
        position == .first ? 0x811C_9DC5 : 0x16C8_9023
    }

    /// Returns the hash of a piece with one more byte.
    @inline(__always)
    static func hash(_ hash: UInt32, adding byte: UInt8) -> UInt32 {
        (hash ^ UInt32(byte)) &* 0x0100_0193
    }

    /// Returns the id of a piece, or nil.
    ///
    /// - Parameters:
    ///   - piece: UTF-8, without the `##` of a continuation.
    ///   - hash: What ``hash(_:adding:)`` makes of the same bytes at the same position.
    @inline(__always)
    func id(of piece: Span<UInt8>, hash: UInt32, at position: Position) -> Int32? {
        let mask = UInt32(truncatingIfNeeded: self.slots.count - 1)
        var index = Self.home(of: hash) & mask
        while true {
            let slot = self.slots[Int(index)]
            if slot.id < 0 { return nil }
            if slot.hash == hash, self.token(slot.id, equals: piece, at: position) { return slot.id }
            index = (index + 1) & mask
        }
    }

    /// Returns the id of a token as it is written in the file, or nil.
    func id(of token: StaticString) -> Int32? {
        token.withUTF8Buffer { token in
            let hash = token.reduce(Self.hash(at: .first)) { Self.hash($0, adding: $1) }
            return self.id(of: token.span, hash: hash, at: .first)
        }
    }

    private func token(_ id: Int32, equals piece: Span<UInt8>, at position: Position) -> Bool {
        var start = self.starts[Int(id)]
        let end = self.starts[Int(id) + 1]
        if position == .continuation {
            guard end - start >= 2, self.bytes[start] == 0x23, self.bytes[start + 1] == 0x23 else { return false }
            start += 2
        }
        guard end - start == piece.count else { return false }
        for offset in piece.indices where self.bytes[start + offset] != piece[offset] { return false }
        return true
    }

    /// Spreads the hash: the low bits of FNV alone cluster for short tokens.
    @inline(__always)
    private static func home(of hash: UInt32) -> UInt32 { hash ^ hash >> 15 }

    private static func makeSlots(bytes: [UInt8], starts: [Int]) -> [Slot] {
        var capacity = 16
        while capacity < 2 * starts.count { capacity *= 2 }
        var slots = [Slot](repeating: Slot(hash: 0, id: -1), count: capacity)
        for id in 0..<starts.count - 1 {
            let token = bytes[starts[id]..<starts[id + 1]]
            let hash = token.reduce(Self.hash(at: .first)) { Self.hash($0, adding: $1) }
            var index = Int(Self.home(of: hash)) & (capacity - 1)
            while slots[index].id >= 0 {
                let other = Int(slots[index].id)
                if slots[index].hash == hash, bytes[starts[other]..<starts[other + 1]] == token { break }
                index = (index + 1) & (capacity - 1)
            }
            slots[index] = Slot(hash: hash, id: Int32(id))
        }
        return slots
    }
}
