// SPDX-License-Identifier: Apache-2.0

import CoreMetrics

/// What listeners outside of this module count.
extension Dispatcher {
    package func countAccepted() { self.metrics.acceptedConnections.increment() }

    package func count(_ refusal: ConnectionAdmission.Refusal) { self.metrics.count(refusal) }

    package func countHandshake(isResumed: Bool) {
        (isResumed ? self.metrics.resumedHandshakes : self.metrics.handshakes).increment()
    }

    package func countFailedHandshake() { self.metrics.failedHandshakes.increment() }
}
