// SPDX-License-Identifier: Apache-2.0

@_spi(_Unicode) import Swift

/// A prompt as it is hashed, stored and embedded: NFC, trimmed, runs of white space folded to one space. Case is kept.
package struct CanonicalPrompt: Hashable, Sendable {
    /// Not empty; at most ``Limits/maximumPromptBytes`` of UTF-8.
    package let text: String

    /// Canonicalises a prompt.
    ///
    /// - Parameter bytes: Peer bytes, not yet validated.
    /// - Throws: ``CacheError`` with `.invalidArgument` if they are too long, not UTF-8, hold a NUL, or are empty after
    ///   folding.
    package init(_ bytes: UnsafeRawBufferPointer, field: StaticString = "prompt") throws(CacheError) {
        guard bytes.count <= Limits.maximumPromptBytes else {
            throw .tooLong(field, bytes.count, limit: Limits.maximumPromptBytes)
        }
        if Self.isCanonicalASCII(bytes) {
            self.text = String(decoding: bytes, as: UTF8.self)
            return
        }
        guard let given = String(validating: bytes, as: UTF8.self) else { throw .notUTF8(field) }
        guard !given.utf8.contains(0) else { throw .invalidArgument(field, "contains a NUL") }
        let folded = Self.folding(given)
        guard !folded.isEmpty else { throw .invalidArgument(field, "is empty") }
        // NFC can be longer than what it was made of (some characters only have a decomposed form).
        guard folded.utf8.count <= Limits.maximumPromptBytes else {
            throw .tooLong(field, folded.utf8.count, limit: Limits.maximumPromptBytes)
        }
        self.text = folded
    }

    /// Canonicalises a prompt given as text.
    package init(_ text: String, field: StaticString = "prompt") throws(CacheError) {
        var text = text
        let result: Result<Self, CacheError> = text.withUTF8 { utf8 in
            do throws(CacheError) {
                return .success(try Self(UnsafeRawBufferPointer(utf8), field: field))
            } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    /// Whether the bytes are their own canonical form, by one look at each: nearly every prompt in practice.
    ///
    /// True only for printable ASCII without leading, trailing or doubled spaces.
    package static func isCanonicalASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first, first != 0x20, bytes[bytes.count - 1] != 0x20 else { return false }
        // 0x20...0x7e, and no two spaces in a row; without a branch per byte, so that it vectorises.
        var isOutside: UInt8 = 0
        for byte in bytes { isOutside |= (byte &- 0x20) > 0x5e ? 1 : 0 }
        var isDoubled: UInt8 = 0
        for position in 1..<max(1, bytes.count) {
            isDoubled |= (bytes[position] | bytes[position - 1]) == 0x20 ? 1 : 0
        }
        return isOutside | isDoubled == 0
    }

    /// White space as Unicode has it (`White_Space`), folded before NFC: no character composes with a space.
    private static func folding(_ given: String) -> String {
        var scalars = String.UnicodeScalarView()
        var isSpacePending = false
        for scalar in given.unicodeScalars {
            if scalar.properties.isWhitespace {
                isSpacePending = !scalars.isEmpty
                continue
            }
            if isSpacePending {
                scalars.append(" ")
                isSpacePending = false
            }
            scalars.append(scalar)
        }
        var composed = String.UnicodeScalarView()
        for scalar in String(scalars)._nfc { composed.append(scalar) }
        return String(composed)
    }
}
