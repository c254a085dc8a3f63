// SPDX-License-Identifier: Apache-2.0

import COpenSSL

/// A SHA-256 digest.
package struct Digest: Hashable, Sendable {
    /// Big-endian words, so that their order is that of the bytes.
    package let words: (UInt64, UInt64, UInt64, UInt64)

    package init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

    /// The 32 bytes.
    package var bytes: [UInt8] {
        let words = [self.words.0.bigEndian, self.words.1.bigEndian, self.words.2.bigEndian, self.words.3.bigEndian]
        return words.withUnsafeBytes { [UInt8]($0) }
    }

    /// 64 lower-case hexadecimal digits.
    package var hexadecimal: String { Hexadecimal.text(self.bytes) }

    /// Reads 64 hexadecimal digits; anything else is `nil`.
    package init?(hexadecimal text: String) {
        guard let bytes = Hexadecimal.bytes(text) else { return nil }
        self.init(bytes: bytes)
    }

    /// Of an API key, as the configuration holds it: of its UTF-8 and nothing else.
    package init(ofAPIKey key: String) {
        var hasher = SHA256Hasher()
        var key = key
        key.withUTF8 { hasher.update(UnsafeRawBufferPointer($0)) }
        self = hasher.finish()
    }

    /// Reads 32 bytes; anything else is `nil`.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 32 else { return nil }
        var words: [UInt64] = [0, 0, 0, 0]
        for (position, byte) in bytes.enumerated() { words[position / 8] = words[position / 8] << 8 | UInt64(byte) }
        self.init(words: (words[0], words[1], words[2], words[3]))
    }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) {
        // Already uniform: one word is enough for a hash table, all four decide equality.
        hasher.combine(self.words.0)
    }
}

/// Computes SHA-256 over bytes as they come.
package struct SHA256Hasher {
    private var context = SHA256_CTX()

    package init() { SHA256_Init(&self.context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if let start = bytes.baseAddress { SHA256_Update(&self.context, start, bytes.count) }
    }

    package consuming func finish() -> Digest {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) {
            _ = SHA256_Final($0.assumingMemoryBound(to: UInt8.self).baseAddress, &self.context)
        }
        return Digest(words: (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian))
    }
}

/// Builds a digest over parts, each preceded by its length, so that no two lists of parts meet in one digest.
package struct Fingerprint {
    /// What a digest is of. Digests of two kinds never meet.
    package enum Kind: UInt8 {
        case cache = 1
        case partition = 2
        case entry = 3
        case embeddingIdentity = 4
        case text = 5
        case tenant = 6
        case context = 7
        case tokenVerifier = 9
        case cursor = 8
        case attributeToken = 10
        case tokenKey = 11
        case answer = 12
        case judgedPair = 13
    }

    /// Version of the scheme: a change of what is hashed must change it, or old entries would be found by chance.
    package static let schemeVersion: UInt8 = 1

    private var hasher = SHA256Hasher()

    package init(_ kind: Kind) {
        withUnsafeBytes(of: (Self.schemeVersion, kind.rawValue)) { self.hasher.update($0) }
    }

    package mutating func append(_ bytes: UnsafeRawBufferPointer) {
        self.append(UInt64(bytes.count))
        self.hasher.update(bytes)
    }

    package mutating func append(_ number: UInt64) {
        withUnsafeBytes(of: number.bigEndian) { self.hasher.update($0) }
    }

    package mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { self.append(UnsafeRawBufferPointer($0)) }
    }

    package mutating func append(_ digest: Digest) {
        let words = digest.words
        let bigEndian = (words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian)
        withUnsafeBytes(of: bigEndian) { self.append($0) }
    }

    package consuming func finish() -> Digest { self.hasher.finish() }
}
