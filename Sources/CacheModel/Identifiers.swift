// SPDX-License-Identifier: Apache-2.0

/// The first 128 bits of SHA-256 over a partition and a canonical prompt.
///
/// Two requests have the same entry id if and only if they are the same question of the same tenant, cache, model and
/// vary parts.
package struct EntryID: Hashable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package func hash(into hasher: inout Hasher) {
        // Already uniform: one word is enough for a hash table, both decide equality.
        hasher.combine(self.low)
    }

    package init(_ digest: Digest) {
        self.init(high: digest.words.0, low: digest.words.1)
    }

    /// The 16 bytes.
    package var bytes: [UInt8] {
        withUnsafeBytes(of: (self.high.bigEndian, self.low.bigEndian)) { [UInt8]($0) }
    }

    /// Reads 16 bytes; anything else is `nil`.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        self.init(
            high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
            low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
    }
}

extension EntryID: CustomStringConvertible {
    /// Digits of the text form.
    package static let textBytes = 32

    /// Reads the text form: 32 lower-case hexadecimal digits, nothing else.
    package init?(text: some Collection<UInt8>) {
        guard text.count == Self.textBytes else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        for (position, byte) in text.enumerated() {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            default: return nil
            }
            if position < 16 { words.0 = words.0 << 4 | UInt64(digit) } else { words.1 = words.1 << 4 | UInt64(digit) }
        }
        self.init(high: words.0, low: words.1)
    }

    package var text: [UInt8] {
        let digits: StaticString = "0123456789abcdef"
        return [UInt8](unsafeUninitializedCapacity: Self.textBytes) { buffer, count in
            for position in 0..<Self.textBytes {
                let word = position < 16 ? self.high : self.low
                let shift = UInt64(60 - 4 * (position % 16))
                buffer[position] = digits.utf8Start[Int(word >> shift & 0xf)]
            }
            count = Self.textBytes
        }
    }

    package var description: String { String(decoding: self.text, as: UTF8.self) }
}

/// A tenant. Comes from a credential, never from the body of a request.
package struct TenantID: Hashable, Sendable, CustomStringConvertible {
    package let name: String
    /// SHA-256 over scheme version and name. Decides equality: `String` takes different spellings of one character for
    /// the same.
    package let key: Digest

    package init(_ name: String) {
        self.name = name
        var fingerprint = Fingerprint(.tenant)
        fingerprint.append(name)
        self.key = fingerprint.finish()
    }

    package var description: String { self.name }

    package static func == (left: Self, right: Self) -> Bool { left.key == right.key }
    package func hash(into hasher: inout Hasher) { hasher.combine(self.key) }
}

/// Proof that a peer may act for a tenant.
///
/// Only the authenticator makes one (`.ci/lint` checks it), and no store method can be called without one: the isolation
/// is in the types.
package struct TenantScope: Hashable, Sendable {
    package let tenant: TenantID

    package init(authenticated tenant: TenantID) { self.tenant = tenant }
}

/// A cache of a tenant.
package struct CacheScope: Hashable, Sendable {
    package let tenant: TenantScope
    package let name: String
    /// SHA-256 over scheme version, tenant and cache name: the only form in which a store sees either.
    package let key: Digest

    package init(_ name: String, of tenant: TenantScope) {
        self.tenant = tenant
        self.name = name
        var fingerprint = Fingerprint(.cache)
        fingerprint.append(tenant.tenant.name)
        fingerprint.append(name)
        self.key = fingerprint.finish()
    }

    package static func == (left: Self, right: Self) -> Bool { left.key == right.key }
    package func hash(into hasher: inout Hasher) { hasher.combine(self.key) }
}

/// The entries that a search may ever see together.
package struct Partition: Hashable, Sendable {
    package let cache: CacheScope
    /// SHA-256 over scheme version, tenant, cache, embedding identity, sorted vary parts and the context of a chat.
    package let key: Digest
    /// Of the model whose vectors it holds.
    package let identity: Digest
    /// By name.
    package let vary: [VaryPart]
    /// Of a chat, what lies outside of the window that is embedded.
    package let context: Digest?

    /// - Parameters:
    ///   - vary: Any order; names are distinct (checked when the request is made).
    ///   - context: Of a chat, what lies outside of the window that is embedded.
    package init(
        of cache: CacheScope, embedding identity: EmbeddingIdentity, vary: [VaryPart], context: Digest? = nil
    ) {
        self.cache = cache
        self.identity = identity.key
        self.vary = vary.sorted()
        self.context = context
        var fingerprint = Fingerprint(.partition)
        fingerprint.append(cache.tenant.tenant.name)
        fingerprint.append(cache.name)
        fingerprint.append(identity.key)
        fingerprint.append(UInt64(vary.count))
        for part in self.vary {
            fingerprint.append(part.name)
            fingerprint.append(part.value)
        }
        if let context { fingerprint.append(context) }
        self.key = fingerprint.finish()
    }

    /// One whose key is known, and not what it was made of: enough to find what is in it, not to store.
    package init(of cache: CacheScope, restoring key: Digest, identity: Digest) {
        self.cache = cache
        self.key = key
        self.identity = identity
        self.vary = []
        self.context = nil
    }

    /// Returns the id of the entry that answers a prompt.
    ///
    /// - Parameter canonicalPrompt: UTF-8 of a ``CanonicalPrompt``.
    package func entryID(ofPrompt canonicalPrompt: UnsafeRawBufferPointer) -> EntryID {
        var fingerprint = Fingerprint(.entry)
        fingerprint.append(self.key)
        fingerprint.append(canonicalPrompt)
        return EntryID(fingerprint.finish())
    }

    package func entryID(of prompt: CanonicalPrompt) -> EntryID {
        var text = prompt.text
        return text.withUTF8 { self.entryID(ofPrompt: UnsafeRawBufferPointer($0)) }
    }

    package static func == (left: Self, right: Self) -> Bool { left.key == right.key }
    package func hash(into hasher: inout Hasher) { hasher.combine(self.key) }
}

/// One exact-match part of a prompt's identity.
package struct VaryPart: Hashable, Sendable, Comparable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// By the bytes of the name: `String`'s own order would depend on the Unicode tables of the standard library.
    package static func < (left: Self, right: Self) -> Bool {
        left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }
}
