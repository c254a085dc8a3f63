// SPDX-License-Identifier: Apache-2.0

import NIOCore

extension TimeAmount {
    /// Bounded to a day, so that no sum with a deadline overflows.
    init(bounded duration: Duration) {
        let bounded = min(max(.zero, duration), .seconds(86_400))
        let (seconds, attoseconds) = bounded.components
        self = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
