// SPDX-License-Identifier: Apache-2.0

import CacheClient
import Synchronization

/// Stores the records of a file, many at a time.
struct Importer: Sendable {
    /// Attempts for a line that the server could not take just now.
    private static let maximumAttempts = 5
    /// Longest time between two attempts, whatever the server says.
    private static let maximumWait = Duration.seconds(30)

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
                let receipt = try await self.store(try ImportRecord(line: bytes))
                self.report.stored(isReplacement: receipt.isReplacement)
            } catch let error as CacheClientError where error.origin == .connection {
                self.report.failed(line: number, nil)
                return error
            } catch {
                self.report.failed(line: number, CommandFault(error) ?? CommandFault("failed"))
            }
        }
        return nil
    }

    private func store(_ record: ImportRecord) async throws -> StoreReceipt {
        let attributes = (record.attributes ?? [:]).mapValues { $0.value }
        var attempt = 1
        while true {
            let wait: Duration
            do {
                return try await self.client.store(
                    record.response, for: record.prompt, in: self.cache, vary: record.vary ?? [:],
                    contentType: record.contentType, attributes: attributes, tags: record.tags ?? [],
                    timeToLive: record.timeToLive)
            } catch {
                guard error.isTransient, attempt < Self.maximumAttempts else { throw error }
                wait = min(Self.maximumWait, max(.milliseconds(100 << attempt), error.retryAfter ?? .zero))
            }
            try await Task.sleep(for: wait)
            attempt += 1
        }
    }
}

extension CacheClientError {
    /// Whether the server would perhaps take the same call a little later.
    fileprivate var isTransient: Bool {
        switch self.code {
        case .resourceExhausted, .unavailable, .deadlineExceeded: self.origin != .connection
        default: false
        }
    }
}
