// SPDX-License-Identifier: Apache-2.0

import CacheClient

/// Calls that are made again if the server cannot take them just now.
enum Patience {
    private static let maximumAttempts = 5
    /// Longest time between two attempts, whatever the server says.
    private static let maximumWait = Duration.seconds(30)

    static func call<Value>(_ body: () async throws(CacheClientError) -> Value) async throws -> Value {
        var attempt = 1
        while true {
            let wait: Duration
            do {
                return try await body()
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
