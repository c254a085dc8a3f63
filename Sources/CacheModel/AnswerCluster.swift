// SPDX-License-Identifier: Apache-2.0

/// The entries of a partition that have the same answer.
///
/// By itself an entry is in the cluster of its response: the first 128 bits of SHA-256 over it. Feedback can put it into
/// another one, of an answer that says the same in other words.
package struct AnswerCluster: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(of response: [UInt8]) {
        var fingerprint = Fingerprint(.answer)
        response.withUnsafeBytes { fingerprint.append($0) }
        let digest = fingerprint.finish()
        self.init(high: digest.words.0, low: digest.words.1)
    }

    package func hash(into hasher: inout Hasher) {
        // Already uniform: one word is enough for a hash table, both decide equality.
        hasher.combine(self.low)
    }

    /// The 16 bytes.
    package var bytes: [UInt8] { EntryID(high: self.high, low: self.low).bytes }

    /// Reads 16 bytes; anything else is `nil`.
    package init?(bytes: some Collection<UInt8>) {
        guard let words = EntryID(bytes: bytes) else { return nil }
        self.init(high: words.high, low: words.low)
    }
}
