// SPDX-License-Identifier: Apache-2.0

import Logging
import RedisClient

/// Waits at the start of the service until Redis is there: it may be about to start as well, or to be moved.
///
/// Later the service goes on without it; but which kind of index it has must be known once.
struct RedisStart {
    let client: RedisClient
    let patience: Duration
    let logger: Logger

    /// Between two attempts: from the first to the second, doubling.
    private static let pauses = (Duration.milliseconds(100), Duration.seconds(2))
    /// Between two lines of the log.
    private static let warningInterval = Duration.seconds(10)

    /// Returns when Redis answers, when waiting would change nothing, or when the time is over: whoever uses it next
    /// finds out.
    ///
    /// - Throws: `CancellationError`.
    func wait() async throws {
        let clock = ContinuousClock()
        let end = clock.now + self.patience
        var (pause, nextWarning) = (Self.pauses.0, clock.now)
        while let trouble = await self.trouble(), trouble.isPassing, clock.now + pause <= end {
            if clock.now >= nextWarning {
                nextWarning = clock.now + Self.warningInterval
                self.logger.warning(
                    "Redis is not there; the service waits for it, by store.start_patience",
                    metadata: [
                        "reason": "\(trouble.message)", "seconds_left": "\((end - clock.now).components.seconds)",
                    ])
            }
            try await clock.sleep(for: pause)
            pause = min(pause * 2, Self.pauses.1)
        }
    }

    /// Why Redis does not answer.
    private func trouble() async -> RedisError? {
        do throws(RedisError) {
            _ = try await self.client.sendToPrimaries(RedisCommand("PING", isRepeatable: true))
            return nil
        } catch {
            return error
        }
    }
}

extension RedisError {
    /// Whether the next attempt may end otherwise though nobody mends anything.
    fileprivate var isPassing: Bool {
        switch self.code {
        case .unreachable, .connectionLost, .timedOut, .overloaded: true
        case .refused: ["LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"].contains(self.reply?.prefix)
        case .protocolViolation, .closed, .cancelled, .misconfigured: false
        }
    }
}
