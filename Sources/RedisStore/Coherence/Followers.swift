// SPDX-License-Identifier: Apache-2.0

import CacheModel
import NIOCore
import Synchronization

/// How many replicas each server had lately, as far as this process has heard: one that has lost some may be about to be
/// replaced by one of them.
final class Followers: Sendable {
    private struct Sight {
        var count: Int
        var last: ContinuousClock.Instant
    }

    /// By the server's era; few, as servers are replaced seldom.
    private let sights = Mutex<[ByteBuffer: Sight]>([:])
    private static let limit = 64

    /// How many must confirm what is written now.
    ///
    /// - Parameter count: How many the server says it has.
    func required(_ count: Int, of era: ByteBuffer) -> Int {
        let now = ContinuousClock.now
        return self.sights.withLock { sights in
            if let sight = sights[era], count < sight.count, now - sight.last < Limits.redisFollowerMemory {
                return sight.count
            }
            if sights[era] == nil, sights.count >= Self.limit { sights.removeAll() }
            sights[era] = Sight(count: count, last: now)
            return count
        }
    }
}
