// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What one connection may do; the defaults are those of ``Limits``, tests set others.
package struct ConnectionLimits: Sendable {
    package var maximumCallsInFlight = Limits.maximumCallsInFlight
    package var maximumConnections = Limits.maximumConnections
    package var maximumUnauthenticatedConnections = Limits.maximumUnauthenticatedConnections
    package var handshakeDeadline = Limits.handshakeDeadline
    package var frameDeadline = Limits.frameDeadline
    package var writeDeadline = Limits.writeDeadline

    package init() {}
}

/// What becomes of a connection.
enum ConnectionOutcome {
    case helloReceived
    case closed
}
