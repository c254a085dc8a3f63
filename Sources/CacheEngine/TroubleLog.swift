// SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization

/// Logs that calls degrade or fail: once per condition and ten seconds, not once per request.
final class TroubleLog: Sendable {
    private static let interval = Duration.seconds(10)

    private let logger: Logger
    private let last = Mutex<[String: ContinuousClock.Instant]>([:])

    init(_ logger: Logger) { self.logger = logger }

    /// - Parameters:
    ///   - part: What failed; of a closed set.
    ///   - code: Of its error.
    ///   - detail: For whoever operates the service; holds nothing of a request.
    func note(_ part: String, _ code: String, _ detail: String?) {
        let now = ContinuousClock.now
        let isDue = self.last.withLock { last in
            if let before = last[part + code], now - before < Self.interval { return false }
            last[part + code] = now
            return true
        }
        guard isDue else { return }
        var metadata: Logger.Metadata = ["part": "\(part)", "error.code": "\(code)"]
        if let detail { metadata["reason"] = "\(detail)" }
        self.logger.warning("calls degrade or fail", metadata: metadata)
    }
}
