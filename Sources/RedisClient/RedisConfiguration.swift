// SPDX-License-Identifier: Apache-2.0

/// Which servers a ``RedisClient`` uses, and how.
package struct RedisConfiguration: Sendable {
    package enum Deployment: Sendable, Equatable {
        case standalone(RedisAddress)
        /// The sentinels, and the name under which they know the primary.
        case sentinel([RedisAddress], service: String)
        /// Any servers of the cluster; the others are found out from them.
        case cluster(seeds: [RedisAddress])
    }

    package let deployment: Deployment
    /// Of the servers that have the data.
    package let credentials: RedisCredentials?
    /// Of the sentinels; they do not have those of the servers.
    package let sentinelCredentials: RedisCredentials?
    /// Number of the database; 0 in a cluster.
    package let database: Int
    /// How connections are encrypted; `nil` for plain ones.
    package let security: RedisTransportSecurity?

    /// Time for a command with all its attempts, if it names no other.
    package var commandTimeout: Duration = .seconds(1)
    /// Time in which a connection must be made.
    package var connectTimeout: Duration = .seconds(1)
    /// Connections to each server, at most; at least 1.
    package var connectionsPerNode = 8
    /// Age of a server's trouble up to which commands wait, within their own time, for it to pass; later ones fail with
    /// their first attempt (``RetryPlan``).
    package var patience: Duration

    init(
        _ deployment: Deployment, credentials: RedisCredentials?, sentinelCredentials: RedisCredentials?,
        database: Int, security: RedisTransportSecurity?
    ) {
        self.deployment = deployment
        self.credentials = credentials
        self.sentinelCredentials = sentinelCredentials
        self.database = database
        self.security = security
        if case .standalone = deployment {
            self.patience = RedisLimits.restartPatience
        } else {
            self.patience = RedisLimits.failoverPatience
        }
    }
}

/// As a URL without users and passwords.
extension RedisConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        let scheme = self.security == nil ? "redis" : "rediss"
        switch self.deployment {
        case .standalone(let address):
            return "\(scheme)://\(address)/\(self.database)"
        case .sentinel(let sentinels, let service):
            return "\(scheme)+sentinel://\(Self.list(sentinels))/\(service)/\(self.database)"
        case .cluster(let seeds):
            return "\(scheme)+cluster://\(Self.list(seeds))"
        }
    }

    package var debugDescription: String { self.description }

    package var customMirror: Mirror { Mirror(self, children: ["url": self.description]) }

    private static func list(_ addresses: [RedisAddress]) -> String {
        addresses.map { "\($0)" }.joined(separator: ",")
    }
}

/// Who the client says it is. Shows neither name nor password.
package struct RedisCredentials: Sendable {
    /// `nil` for the default user.
    package let username: String?
    package let password: String

    package init(username: String?, password: String) {
        self.username = username
        self.password = password
    }
}

extension RedisCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "(hidden)" }
    package var debugDescription: String { self.description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
