// SPDX-License-Identifier: Apache-2.0

/// What an Export asks: one page of a cache's entries.
package struct ExportRequest: Sendable, Equatable {
    package var cache: String
    /// All entries if `nil`.
    package var filter: MetadataFilter?
    /// ``ExportPage/cursor`` of the page before; `nil` for the first.
    package var cursor: [UInt8]?
    /// 1…``Limits/maximumExportPage``.
    package var pageSize: Int

    package init(
        cache: String, filter: MetadataFilter? = nil, cursor: [UInt8]? = nil,
        pageSize: Int = Limits.maximumExportPage
    ) {
        self.cache = cache
        self.filter = filter
        self.cursor = cursor
        self.pageSize = pageSize
    }
}

/// An entry with what makes its identity, as far as it is kept.
package struct ExportedEntry: Sendable, Equatable {
    package let entry: CacheEntry
    /// `nil` if they are not known: what holds the entry was made by a version that did not keep them.
    package let vary: [VaryPart]?
    /// Of a chat, the digest of what is not its question. What that was is not kept.
    package let context: Digest?

    package init(entry: CacheEntry, vary: [VaryPart]?, context: Digest?) {
        self.entry = entry
        self.vary = vary
        self.context = context
    }

    /// At most what the entry takes of a reply; see ``MatchSize``.
    package var replyBytes: Int {
        let vary = (self.vary ?? []).reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 64 }
        return (self.entry.prompt?.text.utf8.count ?? 0) + vary
            + MatchSize.bytes(
                response: self.entry.response.count, contentType: self.entry.contentType,
                attributes: self.entry.attributes)
    }
}

/// What an Export answers.
package struct ExportPage: Sendable, Equatable {
    /// May be empty though there are more.
    package let entries: [ExportedEntry]
    /// Where the next page begins; `nil` after the last. Says nothing to anyone but the server.
    package let cursor: [UInt8]?

    package init(entries: [ExportedEntry], cursor: [UInt8]?) {
        self.entries = entries
        self.cursor = cursor
    }
}
