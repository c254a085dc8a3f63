// SPDX-License-Identifier: Apache-2.0

import CacheModel

extension CacheClient {
    /// Reads a page of a cache's entries. Expired ones are in none.
    ///
    /// ```swift
    /// var cursor: CacheExportCursor?
    /// repeat {
    ///     let page = try await client.export("support-bot", after: cursor)
    ///     keep(page.entries)
    ///     cursor = page.next
    /// } while cursor != nil
    /// ```
    ///
    /// All pages together have each entry once that was there from the first page to the last. What was stored in the
    /// meantime may be there or not.
    ///
    /// - Parameters:
    ///   - cache: Name of the cache.
    ///   - filter: Only entries whose attributes it takes, such as `lang == "de" and not draft`.
    ///   - cursor: That of the page before, or of an export of the same cache that was broken off; the first page if `nil`.
    ///   - pageSize: How many entries a page may have, 1…256; large ones make it shorter.
    ///   - timeout: Time that the call may take; the client's own if `nil`.
    /// - Throws: ``CacheClientError``.
    public func export(
        _ cache: String = "default", filter: String? = nil, after cursor: CacheExportCursor? = nil,
        pageSize: Int = 256, timeout: Duration? = nil
    ) async throws(CacheClientError) -> CacheExportPage {
        let request = ExportRequest(
            cache: cache, filter: try .make(filter), cursor: cursor?.bytes, pageSize: pageSize)
        guard case .export(let page) = try await self.call(.export(request), timeout: timeout) else {
            throw .anotherAnswer
        }
        return CacheExportPage(page)
    }
}

/// Some of a cache's entries.
public struct CacheExportPage: Sendable, Hashable {
    /// May be empty though more pages follow.
    public let entries: [CacheExportedEntry]
    /// Where the next page begins; `nil` on the last.
    public let next: CacheExportCursor?
}

/// Where a page of an export begins. Remains valid, also when the server is started again.
public struct CacheExportCursor: Sendable, Hashable {
    let bytes: [UInt8]

    /// Reads hexadecimal digits, an even number of them; `nil` for anything else.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= 2 * Limits.maximumCursorBytes, let bytes = Hexadecimal.bytes(text)
        else {
            return nil
        }
        self.bytes = bytes
    }

    init(bytes: [UInt8]) { self.bytes = bytes }
}

extension CacheExportCursor: CustomStringConvertible {
    /// Lower-case hexadecimal digits.
    public var description: String { Hexadecimal.text(self.bytes) }
}

/// An entry with all that it was stored with, but for its vector.
public struct CacheExportedEntry: Sendable, Hashable {
    /// The entry, such as for its invalidation.
    public let entryID: CacheEntryID
    /// In canonical form; of a chat, its question. `nil` if it is not known.
    public let prompt: String?
    /// Exact-match parts of the prompt's identity. `nil` if they are not known, as of entries that an older version
    /// stored, or if two of the names differ in their bytes only, which no dictionary can hold.
    public let vary: [String: String]?
    /// Of a chat, the digest of what is not its question, in hexadecimal. What that was is not kept, so that the entry
    /// cannot be stored again.
    public let context: String?
    /// As it was stored.
    public let response: [UInt8]
    /// What the response is, such as `text/plain; charset=utf-8`.
    public let contentType: String
    /// By name. Tags are the attribute `tags`.
    public let attributes: [String: CacheAttribute]
    /// What the response cost to make, if that was stored.
    public let usage: CacheUsage?
    /// When the entry was stored.
    public let createdAt: CacheInstant
    /// When its time to live ends.
    public let expiresAt: CacheInstant
    /// Until when it is served as stale after that; the same as ``expiresAt`` if not at all.
    public let staleUntil: CacheInstant

    /// The response as text; `nil` if it is not valid UTF-8.
    public var text: String? { String(validating: self.response, as: UTF8.self) }
}

extension CacheExportPage {
    init(_ page: ExportPage) {
        self.entries = page.entries.map { CacheExportedEntry($0) }
        self.next = page.cursor.map { CacheExportCursor(bytes: $0) }
    }
}

extension CacheExportedEntry {
    init(_ exported: ExportedEntry) {
        let entry = exported.entry
        self.entryID = CacheEntryID(entry.id)
        self.prompt = entry.prompt?.text
        let vary = exported.vary.map { parts in
            Dictionary(parts.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        }
        self.vary = vary?.count == exported.vary?.count ? vary : nil
        self.context = exported.context?.hexadecimal
        self.response = entry.response
        self.contentType = entry.contentType
        self.attributes = CacheAttribute.byName(entry.attributes)
        self.usage = entry.usage.map { CacheUsage($0) }
        self.createdAt = CacheInstant(entry.createdAt)
        self.expiresAt = CacheInstant(entry.freshUntil)
        self.staleUntil = CacheInstant(entry.expiresAt)
    }
}
