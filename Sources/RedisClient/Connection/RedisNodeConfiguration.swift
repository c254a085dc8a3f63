// SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Where a server listens.
package struct RedisAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or an IP address, without brackets.
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}

/// Adds what encrypts to the front of a new connection's pipeline, on its event loop.
package typealias RedisTransportSecurity = @Sendable (_ channel: any Channel, _ host: String) throws -> Void

/// How the connections to a server are made.
package struct RedisNodeConfiguration: Sendable {
    /// `nil` for the default user.
    package var username: String?
    /// `nil` to connect without authentication.
    package var password: String?
    package var database = 0
    /// Connections that are opened at most, as the load asks for them, 1...``RedisLimits/maximumConnections``.
    package var connections = 8
    /// Time in which a connection must be made and have its handshake behind it.
    package var connectTimeout = Duration.seconds(1)
    /// `nil` for plain text.
    package var security: RedisTransportSecurity?
    /// Gets what a server sends unasked, on an event loop.
    package var onPush: (@Sendable ([RESPValue]) -> Void)?
    /// Told on an event loop that a connection has ended, before another is used and before whoever waits for a reply
    /// on it is told: what was subscribed to on it is not any more.
    package var onEnd: (@Sendable () -> Void)?

    package init() {}
}

extension RedisNodeConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without user name and password.
    package var description: String {
        let protection = self.security == nil ? "plain text" : "encrypted"
        let authentication = self.password == nil ? "no password" : "with a password"
        return "database \(self.database), \(self.connections) connections, \(protection), \(authentication)"
    }

    package var debugDescription: String { self.description }
    package var customMirror: Mirror { Mirror(self, children: ["description": self.description]) }
}
