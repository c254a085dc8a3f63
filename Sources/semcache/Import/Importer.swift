// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Synchronization

/// Stores the records of a file, many at a time.
struct Importer: Sendable {
    private let client: CacheClient
    private let cache: String
    private let concurrency: Int
    private let report: ImportReport

    init(_ client: CacheClient, cache: String, concurrency: Int, report: ImportReport) {
        self.client = client
        self.cache = cache
        self.concurrency = concurrency
        self.report = report
    }

    /// Reads to the end, whatever the lines are worth.
    ///
    /// - Throws: ``CacheClientError`` if the server is gone, so that the rest cannot be stored either; what keeps the file
    ///   from being read.
    func run(_ reader: consuming LineReader) async throws {
        var reader = reader
        var lost: CacheClientError?
        // Not a throwing group: what is under way is finished and counted in any case.
        let readFailure: (any Error)? = await withTaskGroup(of: CacheClientError?.self) { group in
            var underWay = 0
            var failure: (any Error)?
            do {
                while lost == nil, let line = try await reader.next() {
                    self.report.read(bytes: reader.bytesRead)
                    if underWay >= self.concurrency, let result = await group.next() {
                        underWay -= 1
                        lost = lost ?? result
                    }
                    group.addTask { await self.store(line) }
                    underWay += 1
                }
            } catch {
                failure = error
            }
            for await result in group { lost = lost ?? result }
            return failure
        }
        if let error = lost ?? readFailure { throw error }
    }

    /// - Returns: Why no further line can be stored.
    private func store(_ line: LineCutter.Line) async -> CacheClientError? {
        switch line {
        case .tooLong(let number):
            self.report.failed(
                line: number, CommandFault("has more than \(LineReader.maximumLineBytes) bytes, skipped"))
        case .content(let bytes, let number):
            guard bytes.contains(where: { $0 > 0x20 }) else { return nil }
            do {
                switch try await self.store(try ImportRecord(line: bytes)) {
                case .success(let receipt): self.report.stored(isReplacement: receipt.isReplacement)
                case .failure(let skip): self.report.skipped(skip)
                }
            } catch let error as CacheClientError where error.origin == .connection {
                self.report.failed(line: number, nil)
                return error
            } catch {
                self.report.failed(line: number, CommandFault(error) ?? CommandFault("failed"))
            }
        }
        return nil
    }

    private func store(_ record: ImportRecord) async throws -> Result<StoreReceipt, ImportSkip> {
        if let skip = record.skip { return .failure(skip) }
        let now = CacheInstant.now
        let timeToLive = record.timeToLive(at: now)
        if let timeToLive, timeToLive < .milliseconds(1) { return .failure(.expired) }
        let attributes = record.attributes.mapValues { $0.value }
        let receipt = try await Patience.call { () async throws(CacheClientError) in
            try await self.client.store(
                record.response, for: record.prompt, in: self.cache, vary: record.vary,
                contentType: record.contentType, attributes: attributes, tags: record.tags, timeToLive: timeToLive,
                staleTimeToLive: record.staleTimeToLive(at: now), usage: record.usage.map { $0.usage })
        }
        return .success(receipt)
    }
}
