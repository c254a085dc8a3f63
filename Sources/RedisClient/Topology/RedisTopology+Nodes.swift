// SPDX-License-Identifier: Apache-2.0

import NIOCore

extension RedisTopology {
    /// How the connections to sentinels or to other servers are made.
    func makeNode(_ address: RedisAddress, isSentinel: Bool = false) -> RedisNode {
        self.makeNode(address, self.settings(isSentinel: isSentinel))
    }

    func makeListener(
        _ address: RedisAddress, onPush: (@Sendable ([RESPValue]) -> Void)?, onEnd: (@Sendable () -> Void)?
    ) -> RedisNode {
        var settings = self.settings(isSentinel: false)
        settings.connections = 1
        settings.onPush = onPush
        settings.onEnd = onEnd
        return self.makeNode(address, settings)
    }

    private func makeNode(_ address: RedisAddress, _ settings: RedisNodeConfiguration) -> RedisNode {
        RedisNode(address: address, configuration: settings, group: self.group, logger: self.logger)
    }

    private func settings(isSentinel: Bool) -> RedisNodeConfiguration {
        let credentials = isSentinel ? self.configuration.sentinelCredentials : self.configuration.credentials
        var settings = RedisNodeConfiguration()
        settings.username = credentials?.username
        settings.password = credentials?.password
        settings.database = isSentinel ? 0 : self.configuration.database
        settings.connections = isSentinel ? 1 : self.configuration.connectionsPerNode
        settings.connectTimeout = self.configuration.connectTimeout
        settings.security = self.configuration.security
        return settings
    }
}
