// SPDX-License-Identifier: Apache-2.0

package import CacheModel

extension CacheEngine {
    /// Reads one page of a cache's entries.
    ///
    /// - Throws: ``CacheError`` with `.invalidArgument` for a cursor that is not one of this cache's; `.unavailable` or
    ///   `.resourceExhausted` if the store cannot be read; and as ``route(cache:vary:scope:)``.
    package func export(_ request: ExportRequest, scope: TenantScope) async throws(CacheError) -> ExportPage {
        try await self.metrics.measure(.export) { () async throws(CacheError) -> ExportPage in
            try await self.page(request, scope: scope)
        }
    }

    private func page(_ request: ExportRequest, scope: TenantScope) async throws(CacheError) -> ExportPage {
        let plain = try self.route(cache: request.cache, vary: [], scope: scope).partition
        var position: ScanPosition?
        if let cursor = request.cursor {
            position = ScanPosition(cursor: cursor, of: plain.cache)
            guard position != nil else { throw .invalidArgument("cursor", "is not one of an export of this cache") }
        }
        let query = ScanQuery(plain: plain, filter: request.filter, position: position, count: request.pageSize)
        do throws(VectorStoreError) {
            let page = try await self.store.scan(query, at: self.now)
            return ExportPage(entries: page.entries, cursor: page.next.map { $0.cursor(of: plain.cache) })
        } catch {
            // A store does not begin what nobody waits for any more; that is no fault of its.
            guard !Task.isCancelled else { throw CacheError(error) }
            throw self.refusal(error)
        }
    }
}

/// A cursor is the position behind a mark of its cache. It need not be secret: it only says where to go on among the
/// entries of the cache that its sender may read anyway.
extension ScanPosition {
    private static let markBytes = 8

    package func cursor(of cache: CacheScope) -> [UInt8] {
        self.mark(of: cache) + self.partition.bytes + self.id.bytes
    }

    /// - Returns: `nil` for what is no cursor of the cache.
    package init?(cursor: [UInt8], of cache: CacheScope) {
        guard let partition = Digest(bytes: cursor.dropFirst(Self.markBytes).prefix(32)),
            let id = EntryID(bytes: cursor.dropFirst(Self.markBytes + 32))
        else { return nil }
        self.init(partition: partition, id: id)
        guard cursor.starts(with: self.mark(of: cache)) else { return nil }
    }

    private func mark(of cache: CacheScope) -> [UInt8] {
        var fingerprint = Fingerprint(.cursor)
        fingerprint.append(cache.key)
        fingerprint.append(self.partition)
        fingerprint.append(self.id.high)
        fingerprint.append(self.id.low)
        return Array(fingerprint.finish().bytes.prefix(Self.markBytes))
    }
}
