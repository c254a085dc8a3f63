// SPDX-License-Identifier: Apache-2.0

import CacheModel

/// What connections may do; the defaults are those of ``Limits``.
package struct ConnectionLimits: Sendable, Equatable {
    package var maximumCallsInFlight = Limits.maximumCallsInFlight
    package var maximumConnections = Limits.maximumConnections
    package var maximumUnauthenticatedConnections = Limits.maximumUnauthenticatedConnections
    package var maximumUnauthenticatedConnectionsPerAddress = Limits.maximumUnauthenticatedConnectionsPerAddress
    /// Of TLS and hello together.
    package var handshakeDeadline = Limits.handshakeDeadline
    package var frameDeadline = Limits.frameDeadline
    package var writeDeadline = Limits.writeDeadline
    /// `nil`: a connection may stay without a call for ever.
    package var idleDeadline: Duration? = Limits.idleDeadline
    package var goAwayLinger = Limits.goAwayLinger

    package init() {}
}

/// What becomes of a connection.
enum ConnectionOutcome {
    case helloReceived
    case closed
}
