// SPDX-License-Identifier: Apache-2.0

import CCacheProto
import CacheModel

extension MessageBuilder {
    func export(_ export: ExportRequest) -> UnsafeMutablePointer<Semcached__V1__ExportRequest> {
        let packed = self.make(semcached__v1__export_request__init)
        packed.pointee.cache = self.bytes(export.cache)
        packed.pointee.filter = self.bytes(export.filter?.text ?? "")
        packed.pointee.cursor = self.bytes(export.cursor ?? [])
        packed.pointee.page_size = export.pageSize == Limits.maximumExportPage ? 0 : UInt32(export.pageSize)
        return packed
    }

    func page(_ page: ExportPage) -> UnsafeMutablePointer<Semcached__V1__ExportResponse> {
        let packed = self.make(semcached__v1__export_response__init)
        (packed.pointee.n_entries, packed.pointee.entries) = self.list(page.entries) { self.exported($0) }
        packed.pointee.next_cursor = self.bytes(page.cursor ?? [])
        return packed
    }

    private func exported(_ exported: ExportedEntry) -> UnsafeMutablePointer<Semcached__V1__ExportedEntry>? {
        let packed = self.make(semcached__v1__exported_entry__init)
        let entry = exported.entry
        packed.pointee.entry_id = self.bytes(entry.id.text)
        packed.pointee.prompt = self.bytes(entry.prompt?.text ?? "")
        if let vary = exported.vary {
            let parts = self.make(semcached__v1__vary_parts__init)
            (parts.pointee.n_parts, parts.pointee.parts) = self.vary(vary)
            packed.pointee.vary = parts
        }
        packed.pointee.context = self.bytes(exported.context?.bytes ?? [])
        packed.pointee.response = self.bytes(entry.response)
        packed.pointee.content_type = self.bytes(entry.contentType)
        (packed.pointee.n_attributes, packed.pointee.attributes) = self.attributes(entry.attributes)
        packed.pointee.usage = self.usage(entry.usage)
        packed.pointee.created_at_ms = UInt64(clamping: entry.createdAt.milliseconds)
        packed.pointee.expires_at_ms = UInt64(clamping: entry.freshUntil.milliseconds)
        packed.pointee.stale_until_ms = Self.staleUntil(entry.freshUntil, entry.expiresAt)
        return packed
    }
}

extension ExportRequest {
    /// Checks and copies a request.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument`, naming the field and the limit.
    init(_ export: borrowing Semcached__V1__ExportRequest) throws(CacheError) {
        guard export.page_size <= Limits.maximumExportPage else {
            throw .invalidArgument(
                "page_size", "is \(export.page_size), the limit is \(Limits.maximumExportPage)")
        }
        guard export.cursor.len <= Limits.maximumCursorBytes else {
            throw .tooLong("cursor", export.cursor.len, limit: Limits.maximumCursorBytes)
        }
        self.init(
            cache: try cacheName(export.cache),
            filter: export.filter.len == 0 ? nil : try MetadataFilter(export.filter.bytes),
            cursor: export.cursor.len == 0 ? nil : [UInt8](export.cursor.bytes),
            pageSize: export.page_size == 0 ? Limits.maximumExportPage : Int(export.page_size))
    }
}

extension ExportPage {
    init(_ packed: Semcached__V1__ExportResponse) throws(CacheError) {
        var entries: [ExportedEntry] = []
        for entry in RepeatedMessages(packed.entries, packed.n_entries) { entries.append(try ExportedEntry(entry)) }
        self.init(entries: entries, cursor: packed.next_cursor.len == 0 ? nil : [UInt8](packed.next_cursor.bytes))
    }
}

extension ExportedEntry {
    fileprivate init(_ packed: Semcached__V1__ExportedEntry) throws(CacheError) {
        var vary: [VaryPart]?
        if let parts = packed.vary?.pointee { vary = try varyParts(parts.parts, parts.n_parts) }
        var context: Digest?
        if packed.context.len > 0 {
            context = Digest(bytes: packed.context.bytes)
            guard context != nil else { throw CacheError(.internal, "the reply has a malformed context") }
        }
        self.init(
            entry: CacheEntry(
                id: try entryID(packed.entry_id),
                prompt: packed.prompt.len == 0 ? nil : try CanonicalPrompt(packed.prompt.bytes),
                response: [UInt8](packed.response.bytes),
                contentType: String(decoding: packed.content_type.bytes, as: UTF8.self),
                attributes: try answeredAttributes(packed.attributes, packed.n_attributes),
                usage: try storedUsage(packed.usage), createdAt: timestamp(packed.created_at_ms),
                freshUntil: timestamp(packed.expires_at_ms),
                expiresAt: end(packed.expires_at_ms, packed.stale_until_ms)),
            vary: vary, context: context)
    }
}
